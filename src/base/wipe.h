/* Wiping secrets. */
#ifndef REGTAG_BASE_WIPE_H
#define REGTAG_BASE_WIPE_H

#include <stddef.h>

/* Overwrites memory with zeros. A compiler may drop a memset of memory that is not read again, but not
 * this. */
void wipe(void *memory, size_t size);

#endif
