/* What the verbs share: struct regtag, and helpers to begin, report and end an operation.
 *
 * A verb is one file: its states in an enum, its data in a struct, a function for each state, and the
 * public call that installs it. Only one verb runs at a time, so their structs share one block of
 * memory. Parts that several verbs need are state machines of their own, which a verb embeds in its
 * struct and steps: resolve.h, manifest_fetch.h, blob_fetch.h, tag_pages.h. README.md has the state
 * diagrams of all of them. */
#ifndef REGTAG_REGISTRY_VERB_H
#define REGTAG_REGISTRY_VERB_H

#include "base/debug.h"
#include "base/names.h"
#include "client/client.h"
#include "oci/manifest.h"
#include "oci/schema_version.h"
#include "registry/meanings.h"

#define GO_ON ((enum regtag_event)(-1))

struct verb {
    const char *actions; /* on the repository: the scope to ask a token for */
    bool of_repository;  /* it takes a repository, not an image */
    bool of_two;         /* it has a client for each of two repositories */
    /* Runs the current state. Returns an event to report to the caller, REGTAG_WAIT if it has to wait,
     * or GO_ON to be called again at once. */
    enum regtag_event (*step)(struct regtag *r);
    /* NULL if it returns neither REGTAG_UPLOAD nor REGTAG_BYTES. Tags that were not announced yet fail for
     * this reason, and so does the one that was just announced; or the blob, and it alone. */
    void (*decline)(struct regtag *r, const struct error *reason);
};

/* Where tags must point for them to be touched (guard.h). */
struct guards {
    struct names by_name;
    const char *for_all; /* NULL, or the guard of tags without one of their own */
    /* Of the guarded tag that was looked up last, as it came; "" if it had none that is strong. */
    char etag[ETAG_MAX + 1];
};

struct regtag {
    const struct verb *verb; /* NULL until one is chosen */
    const struct gate *gate; /* NULL: images need not be signed (signatures.h) */
    bool started;            /* the first step has set the deadline */
    bool over;
    uint64_t deadline;
    const struct resolve *hashing; /* the only one that computes a digest, or NULL, */
    struct schema_version version; /* and what it reads */
    bool hash_taken;               /* it was used for the image since that has begun */
    unsigned resolve_by_get;       /* how many more tags to look up by GET, because HEAD was of no use */
    const struct media_type *media_type;
    char *manifest;
    size_t manifest_size, manifest_max;
    struct document_scan scan; /* of the manifest */
    struct blob_fetch *blob;   /* that the caller has chosen; or NULL */
    struct slice bytes;        /* of it, for regtag_bytes, */
    uint64_t bytes_at;         /* and their offset */

    struct regtag_result result;
    struct regtag_config config;
    struct regtag_side side; /* of the registry, or of the source */
    struct reference reference;
    /* Where the image comes from: `reference` and `client`, unless it is copied. */
    struct reference *image;
    struct client *source;
    const struct provider *provider; /* of what is uploaded with all it refers to */
    char *buffers;                   /* for what is read from the store: one for each hash, */
    size_t buffer_size;              /* of this size */
    struct guards guards;

    char digest[DIGEST_MAX + 1]; /* of the manifest */
    struct document_memory memory;

    struct error result_error; /* of the current result */
    struct error error;        /* of the operation: the first one */
    struct error problem;      /* scratch: what went wrong in the current state */
    struct error unknown;      /* why a tag could not be resolved (resolve.h) */

    struct connection *connections;
    struct client client;

    union {
        uint64_t number;
        void *pointer;
        char bytes[VERB_MEMORY];
    } verb_memory;
};

/* Fails to compile if a verb's struct does not fit in the shared memory. */
#define VERB_FITS(type) typedef char type##_fits[sizeof(struct type) <= VERB_MEMORY ? 1 : -1]

/* ---- Beginning -------------------------------------------------------------------------------- */

/* Installs a verb in state 0, zeroes the first `size` bytes of its memory, and parses the reference:
 * any, or for verb_begin_image one whose digest, if it has one, must be a SHA-256, the only kind that
 * can be checked. Both return REGTAG_OK, or REGTAG_E_USAGE with r->error set. */
enum regtag_status verb_begin(struct regtag *r, const struct verb *verb, size_t size, const char *text);
enum regtag_status verb_begin_image(struct regtag *r, const struct verb *verb, size_t size,
                                    const char *image);

/* For a verb with two references: parses one; false, with r->error set, if it is not valid. And has a client turn to it
 * (remote_turn_to); both are borrowed. */
bool verb_read_reference(struct regtag *r, struct reference *f, const char *text);
void verb_connect(struct client *c, const struct reference *f, const char *actions);

/* Fails the operation for bad usage: sets r->error, and the verb will not be stepped any more. */
#define VERB_USAGE(r, ...) (error_set(&(r)->error, REGTAG_E_USAGE, __VA_ARGS__), verb_is_unusable(r))
enum regtag_status verb_is_unusable(struct regtag *r);

/* Whether there is a client for the source, apart from that of the target. */
bool verb_has_two(const struct regtag *r);

/* ---- Ending ----------------------------------------------------------------------------------- */

/* End the operation, with success or with `problem`, to which verb_failed adds the reference. */
enum regtag_event verb_done(struct regtag *r);
enum regtag_event verb_failed(struct regtag *r, const struct error *problem);

/* Sets `whole` to `problem`, prefixed with the reference as the user wrote it, with `tag` in place of
 * its own unless that is NULL. Masks our secrets, in case the server echoed them. */
void verb_describe(struct regtag *r, const char *tag, const struct error *problem, struct error *whole);

/* Records the outcome of the current tag in r->result, with a message if `problem` is not NULL. The
 * message names `tag`, or the image as a whole if that is NULL. Returns REGTAG_SETTLED. */
enum regtag_event verb_settle(struct regtag *r, enum regtag_outcome outcome, const char *tag,
                              const struct error *problem);

/* Resets r->result for the next tag. */
void verb_begin_result(struct regtag *r, const char *tag, const char *digest);

/* Returns r->problem, cleared. */
struct error *verb_problem(struct regtag *r);

/* The registry confirms an upload as another digest than that of the manifest: r->problem. */
struct error *verb_other_digest(struct regtag *r, struct slice confirmed);

/* Whether the caller wants a tag in a list. */
bool verb_wants(const struct regtag *r, const char *tag);

/* ---- While running ---------------------------------------------------------------------------- */

/* Trace output: remote_tell for the current operation. */
#define VERB_TELL(r, ...) remote_tell(&(r)->client.remote, __VA_ARGS__)

/* The digest of the image's reference, which takes precedence, or else its tag. */
struct slice verb_wanted(const struct regtag *r);

/* Whether it is pointless to go on, since the registry is unreachable or time is up; sets *e to the
 * reason. */
bool verb_cannot_go_on(const struct regtag *r, struct error *e);

#endif
