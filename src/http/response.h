/* An answer of HTTP/1.1 (RFC 9112), taken apart as it arrives, in pieces of any size. Interim answers
 * (1xx) are skipped. How the body is framed is decided once, in one place, when the header is complete;
 * what could be read in two ways is refused. */
#ifndef REGTAG_HTTP_RESPONSE_H
#define REGTAG_HTTP_RESPONSE_H

#include "base/sizes.h"
#include "http/chunked.h"

enum http_event {
    HTTP_MORE,  /* the input is used up */
    HTTP_HEAD,  /* the status line and the header of the final answer are complete */
    HTTP_BODY,  /* *body is the next part of the content */
    HTTP_END,   /* the answer is complete. Stays so; what follows in the input is not part of it */
    HTTP_BROKEN /* not HTTP/1.1, or cut off: `problem` says why. Stays so */
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_response {
    unsigned status;           /* from HTTP_HEAD on */
    enum http_framing framing; /* from HTTP_HEAD on */
    uint64_t length;           /* with HTTP_LENGTH: bytes of the body that are still to come */
    bool keep_alive;           /* the connection can take another request after the end */
    const char *problem;       /* NULL, or what is wrong */

    bool head_request;
    bool http_1_0;
    unsigned char state;
    char *head;       /* the caller's HTTP_HEAD_MAX bytes */
    size_t head_size; /* so far */
    size_t fields_at; /* where in it the header section begins */
    struct http_fields fields;
    struct http_chunked chunked;
};

/* Begins an answer. `head_request` says that the request was a HEAD, whose answer has no body. */
void http_response_start(struct http_response *r, bool head_request, char head[HTTP_HEAD_MAX]);

/* Goes on to the next event. Takes what it has used off *in; *body points into it. */
enum http_event http_response_take(struct http_response *r, struct slice *in, struct slice *body);

/* The connection has ended: HTTP_END when the answer is complete with that, else HTTP_BROKEN. `cut` says
 * that nobody said that it was meant to end, so that it completes nothing. */
enum http_event http_response_eof(struct http_response *r, bool cut);

/* Whether anything of an answer has come yet. */
bool http_response_begun(const struct http_response *r);

/* From HTTP_HEAD on: the header section, for http_field_next. */
struct slice http_response_fields(const struct http_response *r);

/* The status line, without its end. */
struct slice http_response_status_line(const struct http_response *r);

/* The value of a field that has one value; empty where there is none. False when it is there more
 * than once with different values. */
bool http_response_field(const struct http_response *r, struct slice name, struct slice *value);

/* Whether what came instead of HTTP looks like TLS. */
bool http_response_is_tls(const struct http_response *r);

#endif
