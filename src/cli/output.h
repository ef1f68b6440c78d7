/* Standard output and standard error, without stdio. */
#ifndef REGTAG_CLI_OUTPUT_H
#define REGTAG_CLI_OUTPUT_H

#include "base/writer.h"

/* Opens those of 0, 1 and 2 that are closed: else a connection could get one of these numbers, and be
 * written to by mistake. Returns whether standard output was open before. */
bool output_open_standard(void);

/* Opens /dev/null or, where there is no /dev, one end of a pipe. */
int output_open_null(void);

/* Writes all of it to a file. Returns 0, or errno. */
int output_write_all(int fd, struct slice s);

/* Whoever reads standard output and standard error is waited for until this time, of regtag_clock(); after it, for
 * a second, so that a slow reader gets all of it. */
void output_deadline(uint64_t until);

/* To standard output, through a buffer. After a failure (see output_problem) nothing more is written. */
void output_write(struct slice s);
void output_flush(void);

/* Flushes what can be written without waiting, and keeps the rest; after the deadline, all of it. */
void output_offer(void);

/* Why not all could be written; NULL: all was. */
const char *output_problem(void);

/* "regtag: " and the text, escaped, as one line on standard error. */
void output_error(const char *text);

/* The same with a text that is put together; it is cut where it would be too long. */
void output_message(const char *format, ...) WRITER_FORMAT(1, 2);

/* On a terminal as standard error: a line that the next one, or any message, replaces; "": none. */
void output_transient(struct slice text);

/* A line on standard error: `before`, and the text, escaped. */
void output_note(const char *before, struct slice text);

#endif
