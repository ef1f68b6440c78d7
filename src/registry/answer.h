/* What a registry's answer means: its HTTP status and the words of its error body, made into a status
 * of ours and a message. */
#ifndef REGTAG_REGISTRY_ANSWER_H
#define REGTAG_REGISTRY_ANSWER_H

#include "base/error.h"
#include "base/sizes.h"
#include "http/response.h"

enum request_kind {
    REQUEST_MANIFEST, /* GET or HEAD of a manifest */
    REQUEST_UPLOAD,
    /* PUT of a manifest */ REQUEST_DELETE, /* DELETE of a tag */
    REQUEST_DELETE_ALL,                     /* DELETE of a manifest by its digest */
    REQUEST_LIST,                           /* GET of a tag list */
    REQUEST_TOKEN                           /* to a token server */
};

/* The body of an answer that is not what was asked for: its beginning. */
struct answer_words {
    size_t size;
    char text[ANSWER_WORDS_MAX];
};

void answer_words_add(struct answer_words *words, struct slice body);

/* Sets e to what an answer other than the one that was hoped for means; returns the status. */
int answer_error(enum request_kind kind, const struct http_response *response,
                 const struct answer_words *words, struct error *e);

/* Reads Docker-Content-Digest. False when it is there and not a digest, or there twice; empty when it
 * is missing. */
bool answer_digest(const struct http_response *response, struct slice *digest);

#endif
