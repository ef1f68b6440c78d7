#include "cli/attached.h"

#include <string.h>

#include "cli/session.h"
#include "oci/digest.h"
#include "oci/reference.h"

static char *arguments[SAVE_IMAGES_MAX];
static char text[SAVE_ATTACHED_MAX];
static size_t used;

static bool add(struct options *o, const char *reference, struct error *e)
{
    size_t size = strlen(reference) + 1;
    if (o->count == SAVE_IMAGES_MAX || size > sizeof text - used) {
        error_set(e, REGTAG_E_OTHER,
                  "too much is attached to the images for one archive; save fewer at a time");
        return false;
    }
    memcpy(text + used, reference, size);
    arguments[o->count++] = text + used;
    used += size;
    return true;
}

/* The image's name, and what is behind it. */
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

static enum regtag_status find_digest(const char *image, const char *platform, uint64_t deadline,
                                      char digest[DIGEST_MAX + 1], struct error *e)
{
    struct regtag *r = begin(platform, deadline);
    enum regtag_event event = REGTAG_WAIT;
    regtag_digest(r, image);
    while (event != REGTAG_DONE && event != REGTAG_ERROR)
        event = session_step(r);
    if (session_operation_ok(r, e))
        memcpy(digest, regtag_result(r)->digest, strlen(regtag_result(r)->digest) + 1);
    return (enum regtag_status)e->status;
}

static bool add_tags(struct options *o, const struct reference *image, const char *digest,
                     uint64_t deadline, struct error *e)
{
    static const char *const SUFFIXES[] = {".sig", ".att", ".sbom"};
    char reference[REFERENCE_MAX], found[DIGEST_MAX + 1];
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0] && !e->status; i++) {
        write_reference(reference, image, ":sha256-", digest + sizeof "sha256:" - 1, SUFFIXES[i]);
        enum regtag_status status = find_digest(reference, NULL, deadline, found, e);
        if (status == REGTAG_E_NOT_FOUND)
            error_clear(e);
        else if (status == REGTAG_OK)
            add(o, reference, e);
    }
    return e->status == 0;
}

static bool add_referrers(struct options *o, const struct reference *image, const char *digest,
                          uint64_t deadline, struct error *e)
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
        add(o, reference, e);
    }
    return !e->status && session_operation_ok(r, e);
}

static bool add_attached(struct options *o, const char *argument, uint64_t deadline, struct error *e)
{
    struct reference image;
    char digest[DIGEST_MAX + 1];
    return reference_parse(&image, slice_of(argument), e) && session_login_next(argument, deadline, e) &&
           find_digest(argument, o->platform, deadline, digest, e) == REGTAG_OK &&
           add_referrers(o, &image, digest, deadline, e) && add_tags(o, &image, digest, deadline, e);
}

bool attached_add(struct options *o, uint64_t deadline, struct error *e)
{
    int count = o->count;
    memcpy(arguments, o->arguments, (size_t)count * sizeof arguments[0]);
    o->arguments = arguments;
    for (int i = 0; i < count && !e->status; i++)
        add_attached(o, arguments[i], deadline, e);
    return e->status == 0;
}
