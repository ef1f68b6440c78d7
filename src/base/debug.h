/* Assertions and state machine tracing for debug and sanitizer builds (-DREGTAG_DEBUG). Other builds
 * compile neither of them in. */
#ifndef REGTAG_BASE_DEBUG_H
#define REGTAG_BASE_DEBUG_H

#ifdef REGTAG_DEBUG

#include <assert.h>

/* Called on each state transition; state 0 is the initial one. Defined by the tests, which compare the
 * transitions with the diagrams in src/registry/README.md. */
void regtag_debug_enter(const char *machine, int from, int to, const char *name);

#define REQUIRE(condition) assert(condition)
#define ENTER(machine, state, next)                                                                     \
    (regtag_debug_enter(machine, (int)(state), (int)(next), #next), (void)((state) = (next)))

#else

#define REQUIRE(condition) ((void)0)
#define ENTER(machine, state, next) ((void)((state) = (next)))

#endif

#endif
