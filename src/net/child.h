/* Child processes that must not outlive us. */
#ifndef REGTAG_NET_CHILD_H
#define REGTAG_NET_CHILD_H

#include <sys/types.h>

/* To be called in a child right after fork. However its parent ends, the kernel kills the child. */
void child_dies_with(pid_t parent);

#endif
