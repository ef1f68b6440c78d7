#include "net/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent may have ended before prctl was called. If SIGCHLD were ignored, the kernel would reap the child by
 * itself: nobody could tell how it ended, and its number might be another process's when it is killed. */
pid_t child_fork(void)
{
    pid_t parent = getpid();
    signal(SIGCHLD, SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return child;
}

/* A child that runs with other rights (setuid) cannot be killed, so it is not waited for either. */
void child_end(pid_t child)
{
    if (kill(child, SIGKILL) == 0)
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
}
