/* Decodes the chunked transfer coding (RFC 9112, 7.1) as it arrives. Chunk extensions and the trailer
 * are checked and dropped. */
#ifndef REGTAG_HTTP_CHUNKED_H
#define REGTAG_HTTP_CHUNKED_H

#include "base/sizes.h"
#include "http/fields.h"

enum chunked_progress {
    CHUNKED_MORE,  /* the input is used up */
    CHUNKED_DATA,  /* *data is the next part of the content */
    CHUNKED_END,   /* the body is complete */
    CHUNKED_BROKEN /* `problem` says why; no more may be taken */
};

/* To begin a body, clear the whole struct. */
struct http_chunked {
    unsigned char state;
    bool digits;      /* the chunk's size has at least one digit */
    unsigned line;    /* bytes of its line, so far */
    unsigned extra;   /* bytes of extensions and padding, so far, of all chunks */
    uint64_t size;    /* of the chunk; then what is left of its data */
    uint64_t trailer; /* bytes of the trailer, so far */
    struct http_fields fields;
    const char *problem;
};

/* Continues to the next part. Takes the bytes that it used off *in; *data points into them. */
enum chunked_progress http_chunked_take(struct http_chunked *c, struct slice *in, struct slice *data);

#endif
