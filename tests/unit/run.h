/* One operation of regtag.h against the registry of wire.h, and what it has told. */
#ifndef RUN_H
#define RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "regtag_sha256.h"
#include "regtag.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAMES_MAX 128
#define MANIFEST_MAX 16384
#define TOKENS_MAX 256
#define TIMEOUT 60000

#define CONFIG                                                                                          \
    "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":2,"                           \
    "\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}"

/* The registry has the repository "a", with the tags "base" for the manifest NEW, "new" for OLD. */
extern const char OCI[], SCHEMA1[], INDEX[], ZEROS[];
#define NEW "{\r\n  \"schemaVersion\": 2,\r\n  \"config\": " CONFIG ",\r\n  \"layers\": []\r\n}\r\n"
#define OLD "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"annotations\":{\"a\":\"old\"}}"
#define RIVAL                                                                                           \
    "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"annotations\":{\"a\":\"rival\"}}"

struct run {
    struct wire wire;
    struct regtag_config config;
    struct regtag_sha256_context hash;
    struct guard block;
    struct regtag *regtag;
    struct regtag_want want[WIRE_LINES];
    unsigned steps;
    bool impatient;      /* calls more often than it must */
    bool refuses_upload; /* stops at the first REGTAG_UPLOAD */
    bool fetches;        /* settles blobs, whose outcome says nothing */

    enum regtag_event end;
    size_t uploads, settled, listed;
    enum regtag_outcome outcome[NAMES_MAX];
    enum regtag_status status[NAMES_MAX];
    char name[NAMES_MAX][129];
    char previous[NAMES_MAX][72];
    enum regtag_previous before[NAMES_MAX];
    enum regtag_hint hint[NAMES_MAX];
    char digest[72];
    char notes[8192]; /* what was traced: a line each, '>', '<', '-' or '!' in front */
    size_t notes_size;
};

/* A registry, and an operation that is told nothing yet. */
void begin(struct run *run);

/* The same after the configuration was changed, or for another operation. */
void begin_again(struct run *run);

/* The same with so many connections, of which the second is not for the registry. */
void widen(struct run *run, size_t connections);

/* Also checks that nothing but the operation's block was written to. */
void finish(struct run *run);

/* One step, and the wait behind it. False when the operation is over. */
bool step(struct run *run);
void run_on(struct run *run);

/* Gives localhost/a:base the tag "new". */
void tag_one(struct run *run);
void delete_one(struct run *run);

/* Keeps in `notes` what is told on the way; after begin(). */
void take_notes(struct run *run, bool wire);

void expect_end(const struct run *run, enum regtag_status status);

/* These words are in the message of the error. */
void expect_text(const struct run *run, const char *words);

/* What the registry was asked, "METHOD REFERENCE\n" each. */
void expect_asked(const struct run *run, const char *requests);

/* What became of the only name. */
void expect_outcome(const struct run *run, enum regtag_outcome outcome);

/* Gives localhost/a the tag "index", for an index with one image, NEW for linux/arm. */
void push_arm_index(struct run *run);

bool points_at(const struct run *run, const char *tag, const char *manifest);
bool points_at_bytes(const struct run *run, const char *tag, const char *manifest, size_t size);
#define IS_NEW(run, tag) points_at(run, tag, NEW)
#define IS_OLD(run, tag) points_at(run, tag, OLD)

/* The digest of a text. In static memory, one for each of these. */
const char *digest_of_new(void);
const char *digest_of_old(void);
const char *digest_of_rival(void);

bool is_good(enum regtag_outcome outcome);

/* What is told about "new" is what has happened to it; nobody else has moved it. */
void expect_truth(const struct run *run, const char *when);

size_t count_of(const char *text, const char *part);

#endif
