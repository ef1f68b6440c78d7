/* A field section of HTTP/1.1 (RFC 9112, 5): the header of a message or the trailer of a chunked body,
 * checked byte by byte. What could be read in two ways is refused: folded lines, white space before a
 * colon, NUL, a CR that no LF follows. A lone LF ends a line (2.2). */
#ifndef REGTAG_HTTP_FIELDS_H
#define REGTAG_HTTP_FIELDS_H

#include "base/slice.h"

enum fields_progress {
    FIELDS_MORE, /* not at the end yet */
    FIELDS_END,  /* the empty line has been taken */
    FIELDS_BROKEN
};

struct http_fields {
    unsigned char state; /* 0: at the start of a line */
    const char *problem; /* what is wrong, with FIELDS_BROKEN */
};

/* Takes what belongs to the section off *in. Whoever calls keeps the bytes if they are needed. */
enum fields_progress http_fields_take(struct http_fields *f, struct slice *in);

/* Takes the next field off a section that has passed. False at its end. */
bool http_field_next(struct slice *section, struct slice *name, struct slice *value);

/* Takes the next element off a comma-separated list (RFC 9110, 5.6.1); empty ones are skipped. The
 * elements are tokens: a comma within a quoted string would end one. False at the end. */
bool http_list_next(struct slice *list, struct slice *element);

/* Whether c may stand in a token (RFC 9110, 5.6.2). */
bool is_token_char(char c);

#endif
