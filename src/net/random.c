#define _DEFAULT_SOURCE /* getrandom */

#include "net/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

/* For kernels without getrandom. */
static bool read_file(void *bytes, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, size);
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)size;
}

bool random_secret(void *bytes, size_t size)
{
    unsigned char *p = bytes;
    while (size) {
        ssize_t n = getrandom(p, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return read_file(p, size);
        p += n;
        size -= (size_t)n;
    }
    return true;
}

int random_bytes(void *context, void *bytes, size_t size)
{
    (void)context;
    if (getrandom(bytes, size, GRND_NONBLOCK) == (ssize_t)size)
        return 0;
    return read_file(bytes, size) ? 0 : -1;
}
