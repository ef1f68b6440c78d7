/* Turns an unsuccessful response, its HTTP status and the message in its body, into a REGTAG_ status and
 * an error message. What an HTTP status means depends on the request, so each caller brings its own
 * table. */
#ifndef REGTAG_CLIENT_ANSWER_H
#define REGTAG_CLIENT_ANSWER_H

#include "base/error.h"
#include "base/sizes.h"
#include "http/response.h"

/* The beginning of an error response's body. */
struct answer_words {
    size_t size;
    char text[ANSWER_WORDS_MAX];
};

void answer_words_add(struct answer_words *words, struct slice body);

/* Prefixes of the error code that a registry sends; or CODE_FIXED: its words say that the tag is immutable
 * or protected, or that nothing may be updated. */
enum answer_code { CODE_ANY, CODE_TAG_INVALID, CODE_MANIFEST, CODE_FIXED };

/* What an HTTP status from `first` to `last` means when the registry's error has this code. */
struct meaning {
    unsigned short first, last;
    unsigned char status; /* REGTAG_... */
    unsigned char code;   /* enum answer_code */
    unsigned char hint;   /* enum regtag_hint; 0: none */
    const char *text;
};

/* Fallback for every request. Callers' tables end with an all-zero entry or one that
 * matches everything. */
extern const struct meaning ANSWER_MEANINGS[];

/* Sets e, with a hint if there is one, to what the response means, according to `table` or else
 * ANSWER_MEANINGS, and returns the REGTAG_ status. The message is prefixed with `who`. */
int answer_error(const struct meaning *table, const struct http_response *response,
                 const struct answer_words *words, struct slice who, struct error *e);

/* Whether the content comes as it is (RFC 9110, 8.4), as was requested; else e is set with REGTAG_E_PROTOCOL. */
bool answer_is_plain(const struct http_response *response, struct error *e);

/* Whether to give up on content that cannot become a document any more. Up to BAD_DOCUMENT_MAX bytes are read
 * all the same, since a wrong digest says more than a bad byte: then what is reported does not depend on how the
 * bytes come. `taken`: how many there are already. */
bool answer_is_long(const struct http_response *response, size_t taken);

/* Reads Docker-Content-Digest; *digest is empty if the field is missing. False if it is not a valid
 * digest or occurs twice. */
bool answer_digest(const struct http_response *response, struct slice *digest);

/* Whether it may be about content with this digest: it states no other one. */
bool answer_fits(const struct http_response *response, struct slice digest);

/* As answer_digest, of a digest that can be checked: false, and e set with REGTAG_E_PROTOCOL, if it is not a SHA-256,
 * either. */
bool answer_sha256(const struct http_response *response, struct slice *digest, struct error *e);

/* Whether content with the digest `found` is what the answer states, unless that is empty; else e is set with
 * REGTAG_E_REFUSED. The message calls the content `what`. */
bool answer_digest_matches(struct slice stated, struct slice found, const char *what, struct error *e);

/* The digest after a 304 to If-None-Match: `known`, unless Docker-Content-Digest or ETag names another one.
 * False as for answer_digest. */
bool answer_still(const struct http_response *response, struct slice known, struct slice *digest);

#endif
