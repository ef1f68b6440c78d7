/* Child processes that must not outlive us. */
#ifndef REGTAG_NET_CHILD_H
#define REGTAG_NET_CHILD_H

#include <sys/types.h>

/* In a child, `parent` being the process that it was forked by: however that one ends, the kernel ends the
 * child with SIGKILL. */
void child_ends_with(pid_t parent);

#endif
