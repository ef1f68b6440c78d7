/* Keeps several undos of one journal apart, so that each sees what the others have done. tag and delete
 * only append, and need no lock. */
#ifndef REGTAG_CLI_JOURNAL_LOCK_H
#define REGTAG_CLI_JOURNAL_LOCK_H

#include "cli/journal.h"

/* Locks the journal until it is closed; only against writers if it was opened with JOURNAL_READ. Waits for
 * whoever has the lock until the deadline, of regtag_clock(), and says so unless `quiet`. False, and e set,
 * if it has not become free. Goes on, with a warning, where files cannot be locked. */
bool journal_lock(const struct journal *j, enum journal_mode mode, uint64_t deadline, bool quiet,
                  struct error *e);

#endif
