#include "cli/verb.h"

#include <string.h>

const struct cli_verb *const VERBS[] = {
    &cli_verb_tag,    &cli_verb_delete,   &cli_verb_watch, &cli_verb_undo, &cli_verb_ls,
    &cli_verb_digest, &cli_verb_manifest, &cli_verb_fetch, NULL,
};

const struct cli_verb *verb_find(const char *name)
{
    for (const struct cli_verb *const *v = VERBS; *v; v++)
        if (strcmp(name, (*v)->name) == 0)
            return *v;
    return NULL;
}
