#include "cli/file_sync.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

int file_sync(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

/* What fsync says of a directory whose file system cannot sync one, in contrast to failing at it. */
static bool is_unsupported(int problem)
{
    return problem == EINVAL || problem == ENOTSUP || problem == ENOSYS || problem == EBADF;
}

int folder_sync(int fd)
{
    int problem = file_sync(fd);
    return is_unsupported(problem) ? 0 : problem;
}
