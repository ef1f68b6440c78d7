/* The memory of mbedTLS: one static arena, so that how much there is is decided when the program is built
 * and libc's malloc is never called. Pages of it that were never used are never touched, which is why
 * mbedTLS's own arena is not it: that one writes to all of its memory at the start. */
#ifndef REGTAG_NET_TLS_ARENA_H
#define REGTAG_NET_TLS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sizes.h"
#include "regtag.h"

#define TLS_ARENA_SIZE (REGTAG_CONNECTIONS * TLS_ARENA_CONNECTION)

/* calloc and free, as mbedTLS calls them. */
void *tls_arena_calloc(size_t count, size_t size);
void tls_arena_free(void *memory);

/* Whether there was too little memory once since the last call; mbedTLS does not always say so. */
bool tls_arena_exhausted(void);

/* The most that was in use at a time, in bytes, with the headers of the blocks. For those who tune
 * TLS_ARENA_CONNECTION; make figures reads it from outside. */
size_t tls_arena_peak(void);

#endif
