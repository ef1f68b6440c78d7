#include "oci/platform.h"

#include <string.h>

#include "base/sizes.h"

struct platform {
    struct slice os, architecture, variant; /* the last may be empty */
};

bool platform_valid(struct slice text)
{
    int parts = 0;
    for (; text.data; parts++)
        if (!slice_is_word(slice_split(&text, '/'), "._-"))
            return false;
    return parts == 2 || parts == 3;
}

/* ---- Names: as containerd's normalization has them --------------------------------------------- */

/* Other names of an architecture, as uname and Debian have them. */
static const struct {
    char alias[8], name[6], variant[3];
} ALIASES[] = {
    {"aarch64", "arm64", ""}, {"x86_64", "amd64", ""}, {"x86-64", "amd64", ""},
    {"i386", "386", ""},      {"armhf", "arm", "v7"},  {"armel", "arm", "v6"},
};

/* One name for each architecture, and a variant without its "v". */
static void normalize(struct platform *p)
{
    for (size_t i = 0; i < sizeof ALIASES / sizeof ALIASES[0]; i++)
        if (slice_equal(p->architecture, slice_of(ALIASES[i].alias))) {
            p->architecture = slice_of(ALIASES[i].name);
            if (*ALIASES[i].variant)
                p->variant = slice_of(ALIASES[i].variant);
            break;
        }
    if (slice_starts(p->variant, SLICE("v")))
        p->variant = slice_from(p->variant, 1);
}

static struct platform platform_parse(struct slice text)
{
    struct platform p;
    p.os = slice_split(&text, '/');
    p.architecture = slice_split(&text, '/');
    p.variant = text;
    normalize(&p);
    return p;
}

/* The variant that is meant where none is written. */
static struct slice variant_or_default(const struct platform *p)
{
    if (p->variant.size)
        return p->variant;
    if (slice_equal(p->architecture, SLICE("arm64")))
        return SLICE("8");
    return slice_equal(p->architecture, SLICE("arm")) ? SLICE("7") : SLICE("1");
}

enum match { NO_MATCH, OTHER_VARIANT, SAME_BY_DEFAULT, SAME };

static enum match match(const struct platform *entry, const struct platform *wanted)
{
    if (!slice_equal(entry->os, wanted->os) || !slice_equal(entry->architecture, wanted->architecture))
        return NO_MATCH;
    if (slice_equal(entry->variant, wanted->variant))
        return SAME;
    if (slice_equal(variant_or_default(entry), variant_or_default(wanted)))
        return SAME_BY_DEFAULT;
    return wanted->variant.size ? NO_MATCH : OTHER_VARIANT;
}

/* ---- The entries of an index -------------------------------------------------------------------- */

/* A descriptor and the members of its platform, as values of a document, or NO_VALUE. */
struct entry {
    int digest, os, architecture, variant, version;
};

/* Need not look at `alike`: manifest_check has refused such members. */
static struct entry entry_of(const struct document *d, int descriptor)
{
    struct entry entry;
    bool alike = false;
    int value = document_member(d, descriptor, SLICE("platform"), &alike);
    entry.digest = document_member(d, descriptor, SLICE("digest"), &alike);
    entry.os = document_member(d, value, SLICE("os"), &alike);
    entry.architecture = document_member(d, value, SLICE("architecture"), &alike);
    entry.variant = document_member(d, value, SLICE("variant"), &alike);
    entry.version = document_member(d, value, SLICE("os.version"), &alike);
    return entry;
}

/* Without escapes; poisons the writer if that is not possible. */
static struct slice unescaped(const struct document *d, int value, struct writer *w)
{
    size_t start = w->used;
    if (document_is_string(d, value) && !document_write(d, value, w))
        w->overflow = true;
    return slice_from(written(w), start);
}

static enum match match_entry(const struct document *d, const struct entry *entry,
                              const struct platform *wanted)
{
    char text[PLATFORM_TEXT_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct platform p;
    p.os = unescaped(d, entry->os, &w);
    p.architecture = unescaped(d, entry->architecture, &w);
    p.variant = unescaped(d, entry->variant, &w);
    normalize(&p);
    return w.overflow ? NO_MATCH : match(&p, wanted);
}

/* Adds "OS/ARCH/VARIANT VERSION DIGEST" to a list. Does not cut it in two. */
static void list_entry(struct writer *w, const struct document *d, const struct entry *entry,
                       struct slice digest)
{
    struct slice os = document_string(d, entry->os);
    struct slice variant = document_string(d, entry->variant);
    struct slice version = document_string(d, entry->version);
    size_t start = w->used;
    write_format(w, "%s%.*s%s%.*s%s%.*s%s%.*s%s%.*s", start ? ", " : "", SLICE_ARG(os),
                 os.size ? "/" : "", SLICE_ARG(document_string(d, entry->architecture)),
                 variant.size ? "/" : "", SLICE_ARG(variant), version.size ? " " : "",
                 SLICE_ARG(version), os.size && digest.size ? " " : "", SLICE_ARG(digest));
    if (w->overflow)
        w->used = start;
}

void platform_list(struct writer *w, const struct document *d, int child)
{
    struct entry entry = entry_of(d, child);
    list_entry(w, d, &entry, document_string(d, entry.digest));
}

/* ---- The search --------------------------------------------------------------------------------- */

/* The result; `all` and `best` list entries for the message. */
struct found {
    enum match match;
    unsigned count; /* different digests that match equally well */
    struct slice digest;
    struct writer all, best;
    char all_text[PLATFORMS_TEXT_MAX], best_text[PLATFORMS_TEXT_MAX];
};

static void on_match(struct found *found, const struct document *d, const struct entry *entry,
                     enum match match)
{
    struct slice digest = document_string(d, entry->digest);
    if (match > found->match) {
        found->match = match;
        found->count = 0;
        found->best = writer_to(found->best_text, sizeof found->best_text);
    }
    if (found->count && slice_equal(digest, found->digest))
        return;
    list_entry(&found->best, d, entry, digest);
    found->count++;
    found->digest = digest;
}

static void search(const struct document *d, const struct platform *wanted, struct found *found)
{
    bool alike = false;
    int children = document_member(d, 0, SLICE("manifests"), &alike);
    found->all = writer_to(found->all_text, sizeof found->all_text);
    for (int i = document_first(d, children); i != NO_VALUE; i = document_next(d, i)) {
        struct entry entry = entry_of(d, i);
        if (document_string(d, entry.os).size == 0 || document_is_text(d, entry.os, SLICE("unknown")))
            continue; /* an attestation */
        list_entry(&found->all, d, &entry, SLICE(""));
        enum match quality = match_entry(d, &entry, wanted);
        if (quality != NO_MATCH && quality >= found->match)
            on_match(found, d, &entry, quality);
    }
}

static bool fail(struct error *e, int status, struct slice platform, const char *problem,
                 struct slice platforms)
{
    error_set(e, status, "no image for %.*s: %s%.*s", SLICE_ARG(platform), problem,
              SLICE_ARG(platforms));
    return false;
}

bool platform_child(struct slice manifest, const struct media_type *type,
                    const struct document_memory *memory, struct slice platform,
                    char digest[DIGEST_SHA256_SIZE + 1], struct error *e)
{
    struct document d;
    struct platform wanted = platform_parse(platform);
    struct found found = {.match = NO_MATCH};
    if (type->kind != MANIFEST_INDEX)
        return fail(error_hint(e, REGTAG_HINT_PLATFORM), REGTAG_E_NOT_FOUND, platform,
                    "the image is not an index", SLICE(""));
    document_index_again(&d, manifest, memory);
    search(&d, &wanted, &found);
    if (found.count == 0)
        return fail(e, REGTAG_E_NOT_FOUND, platform, "the index has only ", written(&found.all));
    if (found.count > 1)
        return fail(e, REGTAG_E_REFUSED, platform,
                    "several match equally well; choose one by its digest: ", written(&found.best));
    if (!digest_is_sha256(found.digest))
        return fail(e, REGTAG_E_REFUSED, platform, "it has a digest that cannot be checked", SLICE(""));
    memcpy(digest, found.digest.data, found.digest.size);
    digest[found.digest.size] = '\0';
    return true;
}

void platform_is_missing(struct slice manifest, const struct document_memory *memory, struct error *e)
{
    struct document d;
    struct platform any = {.variant = SLICE_INIT("")};
    struct found found = {.match = NO_MATCH};
    document_index_again(&d, manifest, memory);
    search(&d, &any, &found);
    if (found.all.used == 0)
        error_set(e, REGTAG_E_USAGE,
                  "the image is an index without platforms; choose one of its images by the digest");
    else
        error_set(error_hint(e, REGTAG_HINT_CHOOSE), REGTAG_E_USAGE,
                  "the image is an index, with one image for each platform: %.*s",
                  SLICE_ARG(written(&found.all)));
}
