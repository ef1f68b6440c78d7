/* mbedTLS's allocator: one static arena, so that its size is known at build time and malloc is never
 * called. Unlike mbedTLS's own arena, which writes to all of its memory at the start, it does not touch
 * pages that are never needed. */
#ifndef REGTAG_NET_TLS_ARENA_H
#define REGTAG_NET_TLS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sizes.h"
#include "regtag.h"

/* Makes room for this many connections instead of REGTAG_CONNECTIONS_MIN. Does nothing after the first
 * allocation. */
void tls_arena_set_connections(unsigned connections);

/* Bytes that there are. */
size_t tls_arena_size(void);

/* calloc and free for mbedTLS; free wipes. */
void *tls_arena_calloc(size_t count, size_t size);
void tls_arena_free(void *memory);

/* Whether an allocation has failed since the last call. mbedTLS reports that under other errors. */
bool tls_arena_exhausted(void);

/* The most that was in use at a time, in bytes, with the blocks' headers: for choosing
 * TLS_ARENA_CONNECTION. `make figures` reads it from outside. */
size_t tls_arena_peak(void);

/* What is in use now. tests/adversity looks whether it grows. */
size_t tls_arena_in_use(void);

#endif
