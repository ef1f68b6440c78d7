/* How far a download is: a line on standard error while it takes long, if that is a terminal. */
#ifndef REGTAG_CLI_PROGRESS_H
#define REGTAG_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* A run begins; `wanted`: show something, if it takes long enough. */
void progress_run(bool wanted);

/* A file of this size (UINT64_MAX: unknown) begins, and `at` bytes of it are there. */
void progress_begin(uint64_t at, uint64_t size);

/* So many are there by now. */
void progress_at(uint64_t at);

/* The same where the size becomes known by and by. */
void progress_of(uint64_t at, uint64_t size);

/* Leaves nothing behind. */
void progress_end(void);

#endif
