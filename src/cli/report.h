/* What the program says: answers on standard output, words on standard error. */
#ifndef REGTAG_CLI_REPORT_H
#define REGTAG_CLI_REPORT_H

#include "cli/options.h"

/* What happened to a tag, in a word. */
const char *report_outcome(enum regtag_outcome outcome);

/* "NAME:TAG", for a reference as the user wrote it and another tag. It lies in `text`. */
struct slice report_reference(const char *image, const char *tag, char *text, size_t size);

/* One line for a name that is settled; `image` is as the user wrote it. */
void report_settled(const struct options *o, const char *image, const struct regtag_result *result);

/* One line for a tag of a list. */
void report_listed(const struct options *o, const char *repository, const char *tag);

/* The answer of `digest`; with --json also when there is none, for the reason in `error`. */
void report_digest(const struct options *o, const char *image, const struct regtag_result *result,
                   enum regtag_status status, const char *error);

/* The tag of `image` points elsewhere: from one digest to another, of which one may be "": none. */
void report_move(const struct options *o, const char *image, const char *from, const char *to);

/* An error on standard error; the same one again is not repeated. */
void report_error(const char *text);

/* For regtag_config: shows what the options want to be seen. The context is a struct report_trace. */
struct report_trace {
    const struct options *options;
    uint64_t start; /* clock_now() at the beginning */
};
void report_trace(void *context, enum regtag_trace kind, const char *text, size_t size);

#endif
