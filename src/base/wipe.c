#include "base/wipe.h"

#include <string.h>

void wipe(void *memory, size_t size)
{
    /* Called through a volatile pointer, so that the compiler cannot know what it calls. */
    void *(*volatile fill)(void *, int, size_t) = memset;
    if (size)
        fill(memory, 0, size);
}
