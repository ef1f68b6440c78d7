/* Validates a field section of HTTP/1.1 (RFC 9112, 5), the header of a message or the trailer of a
 * chunked body, byte by byte. Refuses what is ambiguous: folded lines, white space before a colon, NUL,
 * a bare CR. A bare LF ends a line (2.2). */
#ifndef REGTAG_HTTP_FIELDS_H
#define REGTAG_HTTP_FIELDS_H

#include "base/slice.h"

enum fields_progress {
    FIELDS_MORE,  /* not at the end yet */
    FIELDS_END,   /* the empty line has been taken */
    FIELDS_BROKEN /* `problem` says why; no more may be taken */
};

struct http_fields {
    unsigned char state; /* 0: at the start of a line */
    const char *problem; /* with FIELDS_BROKEN */
};

/* Takes the bytes of the section off *in. The caller keeps them if they are needed. */
enum fields_progress http_fields_take(struct http_fields *f, struct slice *in);

/* Takes the next field off a valid section. False at its end. */
bool http_field_next(struct slice *section, struct slice *name, struct slice *value);

/* Takes the next element off a comma-separated list of tokens (RFC 9110, 5.6.1), and skips empty ones.
 * Knows no quoted strings. False at the end. */
bool http_list_next(struct slice *list, struct slice *element);

/* Whether c may stand in a token (RFC 9110, 5.6.2). */
bool is_token_char(char c);

#endif
