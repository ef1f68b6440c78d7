/* Child processes that must not outlive us. */
#ifndef REGTAG_NET_CHILD_H
#define REGTAG_NET_CHILD_H

#include <sys/types.h>

/* Like fork. However the parent ends, the kernel kills the child. */
pid_t child_fork(void);

/* Kills a child that was not waited for yet, and waits for it. */
void child_end(pid_t child);

#endif
