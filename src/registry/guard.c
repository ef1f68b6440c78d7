#include "registry/guard.h"

#include <string.h>

/* Takes "TAG=" off the front of a guard; what is left is a digest or "absent". Empty when it is for all. */
static struct slice guarded_name(struct slice *guard)
{
    struct slice all = *guard;
    struct slice name = slice_split(guard, '=');
    if (guard->data)
        return name;
    *guard = all;
    return SLICE("");
}

/* What the tag must point at, or "absent"; empty when it does not matter. */
static struct slice expected(const struct regtag *r, const char *tag)
{
    struct slice for_all = SLICE("");
    for (size_t i = 0; i < r->config.expected_count; i++) {
        struct slice guard = slice_of(r->config.expected[i]), name = guarded_name(&guard);
        if (name.size && slice_equal(name, slice_of(tag)))
            return guard;
        if (name.size == 0)
            for_all = guard;
    }
    return for_all;
}

bool guard_exists(const struct regtag *r, const char *tag)
{
    return expected(r, tag).size > 0;
}

bool guard_holds(const struct regtag *r, const struct resolve *z, struct error *e)
{
    struct slice wanted = expected(r, z->tag);
    bool absent = slice_equal(wanted, SLICE("absent"));
    if (wanted.size == 0)
        return true;
    if (z->sight == SIGHT_UNKNOWN) {
        int status = z->why.status;
        bool nobody = status == REGTAG_NO_CONNECTION || status == REGTAG_TIMEOUT ||
                      status == REGTAG_SLOW_DOWN || status == REGTAG_SERVER_FAILED;
        error_set(e, nobody ? status : REGTAG_GUARD,
                  "left alone: it cannot be seen whether it %s%.*s, as expected: %s",
                  absent ? "is " : "points at ", SLICE_ARG(wanted), z->why.text);
    } else if (z->sight == SIGHT_ABSENT && !absent)
        error_set(e, REGTAG_GUARD, "left alone: it does not exist, expected was %.*s",
                  SLICE_ARG(wanted));
    else if (z->sight == SIGHT_DIGEST && absent)
        error_set(e, REGTAG_GUARD,
                  "left alone: it exists and points at %s, expected was that it does not", z->digest);
    else if (z->sight == SIGHT_DIGEST && !slice_equal(wanted, slice_of(z->digest)))
        error_set(e, REGTAG_GUARD, "left alone: it points at %s, expected was %.*s", z->digest,
                  SLICE_ARG(wanted));
    return e->status == 0;
}

/* ---- Whether they make sense ----------------------------------------------------------------- */

static bool is_one_of(struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_of(names[i])))
            return true;
    return false;
}

/* Why a guard is none, or NULL. */
static const char *guard_problem(const struct regtag *r, size_t at, const char *const *names,
                                 size_t count)
{
    struct slice guard = slice_of(r->config.expected[at]), name = guarded_name(&guard);
    bool nameless = slice_starts(slice_of(r->config.expected[at]), SLICE("="));
    bool good = slice_equal(guard, SLICE("absent")) || (digest_valid(guard) && digest_is_sha256(guard));
    if (nameless || !good)
        return "it takes DIGEST, NAME=DIGEST, absent or NAME=absent, DIGEST being sha256: and 64 "
               "hexadecimal digits";
    if (name.size && !is_one_of(name, names, count))
        return "this tag is not one of those that are to be set";
    for (size_t i = 0; i < at; i++) {
        struct slice other = slice_of(r->config.expected[i]);
        if (slice_equal(guarded_name(&other), name))
            return "there is another one for the same";
    }
    return NULL;
}

enum regtag_status guards_check(struct regtag *r, const char *const *names, size_t count)
{
    for (size_t i = 0; i < r->config.expected_count; i++) {
        const char *problem = guard_problem(r, i, names, count);
        struct slice text = slice_head(slice_of(r->config.expected[i]), 200);
        if (problem)
            return verb_usage(r, "--expect \"%.*s\": %s", SLICE_ARG(text), problem);
    }
    return REGTAG_OK;
}
