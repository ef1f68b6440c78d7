/* A registry and the way to it, in memory: a transport for struct regtag_config that does on demand, and
 * from a seed by chance, whatever a network may do. What it does depends on nothing but its fields. */
#ifndef WIRE_H
#define WIRE_H

#include "regtag.h"

#define WIRE_TAGS_MAX 128
#define WIRE_BLOBS_MAX 80
#define WIRE_UPLOADS_MAX 16
#define WIRE_NEVER UINT64_MAX
#define WIRE_CUT 1     /* the connection is lost instead of an answer */
#define WIRE_GARBAGE 2 /* 200, with nothing in it that could be meant */

/* A string of bytes that grows. */
struct wire_bytes {
    char *data;
    size_t size;
    size_t room;
};

struct wire_tag {
    char name[129];
    char digest[72];
    struct wire_bytes manifest;
    char type[128];
};

/* Those of the repository "b" are the same. */
struct wire_blob {
    char digest[136];
    struct wire_bytes bytes;
};

/* How blobs are answered; all zeros is well: 206 with the rest of the bytes where a Range begins within them, 416
 * where it does not. */
struct wire_ranges {
    bool ignored;              /* 200, with all of it */
    bool refused;              /* 416 */
    size_t most;               /* 0, or a 206 has so many bytes at most */
    const char *content_range; /* NULL, or what a 206 states */
    size_t changed;            /* 0, or the byte at `changed - 1` is another one, */
    unsigned changed_times;    /* 0, or only so often */
    const char *instead;       /* NULL, or the bytes of every blob */
    const char *fields;        /* NULL, or more of them: "A: b\r\n" */
    const char *location;      /* NULL, or where connection 0 is sent to, with the digest behind it, */
    unsigned status;           /* and 0, or what the answer is there */
};

/* An upload of a blob, at /v2/a/blobs/uploads/NUMBER. */
struct wire_upload {
    bool ended; /* committed, or deleted */
    bool committed;
    struct wire_bytes bytes;
};

/* How the registry behaves; all zeros is well. */
struct wire_manners {
    bool no_digest;        /* GET and PUT do not state one */
    bool no_head_digest;   /* HEAD neither */
    const char *claim;     /* the digest that is stated for everything */
    const char *claim_put; /* the digest that is stated after a PUT */
    unsigned put_status;   /* instead of 201; from 300 on nothing is stored */
    unsigned head_status;  /* instead of 200, or 304 */
    unsigned get_status;   /* the same for GET */
    const char *only_tag;  /* NULL, or the only tag that head_status and get_status are for */
    unsigned head_right;   /* so many HEADs are answered rightly before head_status is used */
    unsigned absent_head;  /* to the HEAD of a tag that is not there, instead of 404 */
    unsigned absent_get;   /* the same to its GET */
    bool stores_anyway;    /* though put_status says otherwise */
    bool put_unanswered;   /* PUT is stored; then nothing, or the end of the connection */
    bool head_unanswered;
    bool close_after_each;   /* with Connection: close */
    bool says_close;         /* the same, but the connection stays */
    bool close_silently;     /* after each answer, without saying so */
    bool close_late;         /* the same, but it shows only when something more is sent */
    bool hang_up_unanswered; /* ends the connection where an answer is left out */
    bool chunked;
    bool until_close;
    bool interim;           /* 100 before each answer */
    bool refuses_early;     /* PUT: 413 when the header is there; takes no more bytes */
    bool garbage;           /* no HTTP at all */
    bool endless;           /* a body that never ends */
    bool close_first;       /* ends the first connection after its first answer, whatever has followed */
    bool ignores_pipelined; /* a request that comes before the answer to the last one has been read */
    unsigned delete_status; /* instead of 202; from 300 on nothing is deleted */
    bool deletes_anyway;    /* though delete_status, or a failure, says otherwise */
    bool deletes_never;     /* though delete_status says otherwise */
    bool delete_unanswered; /* as put_unanswered */
    bool conditional;       /* understands If-None-Match */
    bool stranger;          /* does not say that it is of Docker's distribution */
    const char *fields;     /* NULL, or more of them in every answer: "A: b\r\n" */
    const char *fail_method; /* requests of this method fail, or all: */
    unsigned fail_after;     /* after so many of them that don't, */
    unsigned fail;           /* so many, */
    unsigned fail_status;    /* with this, or 0: the connection is reset, */
    const char *fail_fields; /* and NULL, or these fields */
    const char *location;    /* NULL, or where a GET of the tag "base" is sent to, from connection 0 */
    const char *realm;       /* NULL, or its token server, whose tokens it wants to see */
    const char *token_says;  /* NULL, or what stands behind the token: ",\"expires_in\":300" */
    uint64_t token_life;     /* milliseconds that the registry takes a token for; 0: for ever */
    unsigned tokens_max;     /* 0, or after so many its token server answers 403 */
    const char *raw;         /* NULL, or all that it ever says: one part, up to a byte 0xff, a request */
    size_t raw_size;
    const char *greeting;  /* what a new connection says before it was asked anything */
    unsigned greet_after;  /* not the first so many connections, */
    unsigned greet;        /* but so many after them */
    bool ends_on_greeting; /* and closes them */
    unsigned page;         /* tags on one page of a list; 0: all */
    uint64_t delay;        /* milliseconds before an answer begins */
    uint64_t pace;         /* milliseconds between two bytes of it */

    bool stores_never;      /* though put_status says otherwise */
    const char *put_fields; /* NULL, or more fields in the answer to a PUT that is taken: "A: b\r\n" */
    bool deletes_whole;     /* a tag alone: 405. A manifest, by its digest, with all its tags */
    unsigned token_refusal; /* of tokens beyond tokens_max: a status, WIRE_CUT or WIRE_GARBAGE; 0: 403 */
    unsigned refusals;      /* so often; 0: for good */
    unsigned token_uses;    /* requests of the registry that it takes a token for; 0: any number */
    bool tokens_stay;       /* and those before the last one are good, too */

    size_t upload_loses;  /* so many of the last bytes of a PATCH that is interrupted, or fails */
    bool forgets_uploads; /* that were interrupted: 404 */
    unsigned
        referrers_status; /* of the list of referrers, instead of 404; 200: that at the tag "referrers", */
    const char *referrers_fields; /* with NULL, or more fields in the first answer: "A: b\r\n" */

    /* What becomes of a request that comes before the answer to the last one has been read. */
    bool resets_pipelined;  /* the connection is reset, and what was not read yet is lost */
    bool refuses_pipelined; /* 400, by a proxy that knows nothing of registries, and the end */
    bool closes_pipelined;  /* the connection ends behind the last answer */
};

/* Where the way breaks, once; counted in bytes of all connections together. */
struct wire_fault {
    bool armed;
    bool writing; /* counted in what the client sends; else in what it receives */
    uint64_t at;  /* so many bytes still come through */
    bool orderly; /* reading: REGTAG_IO_CLOSED; else REGTAG_IO_FAILED */
    bool lasting; /* no connection succeeds after that */
};

/* Someone else, who moves a tag, or deletes it, right before a request. */
struct wire_rival {
    unsigned at;                       /* counted from 1; 0: nobody */
    const char *tag, *type, *manifest; /* NULL: deletes it */
};

/* What becomes of a connection behind an answer; WIRE_LEAVES: as close_late. */
enum wire_ending { WIRE_STAYS, WIRE_CLOSES, WIRE_RESETS, WIRE_LEAVES };

/* An answer that is not what was asked for, or not only that. */
struct wire_quirk {
    const char *request;   /* which: "METHOD REFERENCE" or the beginning of it; NULL: this is no quirk */
    unsigned after, times; /* so many of these go well, then so many do not; times 0 means 1 */
    const char *before;    /* NULL, or bytes in front of the answer */
    const char *instead;   /* NULL, or bytes in its place; nothing is done then, */
    bool done;             /* unless this says so */
    bool twice;            /* the answer is repeated */
    const char *behind;    /* NULL, or bytes behind it */
    bool late;             /* all but the first of these comes when the client has sent more */
    unsigned connection;   /* 0, or only on connection `connection - 1` */
    unsigned echo;         /* 0, or the answer comes again behind so many others */
    bool swapped;          /* the answer comes behind the next one, if that is asked for already */
    uint64_t delay;        /* milliseconds before it begins */
    enum wire_ending ending;
    unsigned seen;
};

/* An answer that comes when only so many bytes of its request have. No more of them are taken until the
 * client has read it. */
struct wire_early {
    const char *method;
    uint64_t at;
    const char *text;
    unsigned times;
    bool sets_new; /* the tag "new" points where "base" does from then on */
};

#define WIRE_QUIRKS 4
#define WIRE_LINES 6
#define WIRE_LOOKED_MAX 256
#define WIRE_ASKED_MAX 1024

/* A request that was taken. */
struct wire_asked {
    char method[8], reference[72];
    char range[32], authorization[80];
    unsigned connection;
    uint64_t at;
    bool first;               /* on its connection since that was opened */
    bool pipelined, followed; /* before the answer to the last one, or to this one, was read */
};

/* One connection. */
struct wire_line {
    bool open, ended, stale, dead, mute, head_request;
    bool first;             /* of all connections */
    bool blocked;           /* takes nothing until its early answer has been read */
    bool hasty;             /* has given an early answer */
    size_t surplus_at;      /* where in `out` something begins that nobody asked for, or SIZE_MAX */
    struct wire_bytes held; /* comes when the client has sent more */
    struct wire_bytes echo; /* comes behind so many more answers */
    unsigned echo_behind;
    struct wire_bytes swapped;
    size_t pause_at; /* where in `out` something begins that comes at `pause_until` */
    uint64_t pause_until;
    size_t hold_at;          /* where in `out` a Retry-After ends, or SIZE_MAX, */
    uint64_t hold;           /* and how many milliseconds it says */
    uint64_t sent, received; /* bytes, of the client, since the beginning */
    size_t offered;          /* bytes that could not be written when they were offered last, */
    char offer[256];         /* and the first of them */
    unsigned last;           /* in `taken`: 1 + the last request here since it was opened, or 0 */
    bool uploading;          /* a PATCH has begun, */
    size_t upload_at;        /* when its upload had so many bytes */
    char host[256];
    uint64_t up_at, speak_at;
    struct wire_bytes in, out;
    struct wire_bytes log; /* all that was ever sent here */
    size_t out_at;
};

struct wire {
    struct wire_manners manners;
    struct wire_ranges ranges;
    bool blobs_hidden; /* from HEAD, until one was uploaded */
    struct wire_fault fault;
    unsigned fault_on; /* 0, or counted in the bytes of connection `fault_on - 1` alone */
    struct wire_rival rival;
    struct wire_quirk quirk[WIRE_QUIRKS];
    struct wire_early early;
    const char *watched; /* NULL, or the tag whose changes are compared with what was shown of it */
    uint64_t seed;       /* 0: all bytes at once, nothing held up */
    size_t step;         /* at most so many bytes a call; 0: any */
    uint64_t connecting; /* milliseconds until a connection is up; WIRE_NEVER: never */
    unsigned refused;    /* so many connections fail, then they succeed */
    struct regtag_failure failure; /* what is said then; all zeros: that the way is broken */
    uint64_t now;
    struct wire_bytes *record; /* NULL, or where all answers are kept, as for manners.raw */

    struct wire_tag tags[WIRE_TAGS_MAX];
    size_t tag_count;
    struct wire_blob blobs[WIRE_BLOBS_MAX];
    size_t blob_count;
    struct wire_upload uploads[WIRE_UPLOADS_MAX];
    unsigned upload_count;

    /* What has happened. Uploads of blobs, and of manifests by their digest, count as requests only. */
    unsigned connections, requests, puts, gets, heads, deletes, tokens;
    struct wire_bytes asked;                 /* "METHOD REFERENCE\n" of each request that was taken */
    uint64_t asked_at[WIRE_LOOKED_MAX];      /* and when */
    struct wire_asked taken[WIRE_ASKED_MAX]; /* the first of them */
    unsigned taken_count;
    uint64_t pipelined_at;     /* when a request came last before the answer to another was read, or */
    bool pipelined;            /* never */
    uint64_t hold_until;       /* a Retry-After that the client has read says so */
    unsigned rushed;           /* calls that sent something to the registry before that */
    unsigned token_used;       /* how often the last token was good */
    unsigned refused_tokens;   /* 401 */
    struct wire_bytes history; /* as `asked`, and "lost METHOD REFERENCE\n" where nobody was listening */
    /* Calls that sent something where what had been read should have ended the connection. */
    unsigned spoiled;
    unsigned quirks; /* answers with a quirk, early ones, greetings, and what was said unasked */
    char shown[72];  /* where `watched` pointed when it was last looked at, or "absent" */
    char upon[WIRE_LOOKED_MAX][72]; /* the same when it was set, or deleted, by request */
    unsigned changes;               /* so often */
    char condition[80];             /* the last If-None-Match */
    char authorization[80];         /* the last Authorization, of either server */
    uint64_t token_since;           /* when the last token was given */
    bool token_refused;             /* the last request for one was in vain */
    uint64_t sent, received;        /* bytes, of the client */
    const char *misuse;             /* NULL, or what the client did that it must not */
    char put_type[128];             /* of the last PUT, and its body */
    struct wire_bytes put_body;
    struct wire_bytes log; /* all that the client has sent */

    struct wire_line line[WIRE_LINES], *c; /* the one at hand */
};

void wire_init(struct wire *w);
void wire_free(struct wire *w);

/* Puts a manifest under a tag, as if it had been pushed before. */
void wire_push(struct wire *w, const char *tag, const char *type, const char *manifest, size_t size);

/* Adds a blob, and returns its digest; `digest` is NULL, or another one to store it by. */
const char *wire_push_blob(struct wire *w, const char *bytes, size_t size, const char *digest);

/* The tag is there no more. */
void wire_delete(struct wire *w, const char *tag);

/* The tag, or NULL. */
const struct wire_tag *wire_find(const struct wire *w, const char *tag);

/* The digest of some bytes. */
void wire_digest(const char *bytes, size_t size, char digest[72]);

/* Says something on a connection, unasked. */
void wire_say(struct wire *w, unsigned connection, const char *text);

/* The transport. It has WIRE_LINES connections; `want` has as many elements. */
struct regtag_transport wire_transport(struct wire *w);

/* Does what `want` says about connections. */
void wire_obey(struct wire *w, const struct regtag_want *want);

/* When a connection will have something for what `want` waits for: now, or later, or WIRE_NEVER. */
uint64_t wire_ready(const struct wire *w, const struct regtag_want *want);

#endif
