/* What an answer means that is not the one hoped for: its HTTP status and the words in its body, made into a status
 * of ours and a message. What a status means depends on what was asked; whoever asks brings a table. */
#ifndef REGTAG_CLIENT_ANSWER_H
#define REGTAG_CLIENT_ANSWER_H

#include "base/error.h"
#include "base/sizes.h"
#include "http/response.h"

/* The beginning of a body that explains an answer. */
struct answer_words {
    size_t size;
    char text[ANSWER_WORDS_MAX];
};

void answer_words_add(struct answer_words *words, struct slice body);

/* How the code of a registry's error begins. */
enum answer_code { CODE_ANY, CODE_TAG_INVALID, CODE_MANIFEST };

/* What an HTTP status from `first` to `last`, with such a code, means. */
struct meaning {
    unsigned short first, last;
    unsigned char status; /* one of ours */
    unsigned char code;
    const char *text;
};

/* A table ends with an entry of zeros. */
extern const struct meaning ANSWER_MEANINGS[]; /* what holds for every request */

/* Sets e to what an answer means, by the table, or else by ANSWER_MEANINGS; `who` stands in front of the message. Returns
 * the status. */
int answer_error(const struct meaning *table, const struct http_response *response,
                 const struct answer_words *words, struct slice who, struct error *e);

/* Reads Docker-Content-Digest. False when it is there and not a digest, or there twice; empty when it
 * is missing. */
bool answer_digest(const struct http_response *response, struct slice *digest);

#endif
