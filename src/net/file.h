/* Reads files that a user has named. Any of them may be a pipe, which is written slowly, late, or never:
 * reading it ends at a deadline. A pipe can be read only once, so its content is kept, and later reads
 * of the same path get it from memory.
 *
 * "Pipe" stands for whatever is neither a regular file nor a directory: a FIFO, a terminal, a device. */
#ifndef REGTAG_NET_FILE_H
#define REGTAG_NET_FILE_H

#include "base/writer.h"

/* Stands for the path of standard input, which file_keep reads as a pipe. */
#define FILE_STDIN "standard input"

/* Opens for reading; a FIFO without waiting for its writer. -1: errno says why. */
int file_open(const char *path);

/* Reads all of a file that may have secrets in it, or of standard input if path is NULL. `w` must be empty, and its memory one byte
 * larger than its size, so that a larger file is noticed. The deadline is of regtag_clock(); 0: only a
 * regular file will do. Returns NULL, or what is wrong. */
const char *file_read(const char *path, struct writer *w, uint64_t deadline);

/* Reads the pipe at this path now, so that it need not be waited for later; leaves files alone. The path
 * must stay valid. Returns NULL, or what is wrong; what came until then is kept, and the next call goes on
 * from there. */
const char *file_keep(const char *path, uint64_t deadline);

/* Sets *text to what was read from the pipe at this path. False if none was. */
bool file_kept(const char *path, struct slice *text);

/* Wipes what came from pipes. */
void file_wipe(void);

/* Adds which file is at this path now, and which version of it, to *stamp: a number that changes when
 * one of the files that were added to it is written, renamed, removed, or replaced. The order does not
 * matter. Returns whether there is a regular file; anything else adds nothing. */
bool file_stamp(const char *path, uint64_t *stamp);

#endif
