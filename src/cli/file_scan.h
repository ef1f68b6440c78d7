/* Reads a file, a block at a time. */
#ifndef REGTAG_CLI_FILE_SCAN_H
#define REGTAG_CLI_FILE_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* Hands out, from where the file is read next, at most the first `most` bytes, and stops at the deadline, of regtag_clock(). Returns how many bytes
 * that were; fewer than the file has if it cannot be read. */
uint64_t file_scan(int fd, uint64_t most, uint64_t deadline,
                   void (*visit)(void *context, const void *bytes, size_t size), void *context);

#endif
