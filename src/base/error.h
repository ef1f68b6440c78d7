/* An error: a status (the exit status of the command, see regtag.h), a hint, and one line of text. The
 * first error of an operation is kept; later ones, mostly its consequences, are dropped. */
#ifndef REGTAG_BASE_ERROR_H
#define REGTAG_BASE_ERROR_H

#include "base/sizes.h"
#include "base/writer.h"

struct error {
    int status; /* 0: no error */
    int hint;   /* what would help, see enum regtag_hint; 0: nothing in particular */
    char text[ERROR_TEXT_MAX];
};

void error_clear(struct error *e);

/* Sets the error unless there is one already. Returns `status`, so that a function can end with it. The
 * format is that of write_format. Text from a server may be passed verbatim: it is escaped on output. */
int error_set(struct error *e, int status, const char *format, ...) WRITER_FORMAT(3, 4);

/* The hint that goes with the error about to be set: error_set(error_hint(e, hint), status, ...). */
struct error *error_hint(struct error *e, int hint);

#endif
