#include "cli/attached.h"

#include <string.h>

#include "cli/session.h"
#include "oci/digest.h"
#include "oci/reference.h"

/* Of the tags that cosign makes of a digest. */
static const char *const SUFFIXES[] = {".sig", ".att", ".sbom"};
#define SUFFIX_COUNT (sizeof SUFFIXES / sizeof SUFFIXES[0])

static char *list[SAVE_IMAGES_MAX];
static int count;
static char text[SAVE_ATTACHED_MAX];
static size_t used;

bool attached_is_tag(const char *tag)
{
    if (strncmp(tag, "sha256-", 7) != 0 || strspn(tag + 7, "0123456789abcdef") != 64)
        return false;
    for (size_t i = 0; i < SUFFIX_COUNT; i++)
        if (strcmp(tag + DIGEST_SHA256_SIZE, SUFFIXES[i]) == 0)
            return true;
    return false;
}

static bool add(const char *reference, struct error *e)
{
    size_t size = strlen(reference) + 1;
    if (count == SAVE_IMAGES_MAX || size > sizeof text - used) {
        error_set(e, REGTAG_E_OTHER, "too much is attached for one run, after %u images and referrers",
                  (unsigned)count);
        return false;
    }
    memcpy(text + used, reference, size);
    list[count++] = text + used;
    used += size;
    return true;
}

/* The image's name, and what follows it. */
static void write_reference(char out[REFERENCE_MAX], const struct reference *image,
                            const char *separator, const char *rest, const char *suffix)
{
    struct writer w = writer_to(out, REFERENCE_MAX - 1);
    write_format(&w, "%.*s%s%s%s", SLICE_ARG(image->name), separator, rest, suffix);
    out[w.used] = '\0';
}

static struct regtag *begin(const char *platform, uint64_t deadline)
{
    struct regtag_config config = session_config(deadline);
    config.platform = platform;
    session_close();
    return session_operation(&config);
}

bool attached_digest(const char *image, const char *platform, uint64_t deadline,
                     char digest[DIGEST_MAX + 1], struct error *e)
{
    struct regtag *r = begin(platform, deadline);
    enum regtag_event event = REGTAG_WAIT;
    regtag_digest(r, image);
    while (event != REGTAG_DONE && event != REGTAG_ERROR)
        event = session_step(r);
    if (session_operation_ok(r, e))
        memcpy(digest, regtag_result(r)->digest, strlen(regtag_result(r)->digest) + 1);
    return e->status == 0;
}

/* The tag sha256-HEX and the suffix, if there is one, and it does not point to the image itself. */
static bool add_tag(const struct reference *image, const char *digest, const char *suffix,
                    uint64_t deadline, struct error *e)
{
    char reference[REFERENCE_MAX], found[DIGEST_MAX + 1];
    write_reference(reference, image, ":sha256-", digest + sizeof "sha256:" - 1, suffix);
    if (attached_digest(reference, NULL, deadline, found, e))
        return strcmp(found, digest) == 0 || add(reference, e);
    if (e->status == REGTAG_E_NOT_FOUND)
        error_clear(e);
    return e->status == 0;
}

static bool add_cosign_tags(const struct reference *image, const char *digest, uint64_t deadline,
                            struct error *e)
{
    bool good = true;
    for (size_t i = 0; good && i < SUFFIX_COUNT; i++)
        good = add_tag(image, digest, SUFFIXES[i], deadline, e);
    return good;
}

static bool add_referrers(const struct reference *image, const char *digest, uint64_t deadline,
                          struct error *e)
{
    char reference[REFERENCE_MAX];
    struct regtag *r = begin(NULL, deadline);
    enum regtag_event event = REGTAG_WAIT;
    write_reference(reference, image, "@", digest, "");
    regtag_referrers(r, reference, NULL);
    while (event != REGTAG_DONE && event != REGTAG_ERROR && !e->status) {
        event = session_step(r);
        if (event != REGTAG_LISTED)
            continue;
        write_reference(reference, image, "@", regtag_result(r)->digest, "");
        if (digest_is_sha256(slice_of(regtag_result(r)->digest)))
            add(reference, e);
        else
            error_set(e, REGTAG_E_REFUSED, "%s is attached to it: only sha256 digests can be checked",
                      reference);
    }
    return !e->status && session_operation_ok(r, e);
}

bool attached_list(const char *image, const char *digest, uint64_t deadline, struct attached *attached,
                   struct error *e)
{
    struct reference r;
    count = 0;
    used = 0;
    bool good = reference_parse(&r, slice_of(image), e) && add_tag(&r, digest, "", deadline, e) &&
                add_referrers(&r, digest, deadline, e) && add_cosign_tags(&r, digest, deadline, e);
    *attached = (struct attached){list, count};
    return good;
}

static bool add_attached(const struct options *o, const char *argument, uint64_t deadline,
                         struct error *e)
{
    struct reference image;
    char digest[DIGEST_MAX + 1];
    return reference_parse(&image, slice_of(argument), e) && session_login_next(argument, deadline, e) &&
           attached_digest(argument, o->platform, deadline, digest, e) &&
           add_referrers(&image, digest, deadline, e) && add_cosign_tags(&image, digest, deadline, e);
}

bool attached_add(struct options *o, uint64_t deadline, struct error *e)
{
    int images = o->count;
    count = images;
    memcpy(list, o->arguments, (size_t)images * sizeof list[0]);
    for (int i = 0; i < images && !e->status; i++)
        add_attached(o, list[i], deadline, e);
    o->arguments = list;
    o->count = count;
    return e->status == 0;
}
