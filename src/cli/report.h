/* Results on standard output, messages and traces on standard error. */
#ifndef REGTAG_CLI_REPORT_H
#define REGTAG_CLI_REPORT_H

#include "cli/options.h"

/* The word for it in the third column. */
const char *report_outcome(enum regtag_outcome outcome);

/* Writes the reference `image` with another tag or digest to `text`, and returns it. */
struct slice report_reference(const char *image, const char *tag, char *text, size_t size);

/* One line for a name that is settled; `image` is as the user wrote it. */
void report_settled(const struct options *o, const char *image, const struct regtag_result *result);

/* One line for a tag of a list. */
void report_listed(const struct options *o, const char *repository, const struct regtag_result *result);

/* The result of `digest`; with --json a failure gets a line, too. */
void report_digest(const struct options *o, const char *image, const struct regtag_result *result,
                   enum regtag_status status, const char *error);

/* One line for an image that save was to write; the digest may be "", if it is unknown. With --json a failure gets a
 * line, too. */
void report_saved(const struct options *o, const char *image, const char *digest,
                  enum regtag_status status, const char *error);
/* The result of `verify`; with --json a failure gets a line, too. */
void report_verified(const struct options *o, const char *image, const struct regtag_result *result,
                     enum regtag_status status, const char *error);

/* One line for a referrer. */
void report_referrer(const struct options *o, const struct regtag_result *result);

/* One line for a move that watch saw; either digest may be "", for no tag. */
void report_move(const struct options *o, const char *image, const char *from, const char *to);

/* One line for a file that fetch was to write; the digest may be "", and the size UINT64_MAX, if they are
 * unknown. */
void report_file(const struct options *o, const char *path, const char *digest, uint64_t size,
                 const char *result, enum regtag_status status, const char *error);

/* An error on standard error, with what would help. */
void report_problem(const struct error *e);

/* The same for a whole text, unless it is the same as the last one. */
void report_error(const char *text);

/* For regtag_config: shows what --verbose and --quiet allow. The context is a struct report_trace. */
struct report_trace {
    const struct options *options;
    uint64_t start; /* regtag_clock() at the beginning */
};
void report_trace(void *context, enum regtag_trace kind, const char *text, size_t size);

#endif
