/* A JSON document held whole, with an index of its values (jsmn's) over a fixed array, so that its
 * members can be looked up. Only what the validator of json.h has passed is indexed: jsmn by itself
 * takes much that is not JSON. */
#ifndef REGTAG_OCI_DOCUMENT_H
#define REGTAG_OCI_DOCUMENT_H

#ifndef JSMN_PARENT_LINKS
#define JSMN_PARENT_LINKS /* closing a bracket is one step, not a walk back */
#endif
#ifndef JSMN_STATIC
#define JSMN_HEADER
#endif
#include <jsmn.h>

#include "base/error.h"

/* A key and the hash of its characters, for finding duplicates. */
struct document_key {
    int token;
    uint32_t hash;
};

/* The memory for the index of a document: the caller's. Every second token at most is a key. */
struct document_memory {
    jsmntok_t *tokens;         /* tokens_max of them */
    struct document_key *keys; /* tokens_max / 2 of them */
    unsigned tokens_max;
};

#define DOCUMENT_MEMORY_SIZE(tokens_max)                                                                \
    ((tokens_max) * sizeof(jsmntok_t) + (tokens_max) / 2 * sizeof(struct document_key))

struct document {
    struct slice text;
    const jsmntok_t *tokens;
    int count;
};

#define NO_VALUE (-1)

/* Validates and indexes `text` and makes sure that no object in it has a key twice (compared as they
 * are meant, without escapes). False, and e set with REGTAG_REFUSED, otherwise; `what` names the
 * document in the message. */
bool document_index(struct document *d, struct slice text, const struct document_memory *memory,
                    const char *what, struct error *e);

/* Values are numbered; 0 is the document itself, NO_VALUE is none and may be passed anywhere. */

/* The value of the member `name` of an object, or NO_VALUE. *alike is set (never cleared) when a key
 * differs from the name in case only: Go's decoder, and so most registries, would take it for it. */
int document_member(const struct document *d, int object, struct slice name, bool *alike);

/* The first value of an array and the one behind `value` in it, or NO_VALUE. */
int document_first(const struct document *d, int array);
int document_next(const struct document *d, int value);

/* The first key of an object and the one behind `key` in it, or NO_VALUE. A key is a string; its value has
 * the number key + 1. */
int document_first_key(const struct document *d, int object);
int document_next_key(const struct document *d, int key);

bool document_is_object(const struct document *d, int value);
bool document_is_array(const struct document *d, int value);
bool document_is_string(const struct document *d, int value);
bool document_is_null(const struct document *d, int value);

/* The text of a string without its quotes, escapes as written; that of a number, as written; empty
 * for anything else. */
struct slice document_string(const struct document *d, int value);
struct slice document_number(const struct document *d, int value);

/* Whether a value is a string that means this text, however it is written. */
bool document_is_text(const struct document *d, int value, struct slice text);

/* Writes the text that a string means, in UTF-8. False when it is no string, when it has half a surrogate
 * pair in it, or when it does not fit; a part of it may then have been written. */
bool document_write(const struct document *d, int value, struct writer *w);

#endif
