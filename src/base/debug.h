/* What we take for granted, checked in debug and sanitizer builds only (-DREGTAG_DEBUG): a program that is
 * wrong about itself ends there. In any other build these cost nothing and do nothing. */
#ifndef REGTAG_BASE_DEBUG_H
#define REGTAG_BASE_DEBUG_H

#ifdef REGTAG_DEBUG

#include <assert.h>

/* Tells the tests that a state machine goes from one state to another; state 0 is where it begins. They
 * define this, and compare what they were told with the diagrams in src/registry/README.md. */
void regtag_debug_enter(const char *machine, int from, int to, const char *name);

#define REQUIRE(condition) assert(condition)
#define ENTER(machine, state, next)                                                                     \
    (regtag_debug_enter(machine, (int)(state), (int)(next), #next), (void)((state) = (next)))

#else

#define REQUIRE(condition) ((void)0)
#define ENTER(machine, state, next) ((void)((state) = (next)))

#endif

#endif
