/* A slice is a pointer to bytes that someone else owns, and their number; there is no terminator. It is
 * valid as long as the memory it points into. Nothing here allocates or frees. */
#ifndef REGTAG_BASE_SLICE_H
#define REGTAG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;
};

/* A slice of a string literal, as an expression and as an initialiser. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_INIT(literal)                                                                             \
    {                                                                                                   \
        "" literal, sizeof(literal) - 1                                                                 \
    }

/* The two arguments for "%.*s" in write_format. */
#define SLICE_ARG(s) (int)(s).size, (s).data

struct slice slice_of(const char *text);               /* of a NUL-terminated string; NULL is empty */
struct slice slice_from(struct slice s, size_t start); /* without the first start bytes */
struct slice slice_head(struct slice s, size_t size);  /* at most the first size bytes */

bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII letters only */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_contains(struct slice s, struct slice part);

/* The position of the first c in s, or s.size when there is none. */
size_t slice_find(struct slice s, char c);

/* Whether s is not empty, and has nothing in it but ASCII letters, digits and characters of `others`. */
bool slice_is_word(struct slice s, const char *others);

/* Without the spaces and tabs at both ends (OWS of RFC 9110, 5.6.3). */
struct slice slice_trim(struct slice s);

/* Takes the part before the first `separator` off *rest and returns it; the separator is dropped.
 * Without a separator takes all, and leaves *rest with data NULL: nothing follows. */
struct slice slice_split(struct slice *rest, char separator);

/* 64-bit FNV-1a, for tables: of several slices, one after the other, beginning with HASH_START. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t slice_hash(uint64_t hash, struct slice s);

/* Parses all of s as a decimal number of at most `max`. False for anything else: an empty slice, a sign,
 * a space, a larger number. Leading zeros are allowed. */
bool slice_number(struct slice s, uint64_t max, uint64_t *number);

/* The value of a hexadecimal digit of either case, or -1. */
int hex_digit(char c);

/* ASCII only, whatever the locale. */
bool is_digit(char c);
bool is_lower(char c);
bool is_alnum(char c);
char to_lower(char c);

#endif
