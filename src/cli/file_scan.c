#include "cli/file_scan.h"

#include <errno.h>
#include <unistd.h>

#include "base/sizes.h"
#include "regtag_sockets.h"

uint64_t file_scan(int fd, uint64_t most, uint64_t deadline,
                   void (*visit)(void *context, const void *bytes, size_t size), void *context)
{
    static char block[FETCH_BLOCK];
    uint64_t at = 0;
    while (at < most && regtag_clock() < deadline) {
        size_t size = most - at < sizeof block ? (size_t)(most - at) : sizeof block;
        ssize_t n = read(fd, block, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        visit(context, block, (size_t)n);
        at += (uint64_t)n;
    }
    return at;
}
