#include "cli/verify_options.h"

#include <stdlib.h>
#include <string.h>

#include "net/verify.h"

#define VARIABLE "REGTAG_VERIFY_KEY"

static bool add_key(const char *name, const char *path, uint64_t deadline, struct error *e)
{
    const char *problem = verify_add(path, deadline);
    if (problem)
        error_set(e, REGTAG_E_USAGE, "%s %s: %s", name, path, problem);
    return !problem;
}

/* The names of files, separated by colons; an empty one is none, but ":" must not mean to do without. */
static bool add_keys(struct slice names, uint64_t deadline, struct error *e)
{
    static char text[VERIFY_PATHS_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    const bool is_set = names.size != 0;
    while (names.data && e->status == 0) {
        struct slice name = slice_split(&names, ':');
        const char *path = text + w.used;
        if (name.size == 0)
            continue;
        write_slice(&w, name);
        write_char(&w, '\0');
        if (w.overflow)
            error_set(e, REGTAG_E_USAGE, VARIABLE " is longer than %zu bytes", sizeof text - 1);
        else
            add_key(VARIABLE, path, deadline, e);
    }
    if (is_set && w.used == 0 && e->status == 0)
        error_set(e, REGTAG_E_USAGE, VARIABLE " names no file");
    return e->status == 0;
}

static bool needs_keys(const struct options *o, const char *variable, struct error *e)
{
    if (o->verb->id & VERB_ID_VERIFY && !o->verify_key.count && !*variable)
        error_set(e, REGTAG_E_USAGE, "--verify-key FILE is missing: the public key, in PEM");
    return e->status == 0;
}

bool verify_options(const struct options *o, uint64_t deadline, struct error *e)
{
    const char *variable = getenv(VARIABLE);
    if (!variable || !(o->verb->id & SIGNED))
        variable = "";
    if (!HAS_VERB(VERB_ID_VERIFY)) {
        if (*variable)
            error_set(e, REGTAG_E_USAGE, VARIABLE ": this build of regtag cannot check signatures");
        return e->status == 0;
    }
    for (unsigned i = 0; i < o->verify_key.count; i++)
        if (!add_key("--verify-key", o->verify_key.list[i], deadline, e))
            return false;
    return needs_keys(o, variable, e) &&
           (o->verify_key.count || add_keys(slice_of(variable), deadline, e));
}
