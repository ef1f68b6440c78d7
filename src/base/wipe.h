/* Forgetting secrets. */
#ifndef REGTAG_BASE_WIPE_H
#define REGTAG_BASE_WIPE_H

#include <stddef.h>

/* Writes zeros over memory, even if nobody reads it any more: a compiler may drop a memset there. */
void wipe(void *memory, size_t size);

#endif
