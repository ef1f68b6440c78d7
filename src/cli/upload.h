/* Operations that upload images, copy's and load's: several blobs at a time, with progress. */
#ifndef REGTAG_CLI_UPLOAD_H
#define REGTAG_CLI_UPLOAD_H

#include "cli/options.h"
#include "regtag.h"

#define UPLOAD_JOBS_MAX (LOAD_JOBS_MAX > COPY_JOBS_MAX ? LOAD_JOBS_MAX : COPY_JOBS_MAX)

/* Makes an operation from *config, which it completes, for `jobs` blobs at a time: at most UPLOAD_JOBS_MAX. How far it is
 * goes to progress_of. `next`: it follows one with `keep` (session_next). */
struct regtag *upload_operation(struct regtag_config *config, size_t jobs, bool next);

#endif
