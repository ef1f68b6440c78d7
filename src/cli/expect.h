/* --expect [NAME=]DIGEST, where a run has several operations: each gets the guards of its own tags. */
#ifndef REGTAG_CLI_EXPECT_H
#define REGTAG_CLI_EXPECT_H

#include "regtag.h"

/* Whether a guard is for one of these tags. Without NAME= it is for all. */
bool expect_applies(const char *guard, const char *const *names, size_t count);

/* Leaves in the configuration the guards of these tags: the library refuses any other. They stay valid until the next
 * call. */
void expect_select(struct regtag_config *config, const char *const *names, size_t count);

#endif
