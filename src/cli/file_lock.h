/* Keeps processes that work on the same file apart. */
#ifndef REGTAG_CLI_FILE_LOCK_H
#define REGTAG_CLI_FILE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Locks the whole file, exclusively or only against writers, unless another process has a lock on it. The lock
 * ends when the file is closed, through whichever descriptor of this process. Returns 0, or errno; see
 * file_lock_busy. */
int file_lock(int fd, bool exclusive);

/* Whether that means that another process has the lock. */
bool file_lock_busy(int problem);

/* Tries again and again until the lock is free, or the deadline, of regtag_clock(). Returns like file_lock. */
int file_lock_wait(int fd, bool exclusive, uint64_t deadline);

#endif
