/* Standard output and standard error, without stdio. */
#ifndef REGTAG_CLI_OUTPUT_H
#define REGTAG_CLI_OUTPUT_H

#include "base/writer.h"

/* Makes sure that 0, 1 and 2 are open, so that no connection gets one of these numbers and is written to
 * by mistake. Returns whether standard output was open. */
bool output_claim(void);

/* Opens a file that nothing comes from and nothing goes to: /dev/null, or where there is no /dev, one end of a
 * pipe. */
int output_nowhere(void);

/* To standard output, through a buffer. After a failure nothing more is written; output_problem tells. */
void output_write(struct slice s);
void output_flush(void);

/* The errno of the first failure; 0: none. */
int output_problem(void);

/* "regtag: " and the text, escaped, as one line on standard error. */
void output_error(const char *text);

/* A line on standard error as it is, except that what is not printable is escaped. */
void output_note(const char *before, struct slice text);

#endif
