/* Signals of a process that runs unattended. SIGTERM ends it at once with status 0, SIGINT at once by
 * the signal, or as process 1 with 128 and its number; SIGHUP ends a wait. */
#ifndef REGTAG_CLI_SIGNALS_H
#define REGTAG_CLI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Process 1, the init of a container, is not ended by the default action of any signal. Exits with 128 and
 * the number of those that usually end a program. Elsewhere does nothing. */
void signals_as_process_1(void);

/* Installs the handlers. SIGHUP is blocked except in signals_wait. */
void signals_begin(void);

/* Waits until this time, of regtag_clock(). Returns true, early, if SIGHUP came, even before the call. */
bool signals_wait(uint64_t until);

/* Blocks all signals, and restores those that were open before: for starting a process. */
void signals_block(sigset_t *before);
void signals_restore(const sigset_t *before);

/* The process group that gets SIGTERM before SIGTERM or SIGINT ends us; 0: none. */
void signals_set_group(pid_t group);

#endif
