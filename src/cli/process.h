/* What is special about our own process, and must not be handed on to programs that it runs. */
#ifndef REGTAG_CLI_PROCESS_H
#define REGTAG_CLI_PROCESS_H

/* No core has a secret in it: a crash must not leave one on a disk. */
void process_no_core(void);

/* For a child that is about to become another program: cores are as they were, signals do what they do by
 * default, and our secrets are not in the environment. */
void process_hand_over(void);

#endif
