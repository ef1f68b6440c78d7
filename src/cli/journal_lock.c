#include "cli/journal_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "cli/output.h"
#include "regtag_sockets.h"

#define PAUSE 50 /* milliseconds from one try to the next */

/* Of POSIX, and so the kind of lock that NFS has as well. It belongs to the process: a child does not get
 * it, and the end of the process, whatever that is, releases it. Returns 0, or errno. */
static int try_lock(int fd, short type)
{
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno;
}

static bool is_busy(int problem)
{
    return problem == EAGAIN || problem == EACCES || problem == EINTR;
}

/* Tries again and again, since F_SETLKW has no deadline. */
bool journal_lock(const struct journal *j, enum journal_mode mode, uint64_t deadline, bool quiet,
                  struct error *e)
{
    short type = mode == JOURNAL_READ ? F_RDLCK : F_WRLCK;
    int problem = try_lock(j->fd, type);
    if (is_busy(problem) && !quiet)
        output_message("waiting for another undo of %s to finish", j->path);
    while (is_busy(problem) && regtag_clock() < deadline) {
        poll(NULL, 0, PAUSE);
        problem = try_lock(j->fd, type);
    }
    if (is_busy(problem))
        error_set(e, REGTAG_E_OTHER,
                  "another undo of the journal %s did not finish in time (--timeout); nothing was done",
                  j->path);
    else if (problem && !quiet)
        output_message("warning: cannot lock the journal %s: %s; run no other undo of it now", j->path,
                       strerror(problem));
    return e->status == 0;
}
