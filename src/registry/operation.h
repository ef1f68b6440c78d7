/* What an operation is made of. Private to this room; users know struct regtag by its name only. */
#ifndef REGTAG_REGISTRY_OPERATION_H
#define REGTAG_REGISTRY_OPERATION_H

#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/answer.h"
#include "registry/auth.h"
#include "registry/exchange.h"
#include "registry/tag_list.h"
#include "regtag.h"

enum verb { VERB_NONE, VERB_TAG, VERB_DELETE, VERB_LIST, VERB_DIGEST, VERB_MANIFEST };

/* Where an operation is. Each phase is one function, which returns an event to be handed out, or
 * GO_ON when the next phase can begin at once. */
enum phase {
    PHASE_IDLE,       /* no verb has been called */
    PHASE_ASK,        /* digest: HEAD of the manifest */
    PHASE_FETCH,      /* GET of the manifest */
    PHASE_NEXT,       /* tag: on to the next name */
    PHASE_LOOK,       /* HEAD of a tag: where does it point? */
    PHASE_WEIGH,      /* GET of it, because the HEAD did not tell */
    PHASE_SEEN,       /* tag: it has been looked at before the PUT */
    PHASE_GATHERED,   /* tag: the same, of several names before one PUT for all */
    PHASE_ANNOUNCING, /* tag: REGTAG_UPLOAD is being handed out for each of them */
    PHASE_TOGETHER,   /* tag: PUT of the manifest with several tags */
    PHASE_ANNOUNCED,  /* tag: REGTAG_UPLOAD has been handed out */
    PHASE_UPLOAD,     /* tag: PUT of the manifest */
    PHASE_DOUBTED,    /* tag: it has been looked at, because the PUT left room for doubt */
    PHASE_CONFIRMED,  /* tag: it has been looked at, because --confirm wants that */
    PHASE_CONDEMN,    /* delete: the tag is to be looked at */
    PHASE_CONDEMNED,  /* delete: it has been looked at before the DELETE */
    PHASE_DELETE,     /* delete: DELETE of the tag, or the manifest */
    PHASE_DELETED,
    /* delete: it has been looked at afterwards */
    PHASE_SIBLING,      /* delete: on to the next tag that might go with it */
    PHASE_SIBLING_SEEN, /* delete: that has been looked at */
    PHASE_PAGE,         /* list: GET of a page */
    PHASE_WORDS,        /* the rest of an answer that was not the one hoped for */
    PHASE_CHALLENGE,    /* the rest of a 401, and what to do about it */
    PHASE_PING,         /* GET of /v2/, for a challenge */
    PHASE_TOKEN,        /* the token server's answer */
    PHASE_REDIRECT,     /* the rest of a redirection */
    PHASE_DRAIN,        /* an answer that has become of no use */
    PHASE_RETRY,        /* the rest of an answer after which the request is sent again, later */
    PHASE_PAUSE,        /* later */
    PHASE_OVER
};

/* Why nobody knows whether an upload has set the tag. */
enum doubt {
    DOUBT_NO_ANSWER, /* it was sent, and that was the last of it */
    DOUBT_NO_DIGEST, /* it was taken, but not confirmed */
    DOUBT_ERROR      /* the answer was an error that may not be the whole truth */
};

#ifndef REGTAG_VERSION
#define REGTAG_VERSION "unknown"
#endif

#define GO_ON ((enum regtag_event)(-1))

/* What has been seen of a tag. */
enum sight {
    SIGHT_NOTHING, /* nobody tells where it points, or whether it is there; `why` says why not */
    SIGHT_ABSENT,  /* it is not there */
    SIGHT_DIGEST   /* it points at `digest` */
};

struct look {
    enum phase then; /* the phase that makes something of it */
    enum sight sight;
    bool by_get;   /* HEAD does not tell here, or not the truth */
    unsigned head; /* 0, or the status of the HEAD that a GET is to check */
    char digest[DIGEST_SHA256_SIZE + 1];
    struct error why;
};

/* Names that are set by one request. (together.c) */
enum together_state {
    TOGETHER_LOOKED_AT,
    TOGETHER_UNCHANGED, /* nothing has to be done */
    TOGETHER_ANNOUNCED, /* by REGTAG_UPLOAD; it is not set */
    TOGETHER_ASKED,     /* it is part of the request at hand */
    TOGETHER_SET,
    TOGETHER_UNSURE /* the request was sent, and what became of it is not known */
};

struct together_name {
    size_t index; /* in r->names */
    enum together_state state;
    bool absent;
    char previous[DIGEST_SHA256_SIZE + 1]; /* "": not known */
};

struct together {
    unsigned limit; /* so many at a time; 0: the registry cannot do this, or it is not wanted */
    unsigned count, at;
    struct together_name names[TOGETHER_MAX];
};

/* What a page was asked for with; pages are remembered by a hash of this. */
struct listing {
    uint64_t limit, listed;    /* tags wanted, 0 for all; tags handed out */
    uint64_t first, mark;      /* hashes of the first page and of one that is compared with */
    uint64_t pages, next_mark; /* pages so far; at which of them the mark moves on */
    unsigned empty;            /* pages without a tag, in a row */
    uint64_t on_page;          /* tags on this page */
    unsigned current;          /* which of the two URLs is that of this page */
    char url[2][URL_MAX + 1];
    struct slice unread; /* of the page: points into the exchange */
    struct tag_list tags;
};

struct regtag {
    struct regtag_config config;
    enum verb verb;
    enum phase phase;
    bool begun;             /* this phase's request is on its way */
    bool started;           /* the first step has been made: the deadline is known */
    uint64_t now, deadline; /* of this step; of the operation */
    uint64_t until;         /* when this phase's patience ends */

    struct reference reference;
    struct regtag_origin origin; /* the registry's */
    struct slice platform;       /* whose child of an index is meant; empty once that is found */

    enum phase back;            /* the phase whose request is to be sent again */
    enum phase drained_for;     /* the phase behind PHASE_DRAIN */
    uint64_t asked_for_token;   /* when */
    struct error refusal;       /* or why it has failed without being answered itself */
    unsigned redirects;         /* of the request at hand, so far */
    char location[URL_MAX + 1]; /* where the last one leads */

    enum phase retried;      /* the phase whose request has failed, but not for good */
    unsigned tries;          /* how often that has been so */
    uint64_t resume;         /* when it is sent again */
    uint64_t moved, traffic; /* when there was a byte last; how many there had been by then */
    uint64_t pause;          /* milliseconds that the registry wants to be left alone */
    uint64_t remaining;      /* the last RateLimit-Remaining */

    const char *const *names;
    size_t count, index;
    const char *following; /* the name that the HEAD asks for that follows */
    bool followed;         /* the request at hand is such a HEAD */
    bool no_following;     /* that did not go well here */
    struct regtag_result result;
    struct error name_error; /* of the current name */
    struct look look;
    struct together together;
    bool uploaded;       /* it may have been set already: the PUT has been sent before */
    bool unsure;         /* ... and not answered, and the tag has not been seen since */
    enum doubt doubt;    /* about its upload */
    struct error cause;  /* of the doubt, or of the last failure */
    bool passing;        /* the cause may be gone the next time, */
    uint64_t cause_wait; /* but not before so many milliseconds */
    char previous[DIGEST_SHA256_SIZE + 1];
    char condemned[TAG_MAX + 1]; /* the tag to delete */
    bool by_digest;              /* and all its siblings with it */
    size_t sibling;              /* of the names in `manifest`: where the next one begins */
    struct error fate;           /* what decides for all the names that are left */
    bool fetch_failed;           /* and it is that there is no manifest */
    struct error error;          /* the first one: that of the whole operation */

    char digest[DIGEST_MAX + 1];
    char child[DIGEST_SHA256_SIZE + 1]; /* of an index, for the platform */
    char known[DIGEST_SHA256_SIZE + 1]; /* what the caller of regtag_again has */
    const struct media_type *media_type;
    char *manifest;
    size_t manifest_size, manifest_max;
    struct document_memory memory;

    uint64_t drained; /* bytes of an answer's body that nobody wants */
    struct answer_words words;
    struct auth auth;
    struct listing listing;
    struct exchange exchange;
};

/* ---- What all phases use (operation.c) ------------------------------------------------------- */

/* Writes the request line and the fields that every request has. */
void operation_request(struct regtag *r, const char *method, struct slice target);

/* Begins a request for a manifest of the repository, by tag or digest. */
void operation_manifest_request(struct regtag *r, const char *method, struct slice reference);

/* Sends what was begun. It has until `until` to be answered. */
void operation_send(struct regtag *r, const char *method, struct slice body, uint64_t until);

/* exchange_step, with the deadline. Where the answer is a challenge or a redirection that can be followed,
 * that becomes the phase, and this answers EXCHANGE_MOVED; the request is sent again later. */
enum exchange_event operation_step(struct regtag *r, struct slice *body);

/* Takes a part of a body that is read for its words only, if at all. A long one is not waited for. */
void operation_drain(struct regtag *r, struct slice body);

/* Notes that a request is on its way, by whatever way; it has until `until` to be answered. */
void operation_sent(struct regtag *r, uint64_t until);

/* Lets a HEAD of this name follow the request just sent, unless it is better to wait with it. */
void operation_follow(struct regtag *r, const char *name);               /* look.c */
void operation_follow_request(struct regtag *r, struct slice reference); /* operation.c */

/* The next step of a request of whose answer only status, header and words count: EXCHANGE_WAIT,
 * EXCHANGE_MOVED, EXCHANGE_END, or EXCHANGE_FAILED when there was none. */
enum exchange_event operation_answer(struct regtag *r);

/* Goes on to another phase. */
enum regtag_event operation_go(struct regtag *r, enum phase phase);

/* The same, within what is being done for one name: what was tried in vain counts on. */
enum regtag_event operation_turn(struct regtag *r, enum phase phase);

/* Goes back to the phase that was left: its request is sent again, or has failed. */
enum regtag_event operation_repeat(struct regtag *r);
enum regtag_event operation_refuse(struct regtag *r, const struct error *problem);

/* The operation ends, well or with this problem. */
enum regtag_event operation_done(struct regtag *r);
enum regtag_event operation_failed(struct regtag *r, const struct error *problem);

/* Sets `whole` to a problem with what it is about in front: the reference as the user wrote it, with
 * `tag` instead of its own unless that is NULL. What a server repeats of our secrets is masked. */
void operation_describe(struct regtag *r, const char *tag, const struct error *problem,
                        struct error *whole);

/* Sets e to what the answer at hand means, which is not the one that was hoped for. */
void operation_explain(struct regtag *r, enum request_kind kind, struct error *e);

/* Tells something on the way, if anyone listens; secrets are masked, and long lines are cut. */
void operation_tell(struct regtag *r, enum regtag_trace kind, const char *format, ...)
    WRITER_FORMAT(3, 4);

/* Looks where a tag points, then goes on to phase `then`, with what was seen in r->look. (look.c) */
enum regtag_event operation_look(struct regtag *r, enum phase then);

/* Whether a GET may succeed where a HEAD was answered like this. That a tag is absent (404) is another matter:
 * only where something depends on it does a GET have to confirm it. (look.c) */
bool head_refused(unsigned status);

/* The header of a GET that checks a HEAD has come: decides whether to use HEAD in this run again. (look.c) */
void look_note_get(struct regtag *r);

/* Until when a change may go unanswered: a `part`th of the time that is left is for looking. (tagging.c) */
uint64_t operation_until(const struct regtag *r, unsigned part);

/* Whether the tag could be set without this look. (look.c) */
bool look_is_optional(const struct regtag *r);

/* Waits for a while, of at least so many milliseconds, then goes on to phase `then`; `problem` is why. False
 * when there is no trying again: it has been tried often enough, or the time is too short. (retry.c) */
bool operation_pause(struct regtag *r, const struct error *problem, uint64_t least, enum phase then);

/* The same, and then looks where the tag points before phase `then` goes on with it. (retry.c) */
bool operation_look_later(struct regtag *r, const struct error *problem, uint64_t least,
                          enum phase then);

/* What the answer at hand says about that; 0 where there is none. (retry.c) */
uint64_t asked_to_wait(const struct regtag *r);

/* Whether a request that has failed, or was answered with this, may fare better the next time. */
bool failure_passes(const struct regtag *r);
bool status_passes(unsigned http);

/* Whether the failure at hand is waited for here, and not by the phase itself. */
bool retry_handles(const struct regtag *r);

/* Keeps what an answer says about when to ask again. */
void retry_note_pace(struct regtag *r);

/* Goes for a new token, and then back to this phase, whose request is not sent yet; false when the one at
 * hand is still good. (detour.c) */
bool operation_renew_token(struct regtag *r);

/* Whether the guard of the tag at hand holds, by r->look; else *e says why it does not. (guard.c) */
bool guard_holds(const struct regtag *r, struct error *e);
bool guard_exists(const struct regtag *r);

/* Whether the configuration's guards are such; else r->error says what is wrong. */
bool guards_check(struct regtag *r);

/* What becomes of the name at hand, in r->result: settled as that, with a message unless it is NULL.
 * (tagging.c) */
enum regtag_event operation_settle(struct regtag *r, enum regtag_outcome outcome,
                                   const struct error *whole);

/* The tag points at the digest: since now, or since before. */
enum regtag_event operation_settle_well(struct regtag *r);
enum regtag_event operation_settle_unchanged(struct regtag *r);

/* The first index from `at` on whose name has not been there before. */
size_t names_next(const struct regtag *r, size_t at);

/* The name could not be set or deleted, or not for certain. */
enum regtag_event operation_settle_badly(struct regtag *r, enum regtag_outcome outcome,
                                         const struct error *problem);

/* Keeps what r->look has shown as that what was before. */
void operation_note_previous(struct regtag *r);

/* Decides, by the answer with the manifest at hand, whether names may be set together. (together.c) */
void together_init(struct regtag *r);

/* Begins with the names from r->index on, if there are enough. */
bool together_begin(struct regtag *r);

/* What is known of a name from there, or NULL. */
struct together_name *together_find(struct regtag *r, size_t index);

/* The name that is looked at behind the one at hand, or NULL. */
const char *together_following(const struct regtag *r);

/* ---- The phases ------------------------------------------------------------------------------ */

enum regtag_event phase_ask(struct regtag *r);          /* fetch.c */
enum regtag_event phase_fetch(struct regtag *r);        /* fetch.c */
enum regtag_event phase_words(struct regtag *r);        /* fetch.c */
enum regtag_event phase_next(struct regtag *r);         /* tagging.c */
enum regtag_event phase_seen(struct regtag *r);         /* tagging.c */
enum regtag_event phase_announced(struct regtag *r);    /* tagging.c */
enum regtag_event phase_gathered(struct regtag *r);     /* together.c */
enum regtag_event phase_announcing(struct regtag *r);   /* together.c */
enum regtag_event phase_together(struct regtag *r);     /* together.c */
enum regtag_event phase_upload(struct regtag *r);       /* tagging.c */
enum regtag_event phase_doubted(struct regtag *r);      /* tagging.c */
enum regtag_event phase_confirmed(struct regtag *r);    /* tagging.c */
enum regtag_event phase_condemn(struct regtag *r);      /* deleting.c */
enum regtag_event phase_condemned(struct regtag *r);    /* deleting.c */
enum regtag_event phase_delete(struct regtag *r);       /* deleting.c */
enum regtag_event phase_deleted(struct regtag *r);      /* deleting.c */
enum regtag_event phase_sibling(struct regtag *r);      /* deleting.c */
enum regtag_event phase_sibling_seen(struct regtag *r); /* deleting.c */
enum regtag_event phase_look(struct regtag *r);         /* look.c */
enum regtag_event phase_weigh(struct regtag *r);        /* look.c */
enum regtag_event phase_retry(struct regtag *r);        /* retry.c */
enum regtag_event phase_pause(struct regtag *r);        /* retry.c */
enum regtag_event phase_drain(struct regtag *r);        /* detour.c */
enum regtag_event phase_page(struct regtag *r);         /* listing.c */
enum regtag_event phase_challenge(struct regtag *r);    /* detour.c */
enum regtag_event phase_ping(struct regtag *r);         /* detour.c */
enum regtag_event phase_token(struct regtag *r);        /* detour.c */
enum regtag_event phase_redirect(struct regtag *r);     /* detour.c */

/* Whether an answer's header sends the operation on a detour: the phase, or PHASE_IDLE. */
enum phase detour_for(const struct regtag *r);

/* What is done with the tags of a list, when `ls` is not what it is for. (deleting.c) */
bool siblings_keep(struct regtag *r, const char *name);
enum regtag_event siblings_listed(struct regtag *r);
enum regtag_event siblings_failed(struct regtag *r, const struct error *problem);

/* Makes ready for the first page. */
void listing_begin(struct regtag *r, uint64_t limit);

#endif
