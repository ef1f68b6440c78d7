/* Records what a build with REGTAG_DEBUG reports of its state machines (base/debug.h): each transition that the process
 * makes is appended once, as a line "MACHINE FROM TO", to the file that REGTAG_TRANSITIONS names. State 0, where every
 * machine begins, is "[*]", as in a mermaid diagram; any other is known by the name it was entered with. tests/transitions
 * reads the file. What goes wrong here is no concern of the program's. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MACHINES_MAX 32
#define STATES_MAX 16

void regtag_debug_enter(const char *machine, int from, int to, const char *name);

struct machine {
    const char *name;
    const char *states[STATES_MAX];
    bool made[STATES_MAX][STATES_MAX];
};

static struct machine machines[MACHINES_MAX];

/* NULL when there is no room for another one. */
static struct machine *find(const char *name)
{
    for (size_t i = 0; i < MACHINES_MAX; i++) {
        struct machine *m = &machines[i];
        if (!m->name)
            m->name = name;
        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

/* A write beyond a limit to the size of files would end the program. */
static bool sizes_are_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
}

static void append(const char *machine, const char *from, const char *to)
{
    const char *path = getenv("REGTAG_TRANSITIONS");
    char line[200];
    if (!path || !*path || sizes_are_limited())
        return;
    int size = snprintf(line, sizeof line, "%s %s %s\n", machine, from, to);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (file < 0)
        return;
    ssize_t written = write(file, line, (size_t)size);
    (void)written;
    close(file);
}

static void record(struct machine *m, int from, int to, const char *name)
{
    bool stays_idle = from == 0 && to == 0;
    m->states[0] = "[*]";
    if (to)
        m->states[to] = name;
    if (!m->made[from][to] && !stays_idle)
        append(m->name, m->states[from] ? m->states[from] : "?", m->states[to]);
    m->made[from][to] = true;
}

void regtag_debug_enter(const char *machine, int from, int to, const char *name)
{
    struct machine *m = find(machine);
    int saved = errno;
    if (!m || from < 0 || from >= STATES_MAX || to < 0 || to >= STATES_MAX)
        append(machine, "?", name); /* no diagram has this */
    else
        record(m, from, to, name);
    errno = saved;
}
