#include "cli/verb.h"

#include <string.h>

#include "base/slice.h"

const struct cli_verb *const VERBS[] = {VERBS_TABLE NULL};

const struct cli_verb *verb_find(const char *name)
{
    for (const struct cli_verb *const *v = VERBS; *v; v++)
        if (strcmp(name, (*v)->name) == 0)
            return *v;
    return NULL;
}

bool verb_left_out(const char *name)
{
    struct slice rest = SLICE(VERBS_LEFT_OUT);
    while (rest.size)
        if (slice_equal(slice_split(&rest, ' '), slice_of(name)))
            return true;
    return false;
}
