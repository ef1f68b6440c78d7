/* Assertions about our own state, and traces of state machines, for debug and sanitizer builds
 * (-DREGTAG_DEBUG). In other builds they compile to nothing. */
#ifndef REGTAG_BASE_DEBUG_H
#define REGTAG_BASE_DEBUG_H

#ifdef REGTAG_DEBUG

#include <assert.h>

/* A state machine goes from one state to another; it begins in state 0. The tests define this, and
 * compare the transitions with the diagrams in src/registry/README.md. */
void regtag_debug_enter(const char *machine, int from, int to, const char *name);

#define REQUIRE(condition) assert(condition)
#define ENTER(machine, state, next)                                                                     \
    (regtag_debug_enter(machine, (int)(state), (int)(next), #next), (void)((state) = (next)))

#else

#define REQUIRE(condition) ((void)0)
#define ENTER(machine, state, next) ((void)((state) = (next)))

#endif

#endif
