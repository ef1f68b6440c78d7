#include "cli/journal_lock.h"

#include <string.h>

#include "cli/file_lock.h"
#include "cli/output.h"

bool journal_lock(const struct journal *j, enum journal_mode mode, uint64_t deadline, bool quiet,
                  struct error *e)
{
    bool exclusive = mode != JOURNAL_READ;
    int problem = file_lock(j->fd, exclusive);
    if (file_lock_busy(problem) && !quiet)
        output_message("waiting for another undo of %s to finish", j->path);
    if (file_lock_busy(problem))
        problem = file_lock_wait(j->fd, exclusive, deadline);
    if (file_lock_busy(problem))
        error_set(e, REGTAG_E_OTHER,
                  "another undo of the journal %s did not finish in time (--timeout); nothing was done",
                  j->path);
    else if (problem && !quiet)
        output_message("warning: cannot lock the journal %s: %s; run no other undo of it now", j->path,
                       strerror(problem));
    return e->status == 0;
}
