/* How our own process differs from those that it runs. */
#ifndef REGTAG_CLI_PROCESS_H
#define REGTAG_CLI_PROCESS_H

/* Disables core files: a crash must not leave secrets on a disk. net/hide.h does it where a program gets them. */
void process_no_core(void);

/* In a child, before exec: restores the limit for core dumps and the default actions of signals, and
 * removes our secrets from the environment. */
void process_restore(void);

#endif
