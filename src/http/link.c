#include "http/link.h"

#include <string.h>

#include "http/quoted.h"

/* A value without quotes. Servers send more there than tokens, type=text/plain for example. */
static struct slice take_bare(struct slice *s)
{
    size_t n = 0;
    while (n < s->size && !memchr(" \t;,\"<>", s->data[n], 7))
        n++;
    struct slice bare = slice_head(*s, n);
    *s = slice_from(*s, n);
    return bare;
}

/* Whether a relation type is "next", without regard to case and to the escapes of a quoted string. */
static bool is_next(struct slice type)
{
    static const char NEXT[] = "next";
    size_t matched = 0;
    for (size_t i = 0; i < type.size; i++) {
        if (type.data[i] == '\\' && i + 1 < type.size)
            i++;
        if (matched == 4 || to_lower(type.data[i]) != NEXT[matched])
            return false;
        matched++;
    }
    return matched == 4;
}

/* Whether "next" is among the relation types, which are separated by spaces. */
static bool has_next(struct slice types)
{
    while (types.data)
        if (is_next(slice_split(&types, ' ')))
            return true;
    return false;
}

/* NAME [= VALUE], after a ';'. */
static bool take_parameter(struct slice *s, struct slice *name, struct slice *value)
{
    skip_spaces(s);
    *name = take_token(s);
    *value = SLICE("");
    skip_spaces(s);
    if (name->size && skip_char(s, '=')) {
        skip_spaces(s);
        if (s->size && s->data[0] == '"') {
            if (!take_quoted(s, value))
                return false;
        } else
            *value = take_bare(s);
        skip_spaces(s);
    }
    return true;
}

/* <TARGET> and its parameters. *next: it leads to the next page. Only the first rel counts, and not if
 * an anchor says that the link belongs to another page. */
static bool take_link(struct slice *s, struct slice *target, bool *next)
{
    struct slice name, value;
    bool has_rel = false, has_anchor = false;

    if (!skip_char(s, '<'))
        return false;
    size_t end = slice_find(*s, '>');
    if (end == s->size)
        return false;
    *target = slice_head(*s, end);
    *s = slice_from(*s, end + 1);
    *next = false;
    for (skip_spaces(s); skip_char(s, ';');) {
        if (!take_parameter(s, &name, &value))
            return false;
        if (slice_equal_nocase(name, SLICE("rel")) && !has_rel) {
            has_rel = true;
            *next = has_next(value);
        }
        has_anchor = has_anchor || slice_equal_nocase(name, SLICE("anchor"));
    }
    *next = *next && !has_anchor;
    return true;
}

bool link_next(struct slice value, struct slice *target)
{
    struct slice link;
    bool next;
    *target = (struct slice){NULL, 0};
    for (;;) {
        skip_spaces(&value);
        if (value.size == 0)
            return true;
        if (skip_char(&value, ','))
            continue;
        if (!take_link(&value, &link, &next) || (value.size && !skip_char(&value, ',')))
            return false;
        if (next && !target->data)
            *target = link;
    }
}
