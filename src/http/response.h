/* Parses an answer of HTTP/1.1 (RFC 9112) as it arrives, in pieces of any size. Interim answers (1xx)
 * are skipped. The framing of the body is decided once, in one place, when the header is complete; what
 * is ambiguous is refused. */
#ifndef REGTAG_HTTP_RESPONSE_H
#define REGTAG_HTTP_RESPONSE_H

#include "base/sizes.h"
#include "http/chunked.h"

enum http_event {
    HTTP_MORE,  /* the input is used up */
    HTTP_HEAD,  /* the status line and the header of the final answer are complete */
    HTTP_BODY,  /* *body is the next part of the content */
    HTTP_END,   /* the answer is complete, and stays so; the rest of the input is not part of it */
    HTTP_BROKEN /* not HTTP/1.1, or cut off, and stays so; `problem` says why */
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_response {
    unsigned status;           /* from HTTP_HEAD on */
    enum http_framing framing; /* from HTTP_HEAD on */
    uint64_t length;           /* with HTTP_LENGTH: bytes of the body yet to come */
    bool keep_alive;           /* the connection stays usable after the end */
    const char *problem;       /* NULL, or what is wrong */

    bool head_request;
    bool connect_request; /* set after http_response_start: a 2xx opens a tunnel, and has no body */
    bool http_1_0;
    unsigned char state;
    char *head;       /* the caller's HTTP_HEAD_MAX bytes */
    size_t head_size; /* so far */
    size_t fields_at; /* where in it the header section begins */
    struct http_fields fields;
    struct http_chunked chunked;
};

/* Begins an answer. `head_request`: the request was a HEAD, so there is no body. */
void http_response_start(struct http_response *r, bool head_request, char head[HTTP_HEAD_MAX]);

/* Continues to the next event. Takes the bytes that it used off *in; *body points into them. */
enum http_event http_response_take(struct http_response *r, struct slice *in, struct slice *body);

/* The connection has ended: HTTP_END if that completes the answer, else HTTP_BROKEN. `cut`: without a
 * proper close, as by TLS's close_notify, so that it completes nothing. */
enum http_event http_response_eof(struct http_response *r, bool cut);

/* Whether any byte of an answer has arrived. */
bool http_response_begun(const struct http_response *r);

/* From HTTP_HEAD on: the header section, for http_field_next. */
struct slice http_response_fields(const struct http_response *r);

/* The status line, without its line end. */
struct slice http_response_status_line(const struct http_response *r);

/* The value of a field; empty if there is none. False if it occurs more than once with different
 * values. */
bool http_response_field(const struct http_response *r, struct slice name, struct slice *value);

/* Whether the peer seems to speak TLS instead of HTTP. */
bool http_response_is_tls(const struct http_response *r);

#endif
