/* The signals of a process that runs unattended. SIGTERM ends it with status 0, SIGINT by the signal, at once
 * and wherever it is; SIGHUP ends a wait. A group of processes can be named that is ended with it. */
#ifndef REGTAG_CLI_SIGNALS_H
#define REGTAG_CLI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From here on the signals have their meaning. SIGHUP comes in signals_wait only. */
void signals_begin(void);

/* Waits until this time, of clock_now(). Returns true, early, where SIGHUP has come, be it before. */
bool signals_wait(uint64_t until);

/* Between these two, none of the signals comes: for starting a process. */
void signals_hold(sigset_t *before);
void signals_release(const sigset_t *before);

/* The group of processes that gets a SIGTERM before SIGTERM or SIGINT ends us; 0: none. */
void signals_end_with_us(pid_t group);

#endif
