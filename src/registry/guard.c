#include "registry/guard.h"

#include <string.h>

/* The part after "TAG=", if any: a digest or "absent". */
static struct slice wanted_by(const char *guard)
{
    struct slice rest = slice_of(guard);
    slice_split(&rest, '=');
    return rest.data ? rest : slice_of(guard);
}

/* The digest the tag must point at, or "absent"; empty if it has no guard. */
static struct slice expected(struct regtag *r, const char *tag)
{
    struct guards *g = &r->guards;
    size_t own = g->by_name.count ? names_find(&g->by_name, slice_of(tag)) : 0;
    if (own < g->by_name.count)
        return wanted_by(g->by_name.list[own]);
    return g->for_all ? wanted_by(g->for_all) : SLICE("");
}

bool guard_exists(struct regtag *r, const char *tag)
{
    return expected(r, tag).size > 0;
}

const char *guard_condition(struct regtag *r, const struct resolve *z)
{
    if (!z->guarded)
        return "";
    REQUIRE(z->sight != SIGHT_UNKNOWN); /* no guard holds then */
    return z->sight == SIGHT_ABSENT ? "*" : r->guards.etag;
}

bool guard_holds(struct regtag *r, const struct resolve *z, struct error *e)
{
    struct slice wanted = expected(r, z->tag);
    bool absent = slice_equal(wanted, SLICE("absent"));
    if (wanted.size == 0)
        return true;
    if (z->sight == SIGHT_UNKNOWN) {
        int status = r->unknown.status;
        bool nobody = status == REGTAG_E_NO_CONNECTION || status == REGTAG_E_TIMEOUT ||
                      status == REGTAG_E_SLOW_DOWN || status == REGTAG_E_SERVER_FAILED;
        error_set(error_hint(e, r->unknown.hint), nobody ? status : REGTAG_E_GUARD,
                  "refused: cannot tell whether it %s%.*s, as expected: %s",
                  absent ? "is " : "points to ", SLICE_ARG(wanted), r->unknown.text);
    } else if (z->sight == SIGHT_ABSENT && !absent)
        error_set(e, REGTAG_E_GUARD, "refused: it does not exist, but should point to %.*s",
                  SLICE_ARG(wanted));
    else if (z->sight == SIGHT_DIGEST && absent)
        error_set(e, REGTAG_E_GUARD, "refused: it already exists, and points to %s", z->digest);
    else if (z->sight == SIGHT_DIGEST && !slice_equal(wanted, slice_of(z->digest)))
        error_set(e, REGTAG_E_GUARD, "refused: it points to %s, but should point to %.*s", z->digest,
                  SLICE_ARG(wanted));
    return e->status == 0;
}

/* ---- Validation ------------------------------------------------------------------------------ */

/* Why a guard is invalid, or NULL. */
static const char *guard_problem(struct regtag *r, size_t at, struct names *tags)
{
    struct names *guards = &r->guards.by_name;
    struct slice name = names_at(guards, at), wanted = wanted_by(guards->list[at]);
    bool nameless = *guards->list[at] == '=';
    bool good =
        slice_equal(wanted, SLICE("absent")) || (digest_valid(wanted) && digest_is_sha256(wanted));
    bool first = names_is_first(guards, at);
    if (nameless || !good)
        return "must be DIGEST, NAME=DIGEST, absent or NAME=absent, DIGEST being sha256: and 64 "
               "hexadecimal digits";
    if (name.size && names_find(tags, name) == tags->count)
        return "this tag is not among those to change";
    return first ? NULL : "there is another guard for the same tag";
}

void guards_index(struct regtag *r, void *memory, size_t size)
{
    struct guards *g = &r->guards;
    names_begin(&g->by_name, r->config.expected, r->config.expected_count, '=', memory, size);
    size_t for_all = names_find(&g->by_name, SLICE(""));
    g->for_all = for_all < g->by_name.count ? g->by_name.list[for_all] : NULL;
}

enum regtag_status guards_check(struct regtag *r, const char *const *names, size_t count)
{
    size_t half = r->manifest_max / 2;
    struct names tags;
    names_begin(&tags, names, count, '\0', r->manifest, half);
    guards_index(r, r->manifest + half, half);
    for (size_t i = 0; i < r->config.expected_count; i++) {
        const char *problem = guard_problem(r, i, &tags);
        struct slice text = slice_head(slice_of(r->config.expected[i]), 200);
        if (problem) {
            error_hint(&r->error, REGTAG_HINT_EXPECTED);
            return VERB_USAGE(r, "the guard \"%.*s\": %s", SLICE_ARG(text), problem);
        }
    }
    return REGTAG_OK;
}
