#include "cli/glob.h"

/* Whether c is in the set that *pattern begins with, after its '['; *pattern moves on to the set's ']'. The first
 * character may be a ']' itself. */
static bool is_in_set(const char **pattern, char c)
{
    const char *p = *pattern;
    bool negated = *p == '!', found = false;
    p += negated;
    do {
        char low = *p, high = low;
        if (low && p[1] == '-' && p[2] && p[2] != ']') {
            high = p[2];
            p += 2;
        }
        found = found || (c >= low && c <= high);
    } while (*p && *++p != ']');
    *pattern = p;
    return *p && found != negated;
}

static bool matches_one(const char **pattern, char c)
{
    char wanted = *(*pattern)++;
    bool matches = wanted == '?' || wanted == c;
    if (wanted == '[') {
        matches = is_in_set(pattern, c);
        *pattern += matches;
    }
    return matches;
}

/* After a mismatch, the last '*' takes one character more. */
bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *after = NULL;
    while (*text) {
        const char *next = pattern;
        if (*pattern == '*') {
            star = ++pattern;
            after = text;
        } else if (*pattern && matches_one(&next, *text)) {
            pattern = next;
            text++;
        } else if (star) {
            pattern = star;
            text = ++after;
        } else
            return false;
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool matches_any(const struct option_values *patterns, const char *tag)
{
    for (unsigned i = 0; i < patterns->count; i++)
        if (glob_matches(patterns->list[i], tag))
            return true;
    return false;
}

bool glob_wants(const struct options *o, const char *tag)
{
    return (o->include.count == 0 || matches_any(&o->include, tag)) && !matches_any(&o->exclude, tag);
}
