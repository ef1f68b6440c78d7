/* What the verbs share: the operation they are part of, and the few things that each of them does.
 *
 * A verb is one file: its states in an enum, its data in a struct, a function for each state, and the public call that
 * installs it. Only one verb runs at a time, so all of them share one block of memory. What is not about one verb alone is
 * a machine of its own, with a header of its own, which a verb keeps in its struct and steps: resolve.h, manifest_fetch.h,
 * tag_pages.h. README.md shows the states of all of them. */
#ifndef REGTAG_REGISTRY_VERB_H
#define REGTAG_REGISTRY_VERB_H

#include "base/debug.h"
#include "base/names.h"
#include "client/client.h"
#include "oci/manifest.h"
#include "registry/meanings.h"

#define GO_ON ((enum regtag_event)(-1))

struct verb {
    const char *actions; /* on the repository, that a token has to allow */
    bool of_repository;  /* it is about a repository, not about an image in it */
    /* Does what its state demands, and returns the event to be handed out, REGTAG_WAIT if there is nothing more to do in
     * this step, or GO_ON to be called again at once. */
    enum regtag_event (*step)(struct regtag *r);
};

/* Where tags must point for them to be touched, by tag. (guard.h) */
struct guards {
    struct names by_name;
    const char *for_all; /* NULL, or that for all tags that have none of their own */
};

struct regtag {
    struct regtag_config config;
    const struct verb *verb; /* NULL: nothing was asked for yet */
    bool started;            /* the first step has been made: the deadline is known */
    bool over;
    uint64_t deadline;

    struct reference reference;
    struct regtag_result result;
    struct error result_error; /* of the result at hand */
    struct error error;        /* the first one: that of the whole operation */
    struct error problem;      /* what has gone wrong in the state at hand */
    struct error unknown;      /* why the last tag that was resolved could not be (resolve.h) */
    bool resolve_by_get;       /* HEAD does not say where tags point */
    struct guards guards;

    char digest[DIGEST_MAX + 1]; /* of the manifest */
    const struct media_type *media_type;
    char *manifest;
    size_t manifest_size, manifest_max;
    struct document_memory memory;

    union {
        uint64_t number;
        void *pointer;
        char bytes[VERB_MEMORY];
    } verb_memory;
    struct client client;
};

/* Does not compile where a verb's struct is larger than the memory for it. */
#define VERB_FITS(type) typedef char type##_fits[sizeof(struct type) <= VERB_MEMORY ? 1 : -1]

/* ---- Beginning -------------------------------------------------------------------------------- */

/* Installs a verb and clears `size` bytes of its memory; its first state is 0. Then reads what the user named: a
 * repository with or without a tag or digest, or an image, whose digest must be one that can be checked. Both return
 * REGTAG_OK, or REGTAG_USAGE with r->error set. */
enum regtag_status verb_begin(struct regtag *r, const struct verb *verb, size_t size, const char *text);
enum regtag_status verb_begin_image(struct regtag *r, const struct verb *verb, size_t size,
                                    const char *image);

/* Something in what the user asked for makes no sense: sets r->error to that. The operation cannot be stepped then. */
#define VERB_USAGE(r, ...) (error_set(&(r)->error, REGTAG_USAGE, __VA_ARGS__), verb_is_unusable(r))
enum regtag_status verb_is_unusable(struct regtag *r);

/* ---- Ending ----------------------------------------------------------------------------------- */

/* The operation is over, well or with this problem; `problem` is described first. */
enum regtag_event verb_done(struct regtag *r);
enum regtag_event verb_failed(struct regtag *r, const struct error *problem);

/* Sets `whole` to a problem with what it is about in front: the reference as the user wrote it, with `tag` in place of
 * its own unless that is NULL. What a server repeats of our secrets is masked. */
void verb_describe(struct regtag *r, const char *tag, const struct error *problem, struct error *whole);

/* What becomes of the tag at hand, in r->result: with a message unless `problem` is NULL, which is about `tag`, or
 * NULL for the image as a whole. Returns REGTAG_SETTLED. */
enum regtag_event verb_settle(struct regtag *r, enum regtag_outcome outcome, const char *tag,
                              const struct error *problem);

/* Begins the result for another tag. */
void verb_begin_result(struct regtag *r, const char *tag, const char *digest);

/* Memory for what goes wrong in a state, cleared: r->problem. */
struct error *verb_problem(struct regtag *r);

/* ---- On the way ------------------------------------------------------------------------------- */

/* Tells something on the way, as remote_tell. */
#define VERB_TELL(r, ...) remote_tell(&(r)->client.remote, __VA_ARGS__)

/* What the reference asks for: its digest, which wins over a tag, or its tag. */
struct slice verb_wanted(const struct regtag *r);

/* Whether nothing more can come of it: there was no way to the registry, or there is no time. Then sets e to why. */
bool verb_cannot_go_on(const struct regtag *r, struct error *e);

#endif
