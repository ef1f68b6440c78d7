/* Base64 (RFC 4648). */
#ifndef REGTAG_BASE_BASE64_H
#define REGTAG_BASE_BASE64_H

#include "base/writer.h"

/* Decodes s, in the standard or the URL alphabet, padded or not, into memory of `max` bytes; `memory`
 * may be s itself. False if s is not Base64 or does not fit. */
bool base64_decode(struct slice s, char *memory, size_t max, struct slice *decoded);

/* Writes s in the standard alphabet, padded. */
void write_base64(struct writer *w, struct slice s);

/* The same for a text in parts: clear the whole struct, add each part, then call base64_end. */
struct base64 {
    unsigned char group[3];
    size_t size;
};

void base64_add(struct base64 *b, struct slice part, struct writer *w);
void base64_end(struct base64 *b, struct writer *w);

#endif
