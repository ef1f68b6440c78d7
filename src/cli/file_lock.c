#include "cli/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "regtag_sockets.h"

#define PAUSE 50 /* milliseconds from one try to the next */

/* Of POSIX, and so the kind of lock that NFS has as well. It belongs to the process: a child does not get
 * it, and the end of the process, whatever that is, releases it. */
int file_lock(int fd, bool exclusive)
{
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = exclusive ? F_WRLCK : F_RDLCK;
    lock.l_whence = SEEK_SET;
    return fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno;
}

bool file_lock_busy(int problem)
{
    return problem == EAGAIN || problem == EACCES || problem == EINTR;
}

/* Not by F_SETLKW, which has no deadline. */
int file_lock_wait(int fd, bool exclusive, uint64_t deadline)
{
    int problem = file_lock(fd, exclusive);
    while (file_lock_busy(problem) && regtag_clock() < deadline) {
        poll(NULL, 0, PAUSE);
        problem = file_lock(fd, exclusive);
    }
    return problem;
}
