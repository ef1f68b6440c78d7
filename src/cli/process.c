#define _GNU_SOURCE /* prlimit */

#include "cli/process.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const OUR_SECRETS[] = {"REGTAG_USER", "REGTAG_PASSWORD", "REGTAG_TOKEN"};
static const int OUR_SIGNALS[] = {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT, SIGTERM};

static struct rlimit cores; /* before process_no_core */
static bool cores_changed;

/* Not by setrlimit: musl's would link in the code that stops threads. */
#ifdef __linux__
#define GET_CORES(limit) prlimit(0, RLIMIT_CORE, NULL, limit)
#define SET_CORES(limit) prlimit(0, RLIMIT_CORE, limit, NULL)
#else
#define GET_CORES(limit) getrlimit(RLIMIT_CORE, limit)
#define SET_CORES(limit) setrlimit(RLIMIT_CORE, limit)
#endif

/* Leaves the hard limit, so that process_restore can raise the soft one again. */
void process_no_core(void)
{
    struct rlimit none = {0, 0};
    cores_changed = GET_CORES(&cores) == 0;
    if (cores_changed)
        none.rlim_max = cores.rlim_max;
    SET_CORES(&none);
}

void process_restore(void)
{
    sigset_t none;
    for (size_t i = 0; i < COUNT(OUR_SIGNALS); i++)
        signal(OUR_SIGNALS[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < COUNT(OUR_SECRETS); i++)
        unsetenv(OUR_SECRETS[i]);
    if (cores_changed)
        SET_CORES(&cores);
}
