/* A streaming validator for JSON (RFC 8259) in constant memory. It takes any number of bytes at a time
 * and reports what it finds, so that a document of any length can be read as it arrives. It checks
 * grammar, UTF-8 and depth; duplicate keys are up to the caller. */
#ifndef REGTAG_OCI_JSON_H
#define REGTAG_OCI_JSON_H

#include "base/slice.h"

#define JSON_DEPTH_MAX 64 /* objects and arrays within each other; one bit of memory each */

enum json_event {
    JSON_MORE,   /* the input is used up */
    JSON_OBJECT, /* '{' */
    JSON_ARRAY,  /* '[' */
    JSON_CLOSE,  /* '}' or ']'; `depth` no longer counts it */
    JSON_TEXT,   /* a part of a string, without its escapes; in_key tells a key from a value */
    JSON_STRING, /* the end of a string */
    JSON_SCALAR, /* a number, true, false or null begins; `scalar` is its first character */
    JSON_BROKEN  /* not JSON, and stays so; `problem` says why */
};

/* To begin a document, clear the whole struct: (struct json){0}. Callers may read it, but not write to
 * it. */
struct json {
    unsigned depth;      /* how many objects and arrays are open */
    bool in_key;         /* the current string is a key */
    char scalar;         /* see JSON_SCALAR */
    uint32_t whole;      /* of a number that has ended: its digits before the point; at most 10^9 */
    const char *problem; /* NULL, or what is wrong */
    uint64_t offset;     /* bytes taken so far; with JSON_BROKEN, of the bad one */

    unsigned char state;
    unsigned char utf8_left;          /* continuation bytes that must follow */
    unsigned char utf8_min, utf8_max; /* between which the next of them must lie */
    unsigned char hex_left;           /* digits of \uXXXX that must follow */
    uint16_t unit;                    /* those read so far */
    const char *literal;              /* what is left of true, false, null */
    uint64_t objects;                 /* bit 0: the innermost open one is an object, not an array */
    char decoded[3];                  /* where JSON_TEXT points for an escape */
};

/* Continues to the next event. Takes the bytes that it used off *in. For JSON_TEXT, *text is valid until
 * the next call; \uXXXX comes as the UTF-8 of that one unit, the halves of a surrogate pair
 * separately. */
enum json_event json_next(struct json *j, struct slice *in, struct slice *text);

/* To be called at the end of the input. False if the document is not complete; `problem` says why. */
bool json_end(struct json *j);

/* Takes the next character off the text between the quotes of a valid JSON string, with escapes decoded
 * and surrogate pairs joined; half a pair is returned as it is. False at its end. */
bool json_character(struct slice *raw, uint32_t *code);

#endif
