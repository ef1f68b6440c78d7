/* regtag: gives an image in a container registry another tag.
 *
 * This header is all that a program includes to do what the command does. What holds for all of it:
 *
 * Memory. The library allocates nothing. One operation lives in one block of memory that the caller
 * owns, of regtag_size() bytes, aligned as malloc would align it; two operations are two blocks and
 * know nothing of each other. Strings handed in (image, names) are read, not copied: they must stay
 * until the operation is over. Strings handed out are NUL-terminated, belong to the operation and
 * stay until the next call of regtag_step.
 *
 * Input and output. The library has no sockets, files, clock, randomness or hash of its own. The
 * caller hands in a transport that never blocks, the time in milliseconds of a clock that never runs
 * backwards, random bytes, and a SHA-256. Names are resolved by whoever opens the connections.
 *
 * Errors. Every function that can fail answers with an enum regtag_status; the numbers are those of
 * the command's exit status and never change their meaning. regtag_error() has the message to it:
 * one line that says what was wrong, where, and mostly what to do. It may hold text that a server
 * sent, control characters included: escape it before it meets a terminal.
 *
 * Threads. Nothing is shared and nothing is global: any thread may work on any operation, one at a
 * time.
 *
 * The order of calls: regtag_init, one of regtag_tag, regtag_delete, regtag_list, regtag_digest and
 * regtag_manifest, then regtag_step until it answers REGTAG_DONE or REGTAG_ERROR. The same block
 * then takes the next operation, beginning with regtag_init; or, to ask for a digest over and over,
 * with regtag_again. */
#ifndef REGTAG_H
#define REGTAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum regtag_status {
    REGTAG_OK = 0,            /* done, and confirmed */
    REGTAG_OTHER = 1,         /* failed in a way that has no number of its own */
    REGTAG_USAGE = 2,         /* a bad option, reference or tag */
    REGTAG_NOT_FOUND = 3,     /* no such image, tag or repository */
    REGTAG_DENIED = 4,        /* not authenticated, or not allowed */
    REGTAG_NO_CONNECTION = 5, /* the host was not found or not reached, or the connection was lost */
    REGTAG_TIMEOUT = 6,       /* connected, but no complete answer by the deadline */
    REGTAG_UNTRUSTED = 7,     /* TLS: the peer could not be trusted */
    REGTAG_BAD_DATES = 8,     /* TLS: nothing but the dates is wrong */
    REGTAG_PROTOCOL = 9,      /* the server answered what cannot be understood */
    REGTAG_REFUSED = 10,   /* the manifest: invalid, ambiguous, too large, not the digest it should be */
    REGTAG_SCHEMA1 = 11,   /* the image exists only as schema 1 */
    REGTAG_GUARD = 12,     /* a guard did not hold */
    REGTAG_IMMUTABLE = 13, /* the registry forbids moving the tag */
    REGTAG_SLOW_DOWN = 14, /* the registry asks to slow down */
    REGTAG_NOT_CONFIRMED = 15, /* uploaded, but the registry confirms another digest */
    REGTAG_CREDENTIALS = 16,   /* the file or helper with the credentials is unusable */
    REGTAG_SERVER_FAILED = 17, /* a 5xx answer */
    REGTAG_UNCERTAIN = 18      /* an upload was sent, no answer came, and a second look failed */
};

/* ---- What the caller provides ---------------------------------------------------------------- */

/* SHA-256 (FIPS 180-4). Each function returns 0 when it worked. One context serves one operation;
 * it is started again for every digest. */
struct regtag_hash {
    void *context;
    int (*start)(void *context);
    int (*update)(void *context, const void *bytes, size_t size);
    int (*finish)(void *context, unsigned char sum[32]);
};

/* Random bytes, so that many devices that failed together do not all try again together. They guard no
 * secret. Returns 0 when it worked. */
struct regtag_random {
    void *context;
    int (*bytes)(void *context, void *bytes, size_t size); /* may be NULL: waits are as long as may be */
};

/* Where a connection leads. */
struct regtag_origin {
    bool tls;
    uint16_t port;
    char host[256]; /* a name, an IPv4 address, or an IPv6 address without brackets */
};

/* How many connections an operation may hold at a time. Number 0 leads to the registry, number 1 to
 * whatever else the registry sends it to: a token server, or the target of a redirection. */
#define REGTAG_CONNECTIONS 2

/* What read and write return when they moved no byte. */
#define REGTAG_AGAIN (-1)  /* nothing to be had now: still connecting, or it would block */
#define REGTAG_CLOSED (-2) /* read: the peer has ended its side in good order; there will be no more */
#define REGTAG_FAILED (-3) /* the connection is unusable or could not be had; failure() says why */
#define REGTAG_CUT (-4)    /* read: as REGTAG_CLOSED, but TLS did not say that it was meant to end */

/* The connections. A connection may be read and written from the moment that regtag_step has asked
 * for it to be opened: until it is up, both return REGTAG_AGAIN. */
struct regtag_transport {
    void *context;
    /* Moves at most size bytes, size being at least 1; returns how many, or one of the above. */
    ptrdiff_t (*read)(void *context, unsigned connection, void *bytes, size_t size);
    ptrdiff_t (*write)(void *context, unsigned connection, const void *bytes, size_t size);
    /* Why REGTAG_FAILED was returned: a status and, in *text, what follows "HOST:PORT: " in the
     * message. The text stays until the connection is opened again. *lasting, false before, is set
     * when trying again would end the same. Also called when time is over and the connection is not
     * up yet: then it tells what it was waiting for. */
    enum regtag_status (*failure)(void *context, unsigned connection, const char **text, bool *lasting);
    /* May be NULL. Tells whether requests to an origin without TLS go through a proxy: NULL when they
     * don't, else the value of Proxy-Authorization, "" for none. */
    const char *(*proxy)(void *context, const struct regtag_origin *origin);
};

/* What the operation tells on its way, one line a call, without a newline; text of a server in it is
 * as it came. */
enum regtag_trace {
    REGTAG_TRACE_REQUEST, /* a line of a request; secrets show as *** */
    REGTAG_TRACE_ANSWER,  /* a line of an answer */
    REGTAG_TRACE_NOTE,    /* a decision */
    REGTAG_TRACE_WARNING  /* something that the user should know even if all ends well */
};

/* Who asks. The strings are the caller's and must stay; NULL and "" mean that there is none. They are sent
 * to the registry's origin, and to the token server that it names, and nowhere else. */
struct regtag_credentials {
    const char *user, *password;
    const char *identity_token; /* changed into access tokens by the token server (OAuth 2) */
    const char *bearer_token;   /* an access token itself: sent as it is, never renewed */
};

/* The longest of each that are taken, in bytes. */
#define REGTAG_USER_MAX 255
#define REGTAG_PASSWORD_MAX 4096
#define REGTAG_TOKEN_MAX 16384

enum regtag_scheme {
    REGTAG_SCHEME_DEFAULT, /* plain HTTP for localhost, 127.0.0.0/8 and ::1, TLS for all others */
    REGTAG_SCHEME_PLAIN,
    REGTAG_SCHEME_TLS
};

/* The limits that fit everything; a device with less memory may choose less, for one operation in its
 * configuration, and for all by defining these when the library and what uses it are compiled. */
#ifndef REGTAG_MANIFEST_MAX
#define REGTAG_MANIFEST_MAX (4u * 1024 * 1024) /* bytes; the OCI distribution specification's limit */
#endif
#ifndef REGTAG_TOKENS_MAX /* JSON values and keys in a manifest, 24 bytes each; a layer takes 7 */
#define REGTAG_TOKENS_MAX (REGTAG_MANIFEST_MAX / 128u)
#endif

/* Enough memory for an operation with these limits, for those who want to set it aside when the program
 * is built; regtag_size() is exact. */
#define REGTAG_SIZE(manifest_max, tokens_max) ((manifest_max) + (tokens_max)*24u + REGTAG_STATE_MAX)
#define REGTAG_STATE_MAX (208u * 1024) /* bytes, all buffers but the manifest and its index */

struct regtag_config {
    size_t size; /* sizeof(struct regtag_config), so that header and library can be told apart */
    struct regtag_hash hash;
    struct regtag_transport transport;
    struct regtag_random random;
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;
    bool trace_wire;  /* whether the lines of requests and answers are wanted, too */
    uint64_t timeout; /* milliseconds for the whole operation, counted from the first step */
    /* 0, or the time, as regtag_step is told it, when the operation ends even if it has not lasted as long as its
     * timeout: what is left for it of something longer. */
    uint64_t deadline;
    uint64_t stall;   /* milliseconds without a byte that end an attempt; 0: only the timeout does */
    unsigned retries; /* how often a request is tried again that may fare better the next time */
    enum regtag_scheme scheme;
    struct regtag_credentials credentials;
    /* HOST or HOST:PORT of token servers that are trusted with the credentials although they are spoken
     * to in plain HTTP, or have a private address and the registry has none. */
    const char *const *allowed_realms;
    size_t allowed_realms_count;
    size_t manifest_max; /* bytes; 0 means REGTAG_MANIFEST_MAX */
    size_t tokens_max;   /* 0 means REGTAG_TOKENS_MAX */

    /* tag, digest, manifest: "OS/ARCH" or "OS/ARCH/VARIANT"; the image is an index, and its child for
     * this platform is meant. NULL and "": the image itself. */
    const char *platform;
    /* tag, delete: where a tag must point for it to be touched. Each is a digest or "absent", for all
     * tags, or "TAG=" and one of these, for one of them. */
    const char *const *expected;
    size_t expected_count;
    bool confirm; /* tag: look at the tag once more behind the upload */
    /* tag: that a tag was not there before matters later, when the move is undone. A GET confirms it, since some
     * registries answer the HEAD of a tag that is there with 404. */
    bool certain_absence;
    bool dry_run;  /* tag, delete: do all but change anything; the outcome is what it would be */
    bool keep;     /* digest: leave connection and token as they are at the end, for regtag_again */
    bool siblings; /* delete: where the registry cannot delete a tag alone, delete its manifest, and all
                      tags that point at it */
};

/* ---- An operation ---------------------------------------------------------------------------- */

struct regtag;

/* How many bytes of memory an operation with this configuration needs; 0 when the configuration is
 * of another version of this header. Pages that are never used are never touched. */
size_t regtag_size(const struct regtag_config *config);

/* Makes an operation in `memory`. Returns NULL when there is less than regtag_size() of it, when it
 * is not aligned, or when the configuration is of another version of this header. */
struct regtag *regtag_init(void *memory, size_t size, const struct regtag_config *config);

/* Each of these says what is to be done; nothing is sent yet. Answers REGTAG_OK, or REGTAG_USAGE when
 * a reference or a tag is none. */

/* Gives `image` the tags names[0..count), in its own repository; a name given twice is set once. */
enum regtag_status regtag_tag(struct regtag *r, const char *image, const char *const *names,
                              size_t count);

/* Deletes the tag of `image`, and nothing else unless the configuration says `siblings`. */
enum regtag_status regtag_delete(struct regtag *r, const char *image);

/* Lists the tags of a repository, at most `limit` of them; 0 means all. */
enum regtag_status regtag_list(struct regtag *r, const char *repository, uint64_t limit);

/* Asks for the digest that the tag points at. */
enum regtag_status regtag_digest(struct regtag *r, const char *image);

/* Downloads and checks the manifest. */
enum regtag_status regtag_manifest(struct regtag *r, const char *image);

/* After REGTAG_DONE or REGTAG_ERROR of regtag_digest: asks the same again, with the time anew, over the
 * same connection and with the same token where these still serve. `known` is the digest that the caller
 * has, or NULL: a registry that understands If-None-Match (RFC 9110, 13.1.2) then need not repeat it. */
void regtag_again(struct regtag *r, const char *known);

/* Ends an operation wherever it is, and forgets its secrets; by itself it does so with REGTAG_DONE and
 * REGTAG_ERROR, unless `keep` is set. All connections are to be closed. */
void regtag_end(struct regtag *r);

enum regtag_event {
    REGTAG_WAIT,    /* do what `want` says, then call again */
    REGTAG_UPLOAD,  /* tag, delete: the next step may change the tag. regtag_result() tells which, and
                       where it points now. Whoever does not want that stops stepping */
    REGTAG_SETTLED, /* tag, delete: one tag is settled, well or not; regtag_result() tells how */
    REGTAG_LISTED,  /* list: one more tag; regtag_result()->name is it. delete: one more tag that goes
                       together with the one meant */
    REGTAG_DONE,    /* all is done; for `tag`, all names are settled and all went well */
    REGTAG_ERROR    /* the operation is over; regtag_error() tells why */
};

/* What a connection needs before the next step. `close` comes before `open`. */
struct regtag_want {
    struct {
        bool close; /* close it; at the end of the operation all are to be closed, asked or not, unless
                       `keep` is set */
        bool open;  /* open it to *origin */
        bool read;  /* call again when it can be read, or has failed */
        bool write; /* call again when it can be written, or has failed */
        const struct regtag_origin *origin; /* valid until the next step */
    } connection[REGTAG_CONNECTIONS];
    uint64_t until; /* call again at this time at the latest */
};

/* Goes on as far as it can without waiting. `now` is in milliseconds. *want is filled in by
 * REGTAG_WAIT; a `close` is also asked for with every other event. Calling earlier than asked for
 * does no harm; after REGTAG_DONE or REGTAG_ERROR it answers the same again. */
enum regtag_event regtag_step(struct regtag *r, uint64_t now, struct regtag_want *want);

/* What happened to a tag. */
enum regtag_outcome {
    REGTAG_PENDING,   /* nothing yet */
    REGTAG_CREATED,   /* it points at the digest now, and was not there before */
    REGTAG_MOVED,     /* it points at the digest now, and pointed at `previous` before */
    REGTAG_SET,       /* it points at the digest now; where it pointed before is not known */
    REGTAG_UNCHANGED, /* it pointed at the digest already */
    REGTAG_DELETED,   /* it is there no more, and pointed at `previous` before */
    REGTAG_NOT_SET,   /* it could not be set or deleted: "failed" */
    REGTAG_MAYBE_SET  /* the request was sent, and what became of it cannot be seen: "uncertain" */
};

struct regtag_result {
    const char *name;     /* the tag */
    const char *digest;   /* of the image; "" when it isn't known, and for delete */
    const char *previous; /* where the tag pointed before; "" when that isn't known */
    enum regtag_outcome outcome;
    enum regtag_status status;
    const char *error; /* the message where status isn't REGTAG_OK, else "" */
    bool absent;       /* it is known that the tag was not there before */
};

/* The current result; see the events. After REGTAG_DONE of digest and manifest, `digest` is the
 * answer. Never NULL. */
const struct regtag_result *regtag_result(const struct regtag *r);

/* After REGTAG_DONE of regtag_manifest: its bytes, *size of them, not NUL-terminated. */
const char *regtag_document(const struct regtag *r, size_t *size);

/* How long the registry wants to be left alone, in milliseconds from its last answer: by Retry-After, or so
 * that what RateLimit-Remaining leaves lasts for its window. 0 when it does not say. */
uint64_t regtag_pause(const struct regtag *r);

/* The status of the operation: REGTAG_OK, or that of the first thing that failed, and in *text
 * (unless text is NULL) the message to it. */
enum regtag_status regtag_error(const struct regtag *r, const char **text);

#ifdef __cplusplus
}
#endif

#endif
