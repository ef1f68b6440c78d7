#include "net/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The parent may have ended before prctl was called. */
void child_dies_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}
