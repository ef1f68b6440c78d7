#!/bin/sh
# What is said to make: a switch is 1 or 0, and anything else is refused, as is a verb that there is none of; `make deps` has every goal's packages and the
# compiler of every target.
set -eu

make() { "${MAKE:-/usr/bin/make}" --no-print-directory -n "$@" 2>&1; }
unset MAKEFLAGS MAKEOVERRIDES TLS VERIFY QUICK V SAN VERBS

for wrong in TLS=no TLS= VERIFY= VERIFY=no TLS=2 'TLS=1 0' TLS=off V=yes QUICK=true; do
    ! said=$(make clean "$wrong") || { echo "make $wrong is not refused"; exit 1; }
    echo "$said" | grep -q "must be 1 or 0" || { echo "make $wrong: $said"; exit 1; }
done
for right in TLS=0 TLS=1 V=0 V= QUICK=0 QUICK=; do
    make clean "$right" >/dev/null || { echo "make $right is refused"; exit 1; }
done
! QUICK=0 make -o packages check | grep -q 'QUICK=[^ ]' || { echo "QUICK=0 is taken for 1"; exit 1; }

for wrong in 'VERBS=tag frobnicate' VERBS= 'VERBS= ' VERBS=Tag; do
    ! said=$(make clean "$wrong") || { echo "make $wrong is not refused"; exit 1; }
    echo "$said" | grep -q "VERBS.* tag copy " || { echo "make $wrong: $said"; exit 1; }
done
files=$(for file in src/cli/verb_*.c; do basename "${file#*verb_}" .c; done | sort | xargs)
known=$(make -s verbs | sed 's/^echo //' | tr ' ' '\n' | sort | xargs)
[ "$files" = "$known" ] || { echo "src/cli has $files, and cli/verb.h $known"; exit 1; }

wanted=$(make deps)
for package in $(sed -n 's/^[a-z-]*_needs *:= *//p' Makefile | tr ' ' '\n' | grep -v '\$') \
    $(sed -n 's/^triple *:= */gcc-/p' toolchains/*.mk | tr _ - | grep -v "^gcc-$(uname -m | tr _ -)-"); do
    echo " $wanted " | tr '\n' ' ' | grep -qF " $package " || { echo "make deps lacks $package"; exit 1; }
done
