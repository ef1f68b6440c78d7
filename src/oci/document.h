/* A JSON document held in memory, with jsmn's index of its values, so that its members can be looked up.
 * The validator of json.h runs first, since jsmn by itself accepts much that is not JSON. */
#ifndef REGTAG_OCI_DOCUMENT_H
#define REGTAG_OCI_DOCUMENT_H

#ifndef JSMN_PARENT_LINKS
#define JSMN_PARENT_LINKS /* makes closing a bracket O(1) */
#endif
#ifndef JSMN_STATIC
#define JSMN_HEADER
#endif
#include <jsmn.h>

#include "base/error.h"
#include "oci/json.h"

/* A key and the hash of its characters, for finding duplicates. */
struct document_key {
    int token;
    uint32_t hash;
};

/* The caller's memory for the index. At most every second token is a key. */
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

/* Less than, equal to, or greater than 0. */
typedef int (*document_order)(const struct document *d, struct document_key a, struct document_key b);

/* Compares two raw strings by their characters, unescaped, where `lowest` comes before all others; NO_CHARACTER: none
 * does. Less than, equal to, or greater than 0. */
#define NO_CHARACTER UINT32_MAX
int document_compare(struct slice a, struct slice b, uint32_t lowest);

/* Heapsort: n log n for any input, however hostile, and no memory of its own. */
void document_sort(const struct document *d, struct document_key *keys, size_t count,
                   document_order compare);

#define NO_VALUE (-1)

/* The validation of a document as it arrives. To begin, clear the whole struct: (struct document_scan){0}. */
struct document_scan {
    struct json json;
    unsigned values; /* and keys: the tokens that they will need */
};

/* Takes the next part. False, and from then on, once what has come cannot become a document that is accepted: it is not
 * JSON, or needs more than tokens_max tokens. The rest of the part is not read then. */
bool document_scan_take(struct document_scan *s, struct slice part, unsigned tokens_max);

/* Indexes a text that was taken, to its end or until that was false. False, and e set with REGTAG_E_REFUSED,
 * if it is not valid or an object in it has the same key twice (compared unescaped). `what` names the
 * document in the message. */
bool document_index_scanned(struct document *d, struct slice text, struct document_scan *s,
                            const struct document_memory *memory, const char *what, struct error *e);

/* Validates and indexes a text in one go. */
bool document_index(struct document *d, struct slice text, const struct document_memory *memory,
                    const char *what, struct error *e);

/* The same for a text that document_index has accepted, with as much memory: it need not be validated again. */
void document_index_again(struct document *d, struct slice text, const struct document_memory *memory);

/* Values are numbered: 0 is the document itself. NO_VALUE may be passed anywhere. */

/* The value of the member `name` of an object, or NO_VALUE. Sets *alike (never clears it) if another key
 * differs from the name only in case: Go's decoder, and so most registries, would take it for the
 * same. */
int document_member(const struct document *d, int object, struct slice name, bool *alike);

/* The first value of an array and the one after `value` in it, or NO_VALUE. */
int document_first(const struct document *d, int array);
int document_next(const struct document *d, int value);

/* The first key of an object and the one after `key` in it, or NO_VALUE. A key is a string; its value
 * has the number key + 1. */
int document_first_key(const struct document *d, int object);
int document_next_key(const struct document *d, int key);

bool document_is_object(const struct document *d, int value);
bool document_is_array(const struct document *d, int value);
bool document_is_string(const struct document *d, int value);
bool document_is_null(const struct document *d, int value);

/* The text of a string without its quotes, but with its escapes; or of a number. Empty for anything
 * else. */
struct slice document_string(const struct document *d, int value);
struct slice document_number(const struct document *d, int value);

/* Whether a value is a string that equals this text once unescaped. */
bool document_is_text(const struct document *d, int value, struct slice text);

/* Writes a string, unescaped, in UTF-8. False if it is not a string, has half a surrogate pair in it, or
 * does not fit; a part of it may have been written then. */
bool document_write(const struct document *d, int value, struct writer *w);

#endif
