#include "base/wipe.h"

#include <string.h>

void wipe(void *memory, size_t size)
{
    /* Called through a pointer that might change, so that no compiler knows what it does. */
    void *(*volatile fill)(void *, int, size_t) = memset;
    if (size)
        fill(memory, 0, size);
}
