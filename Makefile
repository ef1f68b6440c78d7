# regtag retags container images. Goals:
#
#   make            build/regtag, for this machine
#   make TLS=0      build/plain/regtag, without TLS
#   make TLS=0 VERIFY=1
#                   build/plain-verify/regtag, without TLS, but able to verify signatures
#   make TARGET=x86_64-linux-musl [TLS=0]
#                   build/x86_64-linux-musl[-plain]/regtag, a static program; toolchains/ has the targets
#   make VERBS="tag digest"
#                   the same programs with these verbs only, in the same places; works with TLS=0 and TARGET too
#   make targets    all targets, with TLS and without; and each with the verbs tag and digest only: build/TARGET-tag,
#                   build/TARGET-plain-tag
#   make check-targets
#                   runs tests on all of them, under qemu where need be; "N passed, N failed"
#   make dist       build/dist: the sources, an archive for each target, what each consists of (SPDX), SHA256SUMS, and
#                   COMPILERS, which says what built them
#   make debian     build/debian: Debian packages; toolchains/packaging has recipes for other systems, too
#   make lib        build/libregtag.a, the library
#   make amalgamation   build/amalgamation: the library as one regtag.c, and what goes with it
#   make examples   build/examples: programs that link it in
#   make fuzz SECONDS=5 [FUZZ="http verb_tag"]
#                   fuzzes each parser and verb, or only those in FUZZ, for that long, with libFuzzer; make fuzz-afl
#                   does so with AFL++
#   make coverage   which lines and branches of src/ the tests run
#   make mutants    makes a thousand small changes to the library, one by one, and counts those the unit tests notice
#   make adversity  tries everything that can go wrong: tests/adversity/RESULTS.md; under two hours on two cores
#   make demo       starts a registry, puts an image in it, tags the image, and shows the result
#   make check      runs all tests; its last line is "N passed, N failed"
#   make check-small  tries a static program of this machine in 2 MiB of address space
#   make check-coverage  fails unless the unit tests take every branch of the library
#   make check-all  everything, including what takes too long for .ci/run: check, also with sanitizers,
#                   check-targets on all targets, their sizes, check-small, check-coverage, and whether
#                   bytes are reproducible
#   make check-debian SUITE=trixie [ACCOUNT=user] [GOALS="check targets"]
#                   runs make in a root of another release of Debian, made by debootstrap: as root, which it
#                   needs, or there as an ordinary user; "N passed, N failed". SYSTEM_MBEDTLS=1 uses the release's
#   make check-package SUITE=trixie
#                   makes the Debian packages, and installs, uses and purges them in a new root of that release, which
#                   needs root; "N passed, N failed"
#   make deps       installs Debian's packages for all of this; make -n deps shows which
#   make probe      build/probe, which runs one layer at a time, for test vectors and fuzzers
#   make figures    measures: requests, bytes, instructions, memory, size, seconds; draws the pictures of README.md
#   make lint       checks the sources: format, warnings of gcc and clang, cppcheck, shellcheck
#   make install    program, man page, completions, headers, libraries and regtag.pc, to DESTDIR and PREFIX
#   make clean      removes build
#
# Variables, set on the command line or in the environment:
#
#   TARGETS                         which targets, for goals that build several: all that toolchains/ has by default
#   CC, CFLAGS, CPPFLAGS, LDFLAGS   the compiler; flags are added to the project's own
#   OFFLINE=1                       installs and downloads nothing: says what is missing, and skips tests that need
#                                   it. JSMN_DIR, MBEDTLS_DIR and MUSL_DIR say where unpacked sources are
#   SYSTEM_JSMN=1                   uses the jsmn.h that the compiler finds, instead of the pinned one
#   SYSTEM_MBEDTLS=1                build/system/regtag, linked with the system's mbedTLS 3.6, which pkg-config finds:
#                                   third_party/README.md says what is different
#   CROSS_COMPILE                   the prefix of gcc, ar and strip; with TARGET, of a compiler to use instead
#                                   of Debian's
#   MANIFEST_MAX=262144             the largest manifest, in bytes, instead of 4 MiB: saves address space on a
#                                   board that has little; TOKENS_MAX: JSON values and keys in it, by default
#                                   one for every 128 bytes. All other sizes are in src/base/sizes.h
#   VERBS="tag digest"              the verbs of the command, instead of all: the others, with their options and
#                                   messages, take no space. help and --version are always there
#   MIPS16=0                        for a MIPS core without MIPS16e: see toolchains/README.md
#   CONNECTIONS_MAX=3               the most connections that an operation may have, instead of 18;
#                                   with fewer than 4, copy is left out
#   PREFIX, DESTDIR                 where to install: /usr/local, and the root that it is put under
#   SAN=address,undefined           with these sanitizers and with assertions, in a folder of its own
#   QUICK=1                         with SAN: leaves out the tests that are marked as slow
#   LONG=1                          with check: also runs the tests that take minutes
#   V=1                             shows the commands in full
#   CACHE                           where downloads are kept: ~/.cache/regtag
#   JSMN_DIR, MBEDTLS_DIR, MUSL_DIR the sources of jsmn 1.1, mbedTLS 3.6 and, for TARGET, musl 1.2,
#                                   unpacked; else they are fetched once, see third_party/fetch. With all
#                                   of them, and a compiler installed, make needs no network.
#
# Missing Debian packages are installed as root or through sudo; if neither is available, the command to run
# is printed.

VERSION := 0.2.0

TLS     ?= 1
VERIFY  ?= $(TLS)
MIPS16  ?= 1
SAN     ?=
TARGET  ?=
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
OFFLINE ?=
SYSTEM_JSMN ?=
SYSTEM_MBEDTLS ?=
export OFFLINE SYSTEM_MBEDTLS

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)ar
endif
STRIP ?= $(CROSS_COMPILE)strip

# A switch that is neither 1 nor 0 is a mistake, and not a yes.
$(foreach switch,TLS VERIFY MIPS16 QUICK V OFFLINE SYSTEM_JSMN SYSTEM_MBEDTLS,$(if $(word 2,$($(switch)))$(filter-out 0 1,$($(switch))),\
    $(error $(switch)=$($(switch)): it must be 1 or 0)))
$(foreach switch,TLS VERIFY,$(if $($(switch)),,$(error $(switch) is empty: it must be 1 or 0)))
$(if $(TARGET),$(if $(filter 1,$(SYSTEM_MBEDTLS)),$(error SYSTEM_MBEDTLS=1 is for programs without TARGET: those are made of the pinned sources)))
$(if $(filter 10,$(TLS)$(VERIFY)),$(error VERIFY=0 is for TLS=0: what verifies signatures is a part of TLS))

ifneq ($(V),1)
.SILENT:
endif
MAKEFLAGS += --no-builtin-rules

# ---- Where things go: each configuration has a folder ----------------------------------------

comma := ,
space := $(subst ,, )
pound := \#
system := $(filter 1,$(SYSTEM_MBEDTLS))
parts := $(TARGET) $(if $(system),system) $(if $(filter 0,$(TLS)),plain) $(if $(filter 01,$(TLS)$(VERIFY)),verify) $(if $(SAN),san-$(subst $(comma),-,$(SAN)))
OUT   := $(subst $(space),/,$(strip build $(subst $(space),-,$(strip $(parts)))))
OBJ   := $(OUT)/obj

# A header, which the system may have in place of the pinned one.
ifeq ($(SYSTEM_JSMN),1)
JSMN_DIR := $(patsubst %/jsmn.h,%,$(filter %/jsmn.h,$(shell echo '$(pound)include <jsmn.h>' | $(CC) $(CPPFLAGS) $(CFLAGS) -x c -M - 2>/dev/null)))
$(if $(JSMN_DIR),,$(error SYSTEM_JSMN=1: the compiler finds no jsmn.h; it is in Debian's libjsmn-dev, for instance))
endif
JSMN_DIR    ?= build/third_party/jsmn
MBEDTLS_DIR ?= build/third_party/mbedtls
third_party := $(JSMN_DIR)/jsmn.h $(if $(system),,$(MBEDTLS_DIR)/library/sha256.c)

# A library, which takes the place of mbedtls.a.
ifneq ($(system),)
PKG_CONFIG     ?= pkg-config
system_parts   := $(if $(filter 1,$(TLS)),mbedtls mbedx509) mbedcrypto
system_flags   := $(shell $(PKG_CONFIG) --cflags $(system_parts) 2>/dev/null)
LDLIBS         += $(or $(shell $(PKG_CONFIG) --libs $(if $(filter -static,$(LDFLAGS)),--static) $(system_parts) 2>/dev/null),$(system_parts:%=-l%))
endif

# ---- Verbs: which of them the command has ----------------------------------------------------

all_verbs := $(shell sed -n 's/^.define VERB_ID_\([A-Z]*\) .*/\1/p' src/cli/verb.h | tr A-Z a-z)
VERBS     ?= $(all_verbs)
no_room   := $(if $(filter 2 3,$(CONNECTIONS_MAX)),copy)
verbs     := $(filter-out $(no_room),$(filter $(VERBS),$(all_verbs)))
left_out  := $(filter-out $(verbs),$(all_verbs))
$(if $(filter-out $(all_verbs),$(VERBS)),$(error VERBS: regtag has no verb "$(filter-out $(all_verbs),$(VERBS))". \
    It has: $(all_verbs)))
$(if $(verbs),,$(error VERBS is empty: it must name at least one of: $(all_verbs)))

verb_ids   := $(shell echo $(verbs:%=VERB_ID_%) | tr 'a-z ' 'A-Z|')
verb_table := $(patsubst %,&cli_verb_%$(comma),$(verbs))
verb_flags := -DVERBS_BUILT='$(verb_ids)' -DVERBS_TABLE='$(verb_table)' -DVERBS_NAMES='"$(verbs)"' \
    -DVERBS_LEFT_OUT='"$(left_out)"'

# ---- A target: a static program, made with a compiler for its processor and with musl --------

boards := $(sort $(basename $(notdir $(wildcard toolchains/*.mk))))
ifneq ($(TARGET),)
ifeq ($(filter $(TARGET),$(boards)),)
$(error There is no toolchains/$(TARGET).mk. There are: $(boards))
endif
ifeq ($(origin CC),command line)
$(error TARGET brings its compiler along; CROSS_COMPILE says if another one is to be taken)
endif
include toolchains/$(TARGET).mk

# The compiler, Debian's or the user's, and musl stand together in a folder like a toolchain.
cross     := $(or $(CROSS_COMPILE),$(triple)-)
toolchain := $(OUT)/toolchain
CC        := $(toolchain)/bin/cc
AR        := $(toolchain)/bin/ar
STRIP     := $(toolchain)/bin/strip

# Where and when it is built makes no difference to the bytes.
nowhere := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(MBEDTLS_DIR)=mbedtls -ffile-prefix-map=$(JSMN_DIR)=jsmn

# For x86: smaller than -Os by 2 %, and 4 % slower; MIPS and ARM would grow. Compilers before gcc 12 do not
# know -Oz. What follows it saves 0.8 KB more; the last four 0.2 KB without TLS, but with it, where it pays off to make
# copies for constants, they would cost 3 KB. For ARM's Thumb: 1 KB less.
smallest = $(if $(x86),$(shell echo | $(cross)gcc -Oz -E - >/dev/null 2>&1 && echo -Oz) \
           -fno-inline-functions-called-once -fno-jump-tables -fno-tree-dominator-opts -fno-tree-loop-im -fno-tree-pta \
           -malign-data=abi \
           $(if $(filter 0,$(TLS)),-fno-ipa-cp -fno-tree-sra -fno-shrink-wrap -fno-guess-branch-probability)) \
           $(if $(thumb),-fno-inline-functions-called-once -fno-tree-dominator-opts -fno-tree-loop-im -fno-move-loop-invariants \
           $(if $(filter 0,$(TLS)),-fno-ipa-cp))

# MIPS16e, where the target's file has flags for it, takes 30 % less than MIPS32. In MIPS32 remain: the heap, since musl's
# calls of it may be jumps, which cannot switch; bignum_core, which has assembly; and what works on every byte, which
# in MIPS16e would save 1.8 KB and take up to twice the instructions. Without LTO, which knows one instruction set.
compact := $(if $(filter 1,$(MIPS16)),$(mips16))
wide    := $(if $(compact),src/cli/heap $(addprefix mbedtls/,aes bignum_core chacha20 poly1305 sha256 sha512))

# What protects, where it costs less than 2 %. The plain stack protector takes 0.2 % of the bytes without
# TLS and 0.7 % with it on x86_64, ARM and MIPS, and 0.1 % of the instructions or less (x86_64); the
# strong one 3.5 % and up to 1.6 %. RELRO would protect nothing, since nothing is loaded or moved at run
# time; where the linker makes it all the same (aarch64), it takes 6 %.
#
# A page size of 32 keeps the file without gaps between code and data, 4 KB on the average; in memory
# pages stay what they are.
static_compile = -fno-pie -fno-pic -fstack-protector -fno-unwind-tables -flto -flto-partition=one $(nowhere) $(smallest) $(compact)
static_link   := -static -no-pie -Wl,--build-id=none,-z,noseparate-code,-z,norelro \
    -Wl,-z,common-page-size=32,-T,toolchains/layout.ld $(link_flags)
endif

# ---- Flags -----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes

# Small: no function that nobody calls, no tables for unwinding.
SMALL := -Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
ifdef SAN
SMALL    := -O1 -g -fno-omit-frame-pointer -ffunction-sections -fdata-sections
SANITIZE := -fsanitize=$(SAN) -fno-sanitize-recover=all
endif

includes := -Isrc -Isrc/embed -Ithird_party -isystem $(JSMN_DIR) $(if $(system),$(system_flags),-isystem $(MBEDTLS_DIR)/include)
# Without the two BITS, glibc has 32 bits for time, file sizes and inode numbers on a processor of 32 bits.
defines   = -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DREGTAG_VERSION='"$(VERSION)"' \
            $(if $(system),,-DMBEDTLS_CONFIG_FILE='"$(mbedtls_config)"') $(if $(SAN),-DREGTAG_DEBUG)
limits    = $(if $(CONNECTIONS_MAX),-DREGTAG_CONNECTIONS_MAX=$(CONNECTIONS_MAX)) \
            $(if $(MANIFEST_MAX),-DREGTAG_MANIFEST_MAX=$(MANIFEST_MAX)u) $(if $(TOKENS_MAX),-DREGTAG_TOKENS_MAX=$(TOKENS_MAX)u)
language  = -std=c99 $(defines) $(limits) $(includes)
# flags_here: of one file, not to be hidden by CPPFLAGS on the command line.
compile   = $(CC) $(language) $(SMALL) $(static_compile) $(SANITIZE) $(1) $(flags_here) $(CPPFLAGS) $(CFLAGS) -MMD -MP
link      = $(CC) $(SMALL) $(static_compile) $(SANITIZE) $(CFLAGS) -Wl,--gc-sections $(static_link) $(LDFLAGS)

# ---- Sources, by room ------------------------------------------------------------------------

objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

library := $(foreach room,base oci http client registry,$(wildcard src/$(room)/*.c))
hash    := src/embed/regtag_sha256.c
posix   := $(patsubst %,src/embed/regtag_%.c,sockets connect address blocking)
# Whatever is linked with a library that reports its transitions records them for the tests.
reports := $(if $(SAN),tests/library/transitions.c)

# TLS or none: this chooses, and whoever calls it does not know which it is.
ifeq ($(TLS),0)
tls            := src/net/tls_none.c
mbedtls_config := regtag_mbedtls.h
mbedtls        := sha256 platform_util
ifeq ($(VERIFY),1)
mbedtls_config := regtag_mbedtls_verify.h
mbedtls        += asn1parse base64 bignum bignum_core constant_time ecdsa ecp ecp_curves md oid platform rsa rsa_alt_helpers sha512
arena          := src/net/tls_arena.c
endif
else
tls            := $(filter-out src/net/tls_none.c $(if $(system),src/net/tls_arena.c src/net/tls_pinned.c,src/net/tls_system.c),$(wildcard src/net/tls_*.c)) $(patsubst %,src/embed/regtag_%.c,tls_mbedtls chain)
mbedtls_config := regtag_mbedtls_tls.h
mbedtls        := aes asn1parse asn1write base64 bignum bignum_core bignum_mod bignum_mod_raw chacha20 \
    chachapoly cipher cipher_wrap constant_time ecdh ecdsa ecp ecp_curves gcm md oid pem pk \
    pk_ecc pk_wrap pkparse platform platform_util poly1305 psa_crypto psa_crypto_aead \
    psa_crypto_cipher psa_crypto_client psa_crypto_driver_wrappers_no_static psa_crypto_ecp \
    psa_crypto_hash psa_crypto_mac psa_crypto_slot_management psa_util rsa \
    rsa_alt_helpers sha256 sha512 ssl_ciphersuites ssl_client ssl_msg ssl_tls ssl_tls12_client \
    ssl_tls13_client ssl_tls13_generic ssl_tls13_keys x509 x509_crt
ours           := $(patsubst %,third_party/regtag_%.c,$(if $(system),,psa_status rsa_unused) x509)
endif

ifneq ($(system),)
mbedtls        :=
arena          :=
endif
# A static program has a heap of its own, and small stand-ins for some functions of musl's; a shared C library has them all.
shared  := $(if $(TARGET),,src/cli/heap.c $(wildcard src/cli/libc*.c))
verifies := $(if $(filter 1,$(VERIFY)),src/net/verify_keys.c src/embed/regtag_verify_mbedtls.c $(arena),src/net/verify_none.c)
program := $(filter-out src/net/tls_% src/net/verify_%,$(wildcard src/net/*.c)) $(tls) $(verifies) $(hash) $(filter-out %_blocking.c,$(posix)) \
           $(filter-out $(shared) $(left_out:%=src/cli/verb_%.c),$(wildcard src/cli/*.c))

tests        := $(filter-out $(if $(filter 0,$(TLS)),%/test_chain.c) $(if $(filter 0,$(VERIFY)),%/test_signature.c),$(wildcard tests/unit/test_*.c))
test_helpers := $(filter-out tests/unit/probe.c tests/unit/test_%,$(wildcard tests/unit/*.c))
unit         := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(tests))
probed       := $(hash) src/cli/authfile.c src/cli/secrets.c src/cli/layout_images.c src/cli/tar_reader.c
tested       := $(patsubst %,src/cli/%.c,blob_list credentials file_lock file_scan file_sync glob helper hint journal journal_line \
                journal_lock journal_reader layout_writer lines outage output process proxy_env report schedule tag_line tar_writer \
                targets undo_index) \
                $(patsubst %,src/net/%.c,address child families file hide lookup no_proxy proxy tls_pem tunnel) \
                $(patsubst %,src/embed/regtag_%.c,address blocking sockets connect \
                $(if $(filter 0,$(TLS)),,chain) $(if $(filter 0,$(VERIFY)),,verify_mbedtls)) \
                $(if $(filter 0,$(VERIFY)),,src/net/tls_arena.c)

# ---- Programs --------------------------------------------------------------------------------

all: $(OUT)/regtag
probe: $(OUT)/probe
lib: $(OUT)/libregtag.a
# Else make would end without a word where there is nothing to do.
all probe lib vectors examples amalgamation:
	wc -c $^ | sed 's/^ *\([0-9]*\) \(.*\)/\2: \1 bytes/; /^total:/d'

linked := $(if $(TARGET),$(OUT)/unstripped,$(OUT)/regtag)

# A program with fewer verbs, in a folder of its own, is linked with the archives of the full one.
archives := $(OUT)

# Where the linker puts what of a static program: see there.
layout := $(if $(TARGET),toolchains/layout.ld toolchains/hot)

# That program may want another SHA-256: what moves blobs has a faster one.
moves_blobs := $(filter copy fetch load save,$(verbs))
sha256      := $(if $(system),,$(OBJ)/mbedtls/sha256.o)

$(linked): $(call objects,$(program)) $(sha256) $(archives)/libregtag.a $(archives)/mbedtls.a $(layout)
	echo '  LD  $@'
	$(link) -o $@ $(filter-out $(layout),$^) $(LDLIBS)

$(OUT)/probe: $(call objects,tests/unit/probe.c tests/unit/layers.c $(probed)) $(OUT)/libregtag.a \
              $(OUT)/mbedtls.a
	echo '  LD  $@'
	$(link) -o $@ $^ $(LDLIBS)

# The test vectors on another processor, without cmocka.
vectors: $(OUT)/vectors
$(OUT)/vectors: $(call objects,$(patsubst %,tests/%.c,targets/vectors unit/guard unit/layers unit/vectors) $(probed)) \
                $(OUT)/libregtag.a $(OUT)/mbedtls.a
	echo '  LD  $@'
	$(link) -o $@ $^ $(LDLIBS)

$(unit): $(OUT)/unit/%: $(OBJ)/tests/unit/%.o $(call objects,$(test_helpers) $(probed) $(tested)) \
         $(OUT)/libregtag.a $(OUT)/mbedtls.a
	echo '  LD  $@'
	mkdir -p $(@D)
	$(link) -o $@ $^ -lcmocka $(LDLIBS)

# Called by its name, it is one of the fuzzers. Without net/hide.c, which would hide it from the sanitizers. The compiler
# brings the engine along: libFuzzer, or AFL++'s.
fuzzers := $(patsubst %,tests/unit/%.c,layers vectors wire $(patsubst %,fuzz/%,harness fuzz_layer fuzz_files fuzz_key \
           fuzz_verbs fuzz_conversation)) $(probed) $(patsubst %,src/%.c,$(patsubst %,cli/%,hint journal_line journal_reader \
           output report tag_line undo_index) $(patsubst %,net/%,address file no_proxy proxy tls_arena tls_pem tls_trust verify_keys) \
           $(patsubst %,embed/regtag_%,address verify_mbedtls))
$(OUT)/fuzz: LDLIBS += -fsanitize=fuzzer
$(OUT)/seeds: $(call objects,tests/unit/fuzz/seeds.c)
# What is known of each edge keeps functions of mbedTLS that nobody calls, nor what they call.
$(OUT)/fuzz $(OUT)/seeds: LDLIBS += -no-pie -Wl,--unresolved-symbols=ignore-all
$(OUT)/fuzz $(OUT)/seeds: $(call objects,$(fuzzers)) $(OUT)/libregtag.a $(OUT)/mbedtls.a
	echo '  LD  $@'
	$(link) -o $@ $^ $(LDLIBS)

# Counts comparisons.
$(OUT)/unit/test_many: LDLIBS += -Wl,--wrap=slice_equal
$(OUT)/unit/test_titles: LDLIBS += -Wl,--wrap=json_character

# Answers instead of name servers.
$(OUT)/unit/test_lookup: LDLIBS += -Wl,--wrap=getaddrinfo,--wrap=fork

# Rows of tests/adversity that are programs of their own. The herd has a clock of its own, and no sockets.
adversities := $(patsubst tests/adversity/%.c,$(OUT)/adversity/%,$(wildcard tests/adversity/*.c))
$(filter-out %/herd,$(adversities)): $(OUT)/adversity/%: $(OBJ)/tests/adversity/%.o $(call objects,$(test_helpers) $(probed) $(tested))
$(OUT)/adversity/herd: $(call objects,tests/adversity/herd.c src/cli/schedule.c src/cli/outage.c $(hash))
$(adversities): $(OUT)/libregtag.a $(OUT)/mbedtls.a
	echo '  LD  $@'
	mkdir -p $(@D)
	$(link) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(LDLIBS)

# The program by a clock that a row sets, so that a wait takes no time.
adversities += $(OUT)/adversity/regtag
$(OUT)/adversity/regtag: $(call objects,$(program) tests/adversity/clock/clock.c) $(sha256) $(OUT)/libregtag.a $(OUT)/mbedtls.a
	echo '  LD  $@'
	mkdir -p $(@D)
	$(link) -Wl,--wrap=clock_gettime,--wrap=poll,--wrap=pselect,--wrap=time -o $@ $^ $(LDLIBS)

# What other rows run the program under, and the program with memory that runs short.
tools := $(patsubst %,$(OUT)/adversity/tools/%,fault $(if $(filter 1,$(VERIFY)),regtag))
short := tls_arena_calloc tls_arena_exhausted regtag_init regtag_next
$(OUT)/adversity/tools/regtag: LDLIBS += $(patsubst %,-Wl$(comma)--wrap=%,$(short))
$(OUT)/adversity/tools/regtag: $(call objects,tests/adversity/tools/memory.c $(program)) $(sha256) \
                               $(OUT)/libregtag.a $(OUT)/mbedtls.a
$(OUT)/adversity/tools/fault: $(call objects,tests/adversity/tools/fault.c)
$(tools):
	echo '  LD  $@'
	mkdir -p $(@D)
	$(link) -o $@ $^ $(LDLIBS)

$(OUT)/libregtag.a: $(call objects,$(library) $(reports))
$(OUT)/mbedtls.a: $(patsubst %,$(OBJ)/mbedtls/%.o,$(mbedtls)) $(call objects,$(ours))
%.a:
	echo '  AR  $@'
	rm -f $@
	$(AR) rcs $@ $^

# What a board gets: without symbols, and without anything else that is not needed for running.
ifneq ($(TARGET),)
$(OUT)/regtag: $(linked)
	$(STRIP) -R .comment -o $@ $<
	OBJDUMP=$(toolchain)/bin/objdump tests/targets/gates $@ $< $(if $(soft_float),soft) $(if $(compact),mips16)
	$(if $(filter 0,$(MIPS16)),,tests/targets/budget $(OUT:build/%=%) || true)
endif

# For tests: it has two verbs.
only_tag = VERBS="tag digest" OUT=$(1) archives=$(2)
few     := $(OUT)/tag/regtag
$(few): $(OUT)/regtag FORCE
	+$(MAKE) --no-print-directory $(call only_tag,$(OUT)/tag,$(OUT))

# ---- To be linked in -------------------------------------------------------------------------

# Optional, and the program's own business: what does not need mbedTLS goes into an archive of its own.
$(OUT)/libregtag-posix.a: $(call objects,$(posix))

amalgamated := build/amalgamation/regtag.c
amalgamation: $(amalgamated)
$(amalgamated): LICENSE $(wildcard src/amalgamate* src/regtag.h src/embed/*.[ch]) \
                $(library) $(wildcard $(addsuffix *.h,$(sort $(dir $(library))))) $(JSMN_DIR)/jsmn.h Makefile
	echo '  GEN $@'
	rm -rf $(@D)
	src/amalgamate $(VERSION) $(JSMN_DIR)/jsmn.h $(@D)

# The arena and the randomness that the command's mbedTLS is configured for stand in for a firmware's.
examples := $(patsubst %,$(OUT)/examples/%,agent fetch once)
embedded := src/embed/regtag_sha256.c $(if $(filter 0,$(TLS)),src/examples/tls_none.c,\
            src/examples/tls_mbedtls.c $(patsubst %,src/embed/regtag_%.c,tls_mbedtls chain) \
            $(if $(system),,src/examples/platform.c src/net/tls_arena.c))
examples: $(examples)
$(examples): $(OUT)/examples/%: $(OBJ)/src/examples/%.o $(call objects,$(embedded)) $(OUT)/libregtag-posix.a \
             $(OUT)/libregtag.a $(OUT)/mbedtls.a
	echo '  LD  $@'
	mkdir -p $(@D)
	$(link) -o $@ $^ $(LDLIBS)

# ---- Objects ---------------------------------------------------------------------------------

# The compiler does not name these as what an object depends on: a system header includes them.
configuration := $(wildcard third_party/regtag_*.h)

$(OBJ)/%.o: %.c $(OBJ)/flags $(configuration) | packages $(third_party) $(if $(TARGET),toolchain) $(if $(system),$(OBJ)/system)
	echo '  CC  $<'
	mkdir -p $(@D)
	$(call compile,$(WARNINGS)) -c -o $@ $<

# The tests put it and the examples in one folder.
$(OBJ)/tests/library/writes.o: override CPPFLAGS += -Isrc/examples

# Is the system's mbedTLS one that can be used?
$(OBJ)/system: third_party/regtag_system.h $(OBJ)/flags | packages
	$(CC) $(system_flags) $(CPPFLAGS) $(CFLAGS) -DREGTAG_TLS=$(TLS) -DREGTAG_VERIFY=$(VERIFY) -fsyntax-only -x c $<
	touch $@

# What asks for the verbs of the build is made again when VERBS changes, and nothing else is.
by_verbs := $(call objects,$(shell grep -lE 'HAS_VERB|VERBS_(TABLE|NAMES|LEFT_OUT)' src/cli/*.c))
$(by_verbs): private flags_here := $(verb_flags)
$(by_verbs): $(OBJ)/verbs
$(OBJ)/verbs: FORCE
	mkdir -p $(@D)
	echo '$(verbs)' >$@.new
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Not ours: its warnings are not shown, and it may hand memcmp a null pointer and no bytes.
$(OBJ)/mbedtls/%.o: $(OBJ)/flags $(configuration) | packages $(third_party) $(if $(TARGET),toolchain)
	echo '  CC  mbedtls $*.c'
	mkdir -p $(@D)
	$(call compile,-w -fno-sanitize=undefined) -c -o $@ $(MBEDTLS_DIR)/library/$*.c

ifneq ($(wide),)
$(wide:%=$(OBJ)/%.o): static_compile += -mno-mips16 -fno-lto
endif

ifneq ($(sha256),)
$(sha256): private flags_here := $(if $(moves_blobs),-DREGTAG_FAST_SHA256)
$(sha256): $(OBJ)/verbs
endif

# TLS 1.2 takes RSA-PSS signatures, by its own code, only if PSA is said to know them; PSA's would be 2 KB more.
$(OBJ)/mbedtls/ssl_tls12_client.o: private flags_here := -DPSA_WANT_ALG_RSA_PSS=1 \
    -I$(MBEDTLS_DIR)/library -include third_party/regtag_tls12.h

# Nobody encrypts or decrypts with an RSA key.
$(OBJ)/mbedtls/pk_wrap.o: private flags_here := -Dmbedtls_rsa_pkcs1_encrypt=regtag_rsa_no_encrypt \
    -Dmbedtls_rsa_pkcs1_decrypt=regtag_rsa_no_decrypt

# A private key has all its numbers: none must be deduced from the others.
$(OBJ)/mbedtls/rsa.o: private flags_here := -Dmbedtls_rsa_deduce_primes=regtag_rsa_no_primes \
    -Dmbedtls_rsa_deduce_private_exponent=regtag_rsa_no_exponent -Dmbedtls_rsa_deduce_crt=regtag_rsa_no_crt

# Few errors come out of what TLS 1.3 uses of PSA.
$(OBJ)/mbedtls/psa_crypto_ecp.o $(OBJ)/mbedtls/psa_crypto_hash.o: private flags_here := -Dmbedtls_to_psa_error=regtag_psa_status

# Certificates with an unknown algorithm, or in a chain that can do without them, are no reason to give up.
$(OBJ)/mbedtls/x509.o: private flags_here := -Dmbedtls_oid_get_sig_alg=regtag_x509_signature_algorithm
$(OBJ)/mbedtls/ssl_tls.o $(OBJ)/mbedtls/ssl_tls13_generic.o: private flags_here := -Dmbedtls_x509_crt_parse_der=regtag_x509_parse_peer

# The clock of a device is not believed when it is before this: the time of the commit, which an archive of git's has in a file.
export SOURCE_DATE_EPOCH ?= $(shell grep -x '[0-9]*' toolchains/epoch || git log -1 --format=%ct 2>/dev/null || date +%s)
$(OBJ)/src/net/tls_clock.o: private flags_here := -DREGTAG_BUILD_TIME=$(SOURCE_DATE_EPOCH)
$(OBJ)/src/net/tls_clock.o: $(OBJ)/epoch
$(OBJ)/epoch: FORCE
	mkdir -p $(@D)
	echo '$(SOURCE_DATE_EPOCH)' >$@.new
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# libregtag.a is for linkers without LTO as well.
fat := $(if $(TARGET),-ffat-lto-objects)
$(call objects,$(library)): static_compile += $(fat)

# Everything is made again when the compiler or a flag has changed.
$(OBJ)/flags: FORCE $(if $(TARGET),| toolchain)
	mkdir -p $(@D)
	printf '%s\n' '$(subst ','\'',$(compile) $(fat) $(WARNINGS) $(link) $(wide))' $(if $(TARGET),"$$(readlink $(toolchain))") >$@.new
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# ---- All targets: a sub-make for each, with TLS and without, with all verbs and with two ------

TARGETS ?= $(boards)

# musl comes first: both builds of a target need it.
targets: $(foreach kind,'' -plain -tag -plain-tag,$(TARGETS:%=targets/%$(subst '',,$(kind))))
secure     = $(MAKE) --no-print-directory TARGET=$(1) TLS=1 CROSS_COMPILE=
plain      = $(MAKE) --no-print-directory TARGET=$(1) TLS=0 CROSS_COMPILE=
secure_tag = $(call secure,$(1)) $(call only_tag,build/$(1)-tag,build/$(1))
plain_tag  = $(call plain,$(1)) $(call only_tag,build/$(1)-plain-tag,build/$(1)-plain)
$(boards:%=targets/%): targets/%: toolchains/% $(third_party)
	+$(call secure,$*)
$(boards:%=targets/%-plain): targets/%-plain: toolchains/% $(third_party)
	+$(call plain,$*)
$(boards:%=targets/%-tag): targets/%-tag: targets/%
	+$(call secure_tag,$*)
$(boards:%=targets/%-plain-tag): targets/%-plain-tag: targets/%-plain
	+$(call plain_tag,$*)
$(boards:%=toolchains/%):
	+$(MAKE) --no-print-directory TARGET=$(@F) CROSS_COMPILE= toolchain

# Runs them under an emulator, where this machine does not run them by itself.
check-targets: packages targets $(TARGETS:%=vectors/%)
	tests/targets/gates-fail $(TARGETS)
	tests/targets/run $(TARGETS)
$(boards:%=vectors/%): vectors/%: targets/%-plain
	+$(MAKE) --no-print-directory TARGET=$* TLS=0 CROSS_COMPILE= vectors

# The sources as git has them, and an archive for each target, with the licences of all that is linked in; beside each,
# what it consists of. The same commit gives the same bytes with the compilers and sources that COMPILERS names: a Debian
# release has its own.
DIST := build/dist
dist: targets
	rm -rf $(DIST)
	+! git rev-parse HEAD >/dev/null 2>&1 || $(MAKE) --no-print-directory source
	+for target in $(TARGETS); do \
	    $(foreach kind,secure plain secure_tag plain_tag,$(call $(kind),$$target) archive &&) : || exit 1; done
	cd $(DIST) && sha256sum *.tar.gz *.spdx.json $(if $(strip $(TARGETS)),COMPILERS) >SHA256SUMS

sources := regtag-$(VERSION)
source:
	echo '  TAR $(sources)'
	mkdir -p $(DIST)
	git archive --format=tar --prefix=$(sources)/ HEAD | gzip -9n >$(DIST)/$(sources).tar.gz
	toolchains/sbom $(DIST)/$(sources).tar.gz $(VERSION) >$(DIST)/$(sources).spdx.json

packed  := regtag-$(VERSION)-$(notdir $(OUT))
archive: $(OUT)/regtag
	echo '  TAR $(packed)'
	rm -rf $(OUT)/archive
	install -d $(DIST) $(OUT)/archive/$(packed)/licences
	install $(OUT)/regtag $(OUT)/archive/$(packed)
	install -m 644 src/regtag.1 $(OUT)/archive/$(packed)
	install -m 644 LICENSE $(OUT)/archive/$(packed)/licences/regtag
	install -m 644 $(JSMN_DIR)/LICENSE $(OUT)/archive/$(packed)/licences/jsmn
	install -m 644 $(MBEDTLS_DIR)/LICENSE $(OUT)/archive/$(packed)/licences/mbedtls
	install -m 644 $(toolchain)/COPYRIGHT $(OUT)/archive/$(packed)/licences/musl
	tar -C $(OUT)/archive --sort=name --owner=0 --group=0 --numeric-owner --format=ustar \
	    --mode=u=rwX,go=rX --mtime=@$(SOURCE_DATE_EPOCH) -c $(packed) | gzip -9n >$(DIST)/$(packed).tar.gz
	toolchains/sbom $(DIST)/$(packed).tar.gz $(VERSION) jsmn-$(jsmn_version) mbedtls-$(mbedtls_version) \
	    musl-$$(cat $(toolchain)/VERSION) >$(DIST)/$(packed).spdx.json
	echo "$(packed): $$($(CC) --version | sed q), $$($(CC) -Wl,--version 2>/dev/null | sed q), musl $$(cat $(toolchain)/VERSION)," \
	    "mbedTLS $(mbedtls_version)" >>$(DIST)/COMPILERS

# Debian's package, in build/debian: the sources of others go beside regtag's, as tarballs of their own.
debian: source packages $(third_party)
	rm -rf build/debian
	mkdir -p build/debian
	cp $(DIST)/$(sources).tar.gz build/debian/regtag_$(VERSION).orig.tar.gz
	for one in jsmn:$(JSMN_DIR) mbedtls:$(MBEDTLS_DIR); do \
	    tar -C "$${one#*:}/" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) \
	        --transform "s,^\.,$${one%%:*}," -c . | gzip -9n >build/debian/regtag_$(VERSION).orig-$${one%%:*}.tar.gz || exit 1; done
	tar -C build/debian -xzf $(DIST)/$(sources).tar.gz
	for one in jsmn mbedtls; do tar -C build/debian/$(sources) -xzf build/debian/regtag_$(VERSION).orig-$$one.tar.gz || exit 1; done
	cp -R toolchains/packaging/debian build/debian/$(sources)/debian
	chmod -R u=rwX,go=rX build/debian/$(sources)/debian
	cd build/debian/$(sources) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u OFFLINE dpkg-buildpackage -us -uc $(DEBIAN_OPTIONS)

mbedtls_version = $(shell sed -n 's/.*VERSION_STRING  *"\(.*\)"/\1/p' $(MBEDTLS_DIR)/include/mbedtls/build_info.h)
# It does not say itself which it is; the folder that it was unpacked to does.
jsmn_version    = $(or $(shell readlink -f $(JSMN_DIR) | sed -n 's/.*jsmn-\([0-9.]*\).*/\1/p'),unknown)

# ---- What must be there first ----------------------------------------------------------------

build/third_party/jsmn/jsmn.h:
	third_party/fetch jsmn build/third_party/jsmn >/dev/null

build/third_party/mbedtls/library/sha256.c:
	third_party/fetch mbedtls build/third_party/mbedtls >/dev/null

$(filter-out build/third_party/%,$(third_party)):
	echo "There is no $@: JSMN_DIR and MBEDTLS_DIR are the folders of unpacked sources." >&2
	exit 1

# Debian's packages, by goal. A compiler that works is good enough, wherever it is from.
compiler_needs      := gcc libc6-dev bzip2
pytest_needs        := openssl python3 python3-pytest python3-pytest-xdist strace
check_needs         := binutils curl fish libcmocka-dev libwrap0 zsh $(pytest_needs)
coverage_needs      := clang llvm $(check_needs)
mutants_needs       := $(check_needs)
adversity_needs     := $(check_needs)
check-small_needs   := $(pytest_needs)
check-coverage_needs := $(coverage_needs)
check-targets_needs := binutils qemu-user-static $(pytest_needs)
check-debian_needs  := debootstrap
figures_needs       := binutils curl openssl python3 python3-pytest qemu-user valgrind
debian_needs        := build-essential debhelper dpkg-dev fakeroot libcmocka-dev python3
demo_needs          := curl
check-package_needs := debootstrap iproute2 $(debian_needs) $(demo_needs)
fuzz_needs          := clang
fuzz-afl_needs      := afl++ clang
lint_needs          := clang clang-format cppcheck gcc libc6-dev libcmocka-dev make mandoc shellcheck

cross_package = gcc-$(subst _,-,$(1))
packages:
	compiler=; \
	$(if $(TARGET),$(if $(CROSS_COMPILE),:,command -v $(cross)gcc >/dev/null || compiler=$(call cross_package,$(triple))),\
	echo '#include <stdio.h>' | $(CC) -E - >/dev/null 2>&1 || compiler='$(compiler_needs)'); \
	third_party/packages $$compiler $(foreach goal,$(MAKECMDGOALS),$($(goal)_needs))

# All packages of all goals. This machine's own compiler also makes static programs for it.
foreign = $(filter-out $(shell uname -m)-%,$(shell sed -n 's/^triple *:= *//p' toolchains/*.mk))
deps:
	third_party/packages $(sort $(foreach goal,compiler check check-targets check-debian check-package coverage debian figures demo fuzz-afl lint,$($(goal)_needs)) \
	    $(foreach triple,$(foreign),$(call cross_package,$(triple))))

toolchain: | packages
	+CROSS_COMPILE='$(cross)' TARGET_FLAGS='$(flags)' MUSL_DIR='$(MUSL_DIR)' \
	    third_party/musl $(TARGET) $(toolchain) >/dev/null

# ---- Tests and measurements ------------------------------------------------------------------

# With OFFLINE=1 what needs a package that is not there is left out, and said so.
ifeq ($(OFFLINE),1)
$(if $(shell echo '$(pound)include <cmocka.h>' | $(CC) -x c -M -include setjmp.h -include stdarg.h -include stddef.h -include stdint.h - 2>/dev/null),,\
    $(eval unit :=) $(eval adversities :=))
endif
check: $(OUT)/regtag $(if $(SAN),,$(few)) $(OUT)/probe $(unit) $(adversities) $(tools) $(amalgamated) $(examples)
	BUILD=$(OUT) TLS=$(TLS) SAN=$(SAN) QUICK=$(filter 1,$(QUICK)) CC='$(CC)' MBEDTLS_DIR=$(MBEDTLS_DIR) tests/run $(unit)

# A static program for this machine that takes manifests of 256 KiB, with 2 MiB of address space; and with musl's
# way of looking names up.
check-small: packages
	+$(MAKE) --no-print-directory TARGET=$(shell uname -m)-linux-musl MANIFEST_MAX=262144 CONNECTIONS_MAX=3 OUT=$(OUT)/small
	BUILD=$(OUT) TLS=$(TLS) REGTAG=$(OUT)/small/regtag REGTAG_SMALL=$(OUT)/small/regtag PYTHONDONTWRITEBYTECODE=1 \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e/test_small_memory.py tests/e2e/test_names.py

check-all:
	+$(MAKE) --no-print-directory check LONG=1
	+$(MAKE) --no-print-directory check SAN=address,undefined
	+$(MAKE) --no-print-directory check-targets
	tests/targets/budget
	+$(MAKE) --no-print-directory check-small
	+$(MAKE) --no-print-directory check-coverage
	tests/targets/reproducible mips-linux-musl

# Whatever may go wrong does: tests/adversity/README.md.
adversity: $(OUT)/regtag $(adversities) $(tools)
	BUILD=$(OUT) REGTAG=$(OUT)/regtag tests/adversity/run --write

# Which lines and branches of src/ the tests run.
coverage: packages
	+MAKE='$(MAKE)' tests/coverage $(OUT)/coverage

# Those of the library are all taken by the unit tests.
check-coverage: packages
	+MAKE='$(MAKE)' tests/coverage $(OUT)/coverage --unit --check

# Small changes of the library, one at a time: which do the unit tests notice?
mutants: packages $(third_party)
	MAKE='$(MAKE)' tests/mutants

# For mutants: the objects of the unit tests, how a file is compiled, and what is linked.
mutable: $(call objects,$(library) $(tests) $(test_helpers) $(probed) $(tested)) $(OUT)/mbedtls.a
	printf '%s\n' '$(subst ','\'',$(compile))' '$(library)' '$^'

# The Debian packages, in a new root of a release.
check-package: debian
	tests/debian-package '$(SUITE)'

# Another release of Debian, in a folder of the cache.
check-debian: packages
	tests/debian '$(SUITE)' '$(or $(GOALS),check)' '$(or $(ACCOUNT),root)'

# How long each, and which; all unless FUZZ names some.
SECONDS ?= 5
FUZZ    ?=
fuzz: packages
	+$(MAKE) --no-print-directory CC=clang TLS=0 VERIFY=1 SAN=address,undefined OUT=build/fuzz/bin CFLAGS='$(CFLAGS) -fsanitize=fuzzer-no-link' \
	    build/fuzz/bin/fuzz build/fuzz/bin/seeds
	tests/unit/fuzz/run $(SECONDS) $(FUZZ)
fuzz-afl: packages
	+$(MAKE) --no-print-directory CC=afl-clang-fast TLS=0 VERIFY=1 SAN=address,undefined OUT=build/fuzz/afl \
	    build/fuzz/afl/fuzz build/fuzz/afl/seeds
	FUZZ_ENGINE=afl FUZZ_BIN=build/fuzz/afl tests/unit/fuzz/run $(SECONDS) $(FUZZ)

demo: $(OUT)/regtag
	tests/demo $(OUT)/regtag

figures: $(OUT)/regtag
	CC='$(CC)' tests/figures $(OUT)/regtag

# Which verbs there are, for scripts.
verbs:
	echo $(all_verbs)

lint: packages
	MAKE='$(MAKE)' tests/lint

# For lint: makes nothing but the objects of these sources.
objects: $(call objects,$(SOURCES))

# ---- Installing ------------------------------------------------------------------------------

# Where each shell looks.
completions := bash-completion/completions/regtag zsh/site-functions/_regtag fish/vendor_completions.d/regtag.fish

install: $(OUT)/regtag $(OUT)/libregtag.a $(OUT)/libregtag-posix.a $(OUT)/regtag.pc $(amalgamated)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(patsubst %,$(DESTDIR)$(PREFIX)/share/%,$(dir $(completions)))
	install -m 755 $(OUT)/regtag $(DESTDIR)$(PREFIX)/bin/regtag
	$(STRIP) $(DESTDIR)$(PREFIX)/bin/regtag
	install -m 644 src/regtag.1 $(DESTDIR)$(PREFIX)/share/man/man1/regtag.1
	install -m 644 $(patsubst %,build/amalgamation/regtag%.h,'' _address _sockets _blocking) $(DESTDIR)$(PREFIX)/include
	install -m 644 $(OUT)/libregtag.a $(OUT)/libregtag-posix.a $(DESTDIR)$(LIBDIR)
	install -m 644 $(OUT)/regtag.pc $(DESTDIR)$(LIBDIR)/pkgconfig/regtag.pc
	$(foreach one,$(completions),install -m 644 src/completions/$(patsubst regtag,regtag.bash,$(notdir $(one))) $(DESTDIR)$(PREFIX)/share/$(one) &&) :

$(OUT)/regtag.pc: FORCE
	mkdir -p $(@D)
	printf '%s\n' 'Name: regtag' 'Description: retags container images in a registry' \
	    'Version: $(VERSION)' 'Libs: -L$(LIBDIR) -lregtag-posix -lregtag' 'Cflags: -I$(PREFIX)/include' >$@

clean:
	rm -rf build

help:
	sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

.PHONY: adversity all amalgamation examples lib probe check check-all check-coverage check-debian check-package check-small clean coverage demo deps figures fuzz fuzz-afl help install lint mutable mutants objects packages verbs \
    targets toolchain vectors FORCE archive check-targets debian dist source $(boards:%=vectors/%) \
    $(foreach kind,'' -plain -tag -plain-tag,$(boards:%=targets/%$(subst '',,$(kind)))) $(boards:%=toolchains/%)
.DELETE_ON_ERROR:
