/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* regtag: retags images in a container registry.
 *
 * This is the only header a program needs in order to do what the command does. Conventions:
 *
 * Memory. The library allocates nothing. An operation lives in one block of regtag_size() bytes that
 * the caller owns, aligned as malloc would align it. Operations are independent of each other: two at a
 * time need two blocks. Strings passed in (image, names) are not copied and must stay valid until the
 * operation is over. Strings passed out are NUL-terminated, owned by the operation, and valid until the
 * next call of regtag_step.
 *
 * Input and output. The library has no sockets, files, clock, randomness or hash of its own. The caller
 * supplies a non-blocking transport, the time in milliseconds from a monotonic clock, random bytes, and
 * SHA-256. Resolving host names is up to the transport.
 *
 * Errors. Every function that can fail returns an enum regtag_status; its values are the command's exit
 * statuses and will never change. regtag_error() returns the message: one line that says what went
 * wrong and where. It may contain text from a server, control characters included: escape it before
 * printing it to a terminal. regtag_hint() says what would help, for a program to put into its own words.
 *
 * Threads. There is no shared or global state: any thread may step any operation, one thread at a time.
 *
 * Order of calls: regtag_init; one of regtag_tag, regtag_copy, regtag_load, regtag_delete, regtag_list,
 * regtag_digests, regtag_referrers, regtag_digest, regtag_manifest, regtag_fetch, regtag_fetch_blob and regtag_save; then
 * regtag_step until it returns REGTAG_DONE or REGTAG_ERROR. The block can then be reused for another operation, starting
 * with regtag_init or, to keep its connections, regtag_next; or, to poll a digest, with regtag_again.
 *
 * Versions. A program that was compiled against this header runs with every later library of the same
 * major version. Members are only appended: to struct regtag_config, whose `size` says which of them the
 * caller knows (the others count as zero), and to structs that the library hands out by pointer. All other
 * structs keep their size, and have `reserved` members, which must be zero. */
#ifndef REGTAG_H
#define REGTAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, 10000 * major + 100 * minor + patch, and of the library. */
#define REGTAG_VERSION_NUMBER 200
unsigned regtag_version(void);

enum regtag_status {
    REGTAG_OK = 0,              /* done and confirmed */
    REGTAG_E_OTHER = 1,         /* failed for a reason without a code of its own */
    REGTAG_E_USAGE = 2,         /* bad option, reference or tag */
    REGTAG_E_NOT_FOUND = 3,     /* no such image, tag or repository */
    REGTAG_E_DENIED = 4,        /* not authenticated, or not allowed */
    REGTAG_E_NO_CONNECTION = 5, /* host not found or unreachable, or connection lost */
    REGTAG_E_TIMEOUT = 6,       /* connected, but no complete response by the deadline */
    REGTAG_E_UNTRUSTED = 7,     /* TLS: the peer could not be trusted */
    REGTAG_E_BAD_DATES = 8,     /* TLS: the peer would be trusted but for the dates */
    REGTAG_E_PROTOCOL = 9,      /* the response could not be understood */
    REGTAG_E_REFUSED = 10,   /* the manifest or blob is invalid, ambiguous, too large, or has the wrong
                                digest */
    REGTAG_E_SCHEMA1 = 11,   /* the image exists only as schema 1 */
    REGTAG_E_GUARD = 12,     /* a guard did not hold */
    REGTAG_E_IMMUTABLE = 13, /* the registry forbids moving the tag */
    REGTAG_E_SLOW_DOWN = 14, /* rate limited: the registry asks to slow down */
    REGTAG_E_NOT_CONFIRMED = 15, /* uploaded, but the registry reports another digest */
    REGTAG_E_CREDENTIALS = 16,   /* the credentials file or helper is unusable */
    REGTAG_E_SERVER_FAILED = 17, /* HTTP 5xx */
    REGTAG_E_UNCERTAIN = 18,     /* an upload got no answer, and checking the tag failed */
    REGTAG_E_UNSIGNED = 19       /* not signed with a required key */
};

/* What would help, where that is something that a caller can set or call. */
enum regtag_hint {
    REGTAG_HINT_NONE,
    REGTAG_HINT_TIMEOUT,      /* more time: `timeout` */
    REGTAG_HINT_STALL,        /* more patience: `stall` */
    REGTAG_HINT_SCHEME,       /* `scheme` chooses between plain HTTP and TLS, not the reference */
    REGTAG_HINT_SCHEME_TLS,   /* the port speaks TLS: REGTAG_SCHEME_TLS */
    REGTAG_HINT_SCHEME_PLAIN, /* the port may speak plain HTTP: REGTAG_SCHEME_PLAIN */
    REGTAG_HINT_REALM,        /* if the token server is meant to get the credentials: `allowed_realms` */
    REGTAG_HINT_PLATFORM,     /* no `platform`: the image is not an index */
    REGTAG_HINT_EXPECTED,     /* `expected` says where a tag must point */
    REGTAG_HINT_SIBLINGS,     /* `siblings` deletes the manifest with all its tags */
    REGTAG_HINT_LIST,         /* regtag_list lists the tags. The message begins with the reference */
    REGTAG_HINT_CA,           /* a CA that is trusted */
    REGTAG_HINT_CERTIFICATE,  /* a client's certificate and key */
    REGTAG_HINT_CLOCK,        /* the right time, or one that is known to have passed */
    REGTAG_HINT_ADDRESS,      /* the host's address, from elsewhere than a name server */
    REGTAG_HINT_HOST, /* a host, if the first part of the reference is meant to be one: it was taken
                         for a part of a name on Docker Hub. The message begins with the reference */
    REGTAG_HINT_CREDENTIALS, /* credentials: there are none */
    REGTAG_HINT_CHOOSE       /* `platform`: the image is an index, whose platforms the message lists */
};

/* ---- What the caller provides ---------------------------------------------------------------- */

/* SHA-256 (FIPS 180-4). Each function returns 0 on success. Each operation needs a context of its own;
 * `start` is called again for every digest. */
struct regtag_hash {
    void *context;
    int (*start)(void *context);
    int (*update)(void *context, const void *bytes, size_t size);
    int (*finish)(void *context, unsigned char sum[32]);
    void *reserved[2];
};

/* Random bytes for retry jitter, so that many devices that failed together do not all retry together.
 * Not used for anything secret. Returns 0 on success. */
struct regtag_random {
    void *context;
    /* NULL: no jitter, always wait for the full backoff. */
    int (*bytes)(void *context, void *bytes, size_t size);
    void *reserved[2];
};

#define REGTAG_VERIFY_UNABLE (-32767) /* see `verify` in struct regtag_config */

/* A part of a message. */
struct regtag_part {
    const void *bytes;
    size_t size;
};

/* The peer of a connection. */
struct regtag_origin {
    bool tls;
    bool registry; /* the registry itself, not a server that it refers to: client certificates, pins and
                      the like are for it alone */
    uint16_t port;
    char host[256];  /* a name, an IPv4 address, or an IPv6 address without brackets */
    uint32_t target; /* 1: of copy, on the side of the target; else 0 */
    uint32_t reserved[1];
};

/* How many connections an operation may have: at least two, one to the registry and one to any other
 * server that it refers to (a token server, the target of a redirect), and at most this many. More than two
 * are used only for more than 16 tags at a time, all but one of them to the registry. */
#ifndef REGTAG_CONNECTIONS_MAX
#define REGTAG_CONNECTIONS_MAX 18
#endif
#define REGTAG_CONNECTIONS_MIN 2

/* Returned by read and write when no byte was transferred. */
#define REGTAG_IO_AGAIN (-1)  /* would block, or still connecting */
#define REGTAG_IO_CLOSED (-2) /* read: clean end of stream */
#define REGTAG_IO_FAILED (-3) /* connecting failed, or the connection broke; failure() says why */
#define REGTAG_IO_CUT (-4)    /* read: end of stream without a TLS close_notify; data may be missing */

/* Why a connection failed. The library hands it out zeroed, to be filled in. */
struct regtag_failure {
    enum regtag_status status;
    const char *text; /* follows "HOST:PORT: "; must stay valid until the connection is opened again */
    enum regtag_hint hint;
    bool lasting; /* a retry would fail in the same way */
    void *reserved[2];
};

/* The connections. Once regtag_step has asked for a connection to be opened, it may be read and written
 * at any time: both return REGTAG_IO_AGAIN until it is established. Connections are numbered from 0 on. */
struct regtag_transport {
    void *context;
    /* Transfer up to `size` (at least 1) bytes; return the number transferred, or one of the above. What could not be
     * written is offered again, perhaps followed by more. */
    ptrdiff_t (*read)(void *context, unsigned connection, void *bytes, size_t size);
    ptrdiff_t (*write)(void *context, unsigned connection, const void *bytes, size_t size);
    /* Why REGTAG_IO_FAILED was returned. Also called when the deadline passes while still connecting: the
     * text then says what the connection was waiting for. */
    void (*failure)(void *context, unsigned connection, struct regtag_failure *f);
    /* May be NULL. Whether plain HTTP requests to an origin go through a proxy: returns NULL if they
     * don't, else the value of Proxy-Authorization, or "" to send none. */
    const char *(*proxy)(void *context, const struct regtag_origin *origin);
    void *reserved[3];
};

/* Kinds of trace output: one line per call, without a newline. Text from servers is not escaped. */
enum regtag_trace {
    REGTAG_TRACE_REQUEST, /* a line of a request, cut to 512 bytes; secrets are masked with asterisks */
    REGTAG_TRACE_ANSWER,  /* the same of a response */
    REGTAG_TRACE_NOTE,    /* a decision */
    REGTAG_TRACE_WARNING  /* something the user should know even on success */
};

/* The strings are owned by the caller and must stay valid; NULL and "" both mean none. They are sent to
 * the registry's origin and to the token server it names, and nowhere else. */
struct regtag_credentials {
    const char *user, *password;
    const char *identity_token; /* exchanged for access tokens at the token server (OAuth 2) */
    const char *bearer_token;   /* an access token: sent as is, never renewed */
    const char *unavailable;    /* why there are none although there should be: a 401 then ends with
                                   REGTAG_E_CREDENTIALS and this text */
    void *reserved[3];
};

/* The longest credentials accepted, in bytes. */
#define REGTAG_USER_MAX 255
#define REGTAG_PASSWORD_MAX 16384
#define REGTAG_TOKEN_MAX 16384

enum regtag_scheme {
    REGTAG_SCHEME_DEFAULT, /* plain HTTP for localhost, 127.0.0.0/8 and ::1, TLS for all others */
    REGTAG_SCHEME_PLAIN,
    REGTAG_SCHEME_TLS
};

/* How to reach the registry on one side of a copy. */
struct regtag_side {
    enum regtag_scheme scheme;
    struct regtag_credentials credentials;
    /* HOST or HOST:PORT of token servers that may be sent the credentials even over plain HTTP, or at a
     * private address when the registry's is not private. */
    const char *const *allowed_realms;
    size_t allowed_realms_count;
    void *reserved[2];
};

/* load: where manifests and blobs come from, instead of a registry. */
struct regtag_store {
    void *context;
    /* Reads up to `size` bytes at `offset` of the manifest or blob with this digest, "sha256:HEX". Returns their number; 0
     * at its end or, with size 0, if it is there; REGTAG_IO_CLOSED if the store does not have it; or REGTAG_IO_FAILED, and
     * problem() says why. May block. A blob is read from its beginning to its end, and not at all if the registry has it;
     * after a connection has broken, once more from an earlier offset. With several `hashes`, several are read by turns. */
    ptrdiff_t (*read)(void *context, const char *digest, uint64_t offset, void *bytes, size_t size);
    const char *(*problem)(void *context); /* one line, valid until the next read */
    /* NULL, or what to pass to `read` in place of a digest to get an index of the manifests that there are, as index.json of
     * an image layout: where a signature is required, it is looked for there. */
    const char *list;
    void *reserved[1];
};

/* These defaults fit any manifest. A device with less memory can lower them: for one operation in its
 * configuration, or for all by defining them when compiling both the library and its users. */
#ifndef REGTAG_MANIFEST_MAX
#define REGTAG_MANIFEST_MAX (4u * 1024 * 1024) /* bytes; the OCI distribution specification's limit */
#endif
#ifndef REGTAG_TOKENS_MAX /* JSON values and keys in a manifest; 24 bytes each, 7 per layer */
#define REGTAG_TOKENS_MAX (REGTAG_MANIFEST_MAX / 128u)
#endif

/* An upper bound on the memory for an operation with these limits, for static allocation; regtag_size()
 * is exact. */
#define REGTAG_SIZE(manifest_max, tokens_max, connections)                                              \
    ((manifest_max) + (tokens_max)*24u + REGTAG_STATE_MAX + (connections)*REGTAG_CONNECTION_SIZE_MAX)
#if REGTAG_CONNECTIONS_MAX > 4
#define REGTAG_STATE_MAX (192u * 1024) /* bytes: what any operation needs */
#elif REGTAG_CONNECTIONS_MAX == 4
#define REGTAG_STATE_MAX (118u * 1024)
#else
#define REGTAG_STATE_MAX (98u * 1024)
#endif
#define REGTAG_CONNECTION_SIZE_MAX (80u * 1024) /* bytes: the buffers of a connection */

struct regtag_config {
    size_t size; /* sizeof(struct regtag_config) */
    struct regtag_hash hash;
    struct regtag_transport transport;
    struct regtag_random random;
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;
    bool trace_wire;  /* also trace the lines of requests and responses */
    uint64_t timeout; /* milliseconds for the whole operation, from the first step */
    /* 0, or the time on the clock of regtag_step at which the operation ends even if its timeout has not
     * passed. For an operation that is one step of something with a deadline of its own. */
    uint64_t deadline;
    uint64_t stall;   /* milliseconds without a byte that end an attempt; 0: only the timeout applies */
    unsigned retries; /* how often a request is retried after transient failures */
    enum regtag_scheme scheme;
    struct regtag_credentials credentials;
    /* HOST or HOST:PORT of token servers that may be sent the credentials even over plain HTTP, or at a
     * private address when the registry's is not private. */
    const char *const *allowed_realms;
    size_t allowed_realms_count;
    size_t manifest_max; /* bytes; 0 means REGTAG_MANIFEST_MAX */
    size_t tokens_max;   /* 0 means REGTAG_TOKENS_MAX */

    /* "OS/ARCH" or "OS/ARCH/VARIANT" selects the child for this platform from an image that is an index; not for delete and
     * lists of tags. NULL and "": the image itself. */
    const char *platform;
    /* tag, copy, load, delete: guards, where a tag must point for it to be touched. Each is a digest or "absent",
     * for all tags, or "TAG=" followed by either, for that tag. */
    const char *const *expected;
    size_t expected_count;
    bool confirm; /* tag, copy, load: read the tag back after the upload */
    /* tag, copy, load: confirm with a GET that a tag is absent, since some registries answer HEAD with 404
     * for tags that exist. Needed when the move may be undone later. */
    bool certain_absence;
    /* list, digests: whether a tag is wanted; others are left out, and not looked up. NULL: all are. */
    bool (*wants)(void *context, const char *tag);
    void *wants_context;
    bool dry_run; /* tag, copy, load, delete: change nothing, but report the outcome that would result */
    /* keep connections and token at the end, for regtag_again or regtag_next. Only another copy can follow a copy, and a
     * copy cannot follow anything else */
    bool keep;
    /* delete: if the registry cannot delete a tag alone, delete its manifest together with all its tags,
     * unless one was added after they were listed */
    bool siblings;
    /* fetch: the layers' titles will be used as file names. Fails with REGTAG_E_REFUSED, before anything is
     * chosen, if one is not a plain relative path (see regtag_layer), or if two of them cannot both be files. */
    bool titles_are_names;
    /* copy: the target's registry. `scheme`, `credentials` and `allowed_realms` are for the source's. */
    struct regtag_side target;
    /* load: where the image comes from. `scheme`, `credentials` and `allowed_realms` are for the target's registry. */
    struct regtag_store store;
    /* copy, load: as many blobs are transferred at the same time as there are hashes, each with a context of its own, if there
     * are connections for them: two for each, and two more for other servers; for load one for each, and one more. NULL: one
     * at a time, for load in the order of the manifests: config, then layers. */
    const struct regtag_hash *hashes;
    size_t hashes_count;
    /* tag, copy, load, fetch, manifest: how many public keys there are, numbered from 0; the image must be signed with one of
     * them. save: so must each manifest. Other operations ignore it. See regtag_require_signature. 0: no signature needed. */
    unsigned keys;
    /* Returns 0 if `signature` is key number `key`'s, of the message that the parts make up one after the other;
     * REGTAG_VERIFY_UNABLE if there is not enough memory to tell; else another number. The key determines algorithm and
     * hash. The signature is untrusted: ASN.1 DER for ECDSA, PKCS #1 v1.5 or PSS for RSA. */
    int (*verify)(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size);
    void *verify_context;
    size_t connections; /* 0 means REGTAG_CONNECTIONS_MIN; see REGTAG_CONNECTIONS_MAX */
};

/* ---- An operation ---------------------------------------------------------------------------- */

struct regtag;

/* Bytes of memory that an operation with this configuration needs; 0 if the configuration is not usable:
 * too many connections, too large a manifest, or a header that this library does not know (older than 0.2,
 * or newer than the library). Pages that are not needed are never touched. */
size_t regtag_size(const struct regtag_config *config);

/* Sets up an operation in `memory`. Returns NULL if that is smaller than regtag_size() or misaligned, or
 * if the configuration is not usable. */
struct regtag *regtag_init(void *memory, size_t size, const struct regtag_config *config);

/* After regtag_init, if there are `keys` in the configuration: says that the image of the operation must be signed with one
 * of them, by cosign: a signature at the tag sha256-HEX.sig, or a bundle among its referrers. With a `platform`, the image
 * or its index must be signed. Without this call, an operation with keys does not begin; programs that never call it do not
 * link the code that looks for signatures. REGTAG_E_USAGE: there are no keys, or there is no function to verify with. */
enum regtag_status regtag_require_signature(struct regtag *r);

/* Each of these selects what to do; nothing is sent yet. Returns REGTAG_OK, or REGTAG_E_USAGE if a
 * reference or tag is invalid. */

/* Points the tags names[0..count) of the same repository to `image`; duplicate names are set once. */
enum regtag_status regtag_tag(struct regtag *r, const char *image, const char *const *names,
                              size_t count);

/* Deletes the tag of `image`, and nothing else unless `siblings` is set in the configuration. */
enum regtag_status regtag_delete(struct regtag *r, const char *image);

/* Lists up to `limit` tags of a repository; 0 means all. */
enum regtag_status regtag_list(struct regtag *r, const char *repository, uint64_t limit);

/* The same with the digest that each tag points to, "" if the tag has vanished in between. If a tag cannot
 * be looked up, its `status` and `error` say why; the operation goes on, and fails at the end. Tags whose lookup has not
 * begun by the deadline are not listed. */
enum regtag_status regtag_digests(struct regtag *r, const char *repository, uint64_t limit);

/* Lists what refers to `image`, signatures for example: for each, REGTAG_LISTED with its artifact type as `name`, "" if it
 * has none, and with `digest` and `size`. If the registry has no such list, an index of them at the tag sha256-HEX is read
 * instead, if there is one. Only those of `artifact_type`, unless that is NULL or "". A page of the list is
 * held in memory, and must not be larger than a manifest. */
enum regtag_status regtag_referrers(struct regtag *r, const char *image, const char *artifact_type);

/* Looks up the digest that the tag points to. With `keep`, for regtag_again, a failed request is not retried if that would
 * have to wait for a Retry-After, which may end at the same time for many devices: the query fails at once. Wait as long as
 * regtag_pause says. */
enum regtag_status regtag_digest(struct regtag *r, const char *image);

/* Downloads and checks the manifest. */
enum regtag_status regtag_manifest(struct regtag *r, const char *image);

/* Copies `image`, with all that it refers to, to `target`, [HOST[:PORT]/]REPOSITORY[:TAG], and points the tag at it as
 * regtag_tag does. Without a tag of its own, the target gets that of the image, or none if the image has only a digest:
 * then the manifest is uploaded by its digest, without guards. An index is copied whole, unless there is a `platform`.
 * Needs at least four connections. */
enum regtag_status regtag_copy(struct regtag *r, const char *image, const char *target);

/* Uploads the manifest with this digest from the `store`, with all it refers to, to `target`,
 * [HOST[:PORT]/]REPOSITORY[:TAG], and points the tag at it as regtag_tag does; without a tag it is uploaded by its digest,
 * without guards. An index is uploaded whole, and so must be in the store whole, unless there is a `platform`. Blobs that
 * the registry has are not read. REGTAG_E_REFUSED if something is missing or is not what its digest says. */
enum regtag_status regtag_load(struct regtag *r, const char *digest, const char *target);

/* copy, load: how many bytes of blobs have moved, and of how many that are known to be missing in the target so far. */
void regtag_progress(const struct regtag *r, uint64_t *moved, uint64_t *all);

/* Downloads layers of an image, or a single blob, "REPOSITORY@DIGEST": the caller chooses which ones, one
 * after the other; see REGTAG_CHOOSE. An index needs `platform`. */
enum regtag_status regtag_fetch(struct regtag *r, const char *image);
enum regtag_status regtag_fetch_blob(struct regtag *r, const char *blob);

/* Downloads manifests and blobs of the repository of `image`: the caller chooses which ones, one after the other; see
 * REGTAG_CHOOSE. `platform` is for the image alone. */
enum regtag_status regtag_save(struct regtag *r, const char *image);

/* After REGTAG_DONE or REGTAG_ERROR of regtag_digest: repeats the query with a fresh timeout, reusing
 * the connection and token if they are still good. `known` is the digest that the caller already has,
 * or NULL: a registry that supports If-None-Match (RFC 9110, 13.1.2) then need not repeat it. If a failed
 * request would be retried after a Retry-After, the query fails at once, as with `keep`: wait as long as regtag_pause says. */
void regtag_again(struct regtag *r, const char *known);

/* After REGTAG_DONE or REGTAG_ERROR of an operation with `keep`: sets up the next one in the same memory, as
 * regtag_init does. Connections are kept for as long as the operations go to the same registry, the token while they go to
 * the same repository and do the same there. So the login of a repository must not change from one to the next: if it does,
 * end the first with regtag_end and begin with regtag_init. A copy keeps both sides, for another copy: nothing else can
 * follow it, and it can follow nothing else. False, and nothing has changed, if the configuration is not usable or needs
 * different memory (its limits or its number of connections differ). */
bool regtag_next(struct regtag *r, const struct regtag_config *config);

/* Ends an operation in any state and wipes its secrets. REGTAG_DONE and REGTAG_ERROR imply this unless
 * `keep` is set. The caller must then close all connections. */
void regtag_end(struct regtag *r);

enum regtag_event {
    REGTAG_WAIT, /* do what `want` says, then call again */
    /* tag, copy, load, delete: the next step may change the tag. regtag_result() says which one, and where it
     * points now. To leave it alone, call regtag_decline. */
    REGTAG_UPLOAD,
    /* tag, copy, load, delete: one tag succeeded or failed; see regtag_result(). fetch, save: the chosen blob or
     * manifest did, and its size and its digest were verified if its `status` is REGTAG_OK; `outcome` is for tags */
    REGTAG_SETTLED,
    /* list, digests: one more tag, in regtag_result()->name. referrers: one more of them. delete: one more tag that will be
     * deleted along with the one named; in a dry run, one that would be, if the registry cannot delete a tag alone. */
    REGTAG_LISTED,
    REGTAG_DONE,  /* success; for `tag`, all names are settled and none failed */
    REGTAG_ERROR, /* the operation is over; regtag_error() says why */
    /* fetch: the manifest was downloaded and checked, or the last blob is settled. regtag_layer describes the
     * layers, regtag_choose says which one is next; without it, the operation ends with the next step. save: the same at
     * the beginning, and after each REGTAG_SETTLED, with regtag_choose_manifest and regtag_choose_blob. */
    REGTAG_CHOOSE,
    REGTAG_BYTES /* fetch, save: the next bytes of the blob; see regtag_bytes */
};

/* What a connection needs before the next step. Do `close` before `open`. */
struct regtag_want {
    /* Close it. At the end of the operation, close all connections even if not asked to, unless `keep` is
     * set. */
    bool close;
    bool open;                          /* connect to *origin */
    bool read;                          /* call again when it is readable or has failed */
    bool write;                         /* call again when it is writable or has failed */
    const struct regtag_origin *origin; /* valid until the next step */
    void *reserved;
};

/* Runs until it would have to wait or has an event to report. `now` is in milliseconds. want[0..count)
 * is filled in, an element for each connection; `count` is the configured number of connections or more.
 * Do what `close` and `open` say before the next step, whatever the event; `read` and `write` say what to wait for after
 * REGTAG_WAIT. Calling early is harmless; after REGTAG_DONE or REGTAG_ERROR, the same event is returned again. */
enum regtag_event regtag_step(struct regtag *r, uint64_t now, struct regtag_want *want, size_t count);

/* After REGTAG_BYTES: gives up the blob, which fails with REGTAG_E_OTHER and this reason. After REGTAG_UPLOAD:
 * leaves the tag alone, and all others that were not announced yet. They fail with
 * REGTAG_E_OTHER and this reason, which is copied. The outcome of tags that were announced before is still
 * determined and reported, so keep stepping. */
void regtag_decline(struct regtag *r, const char *reason);

/* ---- Fetching -------------------------------------------------------------------------------- */

/* A layer of an image, or a blob of an artifact, as its manifest describes it (OCI image specification,
 * "Descriptor"). The strings are NUL-terminated, and valid until the next call of regtag_layer or
 * regtag_step; so are those of regtag_result. */
struct regtag_layer {
    const char *digest;
    const char *media_type;
    /* org.opencontainers.image.title in UTF-8, the name of the file that was pushed; "" if there is none, or
     * none of at most REGTAG_TITLE_MAX bytes without a NUL. With `titles_are_names`, it has no empty, "." or
     * ".." component, none that begins with ".regtag-", no leading slash, and no control characters:
     * neither those of ASCII and Latin 1, nor those of Unicode that end a line or turn the direction of text. */
    const char *title;
    uint64_t size; /* bytes; UINT64_MAX if unknown, as for regtag_fetch_blob before it begins */
    bool packed;   /* a folder, packed as a tar file (io.deis.oras.content.unpack) */
    void *reserved[2];
};
#define REGTAG_TITLE_MAX 1023

/* From the first REGTAG_CHOOSE on: describes layer `number`, counted from 0; false if there is none.
 * Takes constant time for one after the other. */
bool regtag_layer(struct regtag *r, uint64_t number, struct regtag_layer *layer);

/* After REGTAG_CHOOSE: downloads layer `number` next. */
void regtag_choose(struct regtag *r, uint64_t number);

/* After regtag_choose: the next `size` bytes, from the beginning of the blob, that the caller has already,
 * from an interrupted download. Only the rest is asked for; nothing, if they are all there is. */
void regtag_have(struct regtag *r, const void *bytes, size_t size);

/* save. After REGTAG_CHOOSE: downloads the manifest with this digest next, a SHA-256; "": that of the image. Or a blob,
 * which must have this many bytes. The text is copied; nothing is chosen if it is not valid. */
void regtag_choose_manifest(struct regtag *r, const char *digest);
void regtag_choose_blob(struct regtag *r, const char *digest, uint64_t size);

/* What a manifest refers to (OCI image specification, "Descriptor"). */
struct regtag_descriptor {
    const char *digest; /* a SHA-256; valid until the next call of regtag_descriptor or regtag_step */
    uint64_t size;      /* bytes */
    bool manifest;      /* it is a child of an index; else a config, a layer or another blob */
    bool elsewhere;     /* it is a layer with "urls", a foreign one: a registry need not have it */
    void *reserved[2];
};

/* save. After REGTAG_SETTLED of a manifest, or the REGTAG_CHOOSE that follows: the next of what it refers to, in its
 * order, the config first; false if there are no more. */
bool regtag_descriptor(struct regtag *r, struct regtag_descriptor *d);

/* After REGTAG_BYTES: the next *size bytes, which belong at offset *at of the blob; valid until the next
 * step. Bytes come in order, even if connections break in between. If those from regtag_have turn out to be
 * wrong, *at is 0 again, once: drop what you have. */
const void *regtag_bytes(const struct regtag *r, uint64_t *at, size_t *size);

/* ---- Results --------------------------------------------------------------------------------- */

/* After REGTAG_WAIT: the time by which regtag_step must be called again, on the same clock. */
uint64_t regtag_until(const struct regtag *r);

/* What happened to a tag. */
enum regtag_outcome {
    REGTAG_TAG_PENDING,   /* nothing yet */
    REGTAG_TAG_CREATED,   /* points to the digest now; did not exist before */
    REGTAG_TAG_MOVED,     /* points to the digest now; pointed to `previous` before */
    REGTAG_TAG_SET,       /* points to the digest now; where it pointed before is unknown */
    REGTAG_TAG_UNCHANGED, /* already pointed to the digest */
    REGTAG_TAG_DELETED,   /* no longer exists; pointed to `previous` before */
    REGTAG_TAG_FAILED,    /* could not be set or deleted */
    REGTAG_TAG_UNCERTAIN  /* request sent, effect unknown */
};

/* Where a tag pointed before. */
enum regtag_previous {
    REGTAG_PREVIOUS_UNKNOWN,
    REGTAG_PREVIOUS_ABSENT, /* the tag did not exist */
    REGTAG_PREVIOUS_KNOWN   /* at the digest `previous` */
};

struct regtag_result {
    const char *name;     /* the tag; fetch: the title; referrers: the artifact type */
    const char *digest;   /* of the image, or of the blob; "" if unknown, and for delete */
    const char *previous; /* the digest before; "" unless it is known */
    enum regtag_previous before;
    enum regtag_outcome outcome;
    enum regtag_status status;
    const char *error;     /* the message if status isn't REGTAG_OK, else "" */
    enum regtag_hint hint; /* what would help then */
    unsigned key;  /* manifest, where a signature is required: the number of the key that has signed */
    uint64_t size; /* referrers: in bytes */
};

/* The current result; see enum regtag_event. After REGTAG_DONE of digest and manifest, `digest` is the
 * answer. Never NULL. */
const struct regtag_result *regtag_result(const struct regtag *r);

/* After REGTAG_DONE of regtag_manifest, and as for regtag_descriptor: the *size bytes of the manifest, not NUL-terminated, and
 * its media type. */
const char *regtag_document(const struct regtag *r, size_t *size);
const char *regtag_media_type(const struct regtag *r);

/* How long to leave the registry alone, in milliseconds from its last response: as given by
 * Retry-After, or long enough that RateLimit-Remaining lasts for its window, if requests seem to count or one
 * was refused. Else 0. */
uint64_t regtag_pause(const struct regtag *r);

/* The status of the operation: REGTAG_OK, or that of its first failure, whose message is stored
 * in *text unless `text` is NULL. */
enum regtag_status regtag_error(const struct regtag *r, const char **text);

/* What would help against that failure. */
enum regtag_hint regtag_hint(const struct regtag *r);

#ifdef __cplusplus
}
#endif

#endif
