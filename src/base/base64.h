/* Base64 after RFC 4648. */
#ifndef REGTAG_BASE_BASE64_H
#define REGTAG_BASE_BASE64_H

#include "base/writer.h"

/* Decodes s, in the ordinary or the URL's alphabet, padded or not, into memory of `max` bytes,
 * which may be where s itself lies. False when s is not Base64 or does not fit. */
bool base64_decode(struct slice s, char *memory, size_t max, struct slice *decoded);

/* Writes s in the ordinary alphabet, padded. */
void write_base64(struct writer *w, struct slice s);

/* The same for a text in several parts, which is never put together in memory: to begin, clear the whole
 * struct; then each part, then the end. */
struct base64 {
    unsigned char group[3];
    size_t size;
};

void base64_add(struct base64 *b, struct slice part, struct writer *w);
void base64_end(struct base64 *b, struct writer *w);

#endif
