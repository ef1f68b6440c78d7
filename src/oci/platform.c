#include "oci/platform.h"

#include <string.h>

#include "base/sizes.h"

struct platform {
    struct slice os, architecture, variant; /* the last may be empty */
};

/* The same, as values of a document, or NO_VALUE. */
struct entry {
    int os, architecture, variant;
};

bool platform_valid(struct slice text)
{
    int parts = 0;
    for (; text.data && parts < 4; parts++)
        if (!slice_is_word(slice_split(&text, '/'), "._-"))
            return false;
    return parts == 2 || parts == 3;
}

static struct platform platform_parse(struct slice text)
{
    struct platform p;
    p.os = slice_split(&text, '/');
    p.architecture = slice_split(&text, '/');
    p.variant = text;
    return p;
}

/* Need not look at `alike`: manifest_check has refused such members. */
static struct entry entry_of(const struct document *d, int descriptor)
{
    struct entry entry;
    bool alike = false;
    int value = document_member(d, descriptor, SLICE("platform"), &alike);
    entry.os = document_member(d, value, SLICE("os"), &alike);
    entry.architecture = document_member(d, value, SLICE("architecture"), &alike);
    entry.variant = document_member(d, value, SLICE("variant"), &alike);
    return entry;
}

static bool matches(const struct document *d, const struct entry *entry, const struct platform *wanted)
{
    return document_is_text(d, entry->os, wanted->os) &&
           document_is_text(d, entry->architecture, wanted->architecture) &&
           (wanted->variant.size == 0 || document_is_text(d, entry->variant, wanted->variant));
}

static void write_entry(struct writer *w, const struct document *d, const struct entry *entry)
{
    struct slice variant = document_string(d, entry->variant);
    write_format(w, "%s%.*s/%.*s%s%.*s", w->used ? ", " : "", SLICE_ARG(document_string(d, entry->os)),
                 SLICE_ARG(document_string(d, entry->architecture)), variant.size ? "/" : "",
                 SLICE_ARG(variant));
}

/* The result of a search; `all` and `matching` list platforms for the message. */
struct found {
    unsigned count;
    struct slice digest;
    struct writer all, matching;
    char all_text[PLATFORMS_TEXT_MAX], matching_text[PLATFORMS_TEXT_MAX];
};

static void search(const struct document *d, const struct platform *wanted, struct found *found)
{
    bool alike = false;
    int children = document_member(d, 0, SLICE("manifests"), &alike);
    found->all = writer_to(found->all_text, sizeof found->all_text);
    found->matching = writer_to(found->matching_text, sizeof found->matching_text);
    for (int i = document_first(d, children); i != NO_VALUE; i = document_next(d, i)) {
        struct entry entry = entry_of(d, i);
        struct slice digest = document_string(d, document_member(d, i, SLICE("digest"), &alike));
        if (document_string(d, entry.os).size == 0 || document_is_text(d, entry.os, SLICE("unknown")))
            continue; /* an attestation */
        write_entry(&found->all, d, &entry);
        if (!matches(d, &entry, wanted))
            continue;
        write_entry(&found->matching, d, &entry);
        found->count += found->count == 0 || !slice_equal(digest, found->digest);
        found->digest = digest;
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
    struct found found = {.count = 0};
    if (type->kind != MANIFEST_INDEX)
        return fail(error_hint(e, REGTAG_HINT_PLATFORM), REGTAG_E_NOT_FOUND, platform,
                    "this is not an index, so there is nothing to choose from", SLICE(""));
    if (!document_index(&d, manifest, memory, "the manifest", e))
        return false;
    search(&d, &wanted, &found);
    if (found.count == 0)
        return fail(e, REGTAG_E_NOT_FOUND, platform, "the index has only ", written(&found.all));
    if (found.count > 1)
        return fail(e, REGTAG_E_REFUSED, platform,
                    "the index has several; say which: ", written(&found.matching));
    if (!digest_is_sha256(found.digest))
        return fail(e, REGTAG_E_REFUSED, platform, "it has a digest that cannot be checked", SLICE(""));
    memcpy(digest, found.digest.data, found.digest.size);
    digest[found.digest.size] = '\0';
    return true;
}
