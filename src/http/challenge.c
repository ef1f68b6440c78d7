#include "http/challenge.h"

#include <string.h>

#include "http/fields.h"
#include "http/quoted.h"

void write_unquoted(struct writer *w, struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '\\' && i + 1 < value.size)
            i++;
        write_char(w, value.data[i]);
    }
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';';
}

/* Some registries forget the quotes around a URL, or separate parameters by semicolons or spaces. */
static bool take_unquoted(struct slice *in, struct slice *value)
{
    size_t n = 0;
    for (; n < in->size && !is_separator(in->data[n]); n++)
        if (!is_quotable(in->data[n]))
            return false;
    *value = slice_head(*in, n);
    *in = slice_from(*in, n);
    return true;
}

/* "= VALUE"; takes nothing if it is anything else. */
static bool take_value(struct slice *in, struct slice *value)
{
    struct slice s = *in;
    skip_spaces(&s);
    if (!skip_char(&s, '='))
        return false;
    skip_spaces(&s);
    bool quoted = s.size && s.data[0] == '"';
    if (!(quoted ? take_quoted(&s, value) : take_unquoted(&s, value)) ||
        (s.size && !is_separator(s.data[0])))
        return false;
    *in = s;
    return true;
}

/* Skips a token68 after a scheme (RFC 9110, 11.2); Basic and Bearer have none. */
static void skip_token68(struct slice *in)
{
    struct slice s = *in;
    skip_spaces(&s);
    while (s.size && (is_alnum(s.data[0]) || memchr("-._~+/", s.data[0], 6)))
        s = slice_from(s, 1);
    while (skip_char(&s, '='))
        ;
    skip_spaces(&s);
    if (s.size == 0 || s.data[0] == ',')
        *in = s;
}

/* Skips to the next comma outside quotes. */
static enum challenge_part skip_broken(struct slice *in, bool *inside)
{
    bool quoted = false;
    for (; in->size && (quoted || in->data[0] != ','); *in = slice_from(*in, 1))
        quoted ^= in->data[0] == '"';
    *inside = false;
    return CHALLENGE_BROKEN;
}

enum challenge_part challenge_next(struct slice *in, bool *inside, struct slice *name,
                                   struct slice *value)
{
    while (in->size && is_separator(in->data[0]))
        *in = slice_from(*in, 1);
    if (in->size == 0)
        return CHALLENGE_END;

    *name = take_token(in);
    if (name->size && *inside && take_value(in, value))
        return CHALLENGE_PARAMETER;
    if (name->size == 0 || (in->size && !is_separator(in->data[0])))
        return skip_broken(in, inside);
    *inside = true;
    skip_token68(in);
    return CHALLENGE_SCHEME;
}

/* Whether a value offers Basic, or may, since it is malformed. *any: it offers something. */
static bool may_offer_basic(struct slice value, bool *any)
{
    bool inside = false;
    struct slice name, text;
    enum challenge_part part;
    while ((part = challenge_next(&value, &inside, &name, &text)) != CHALLENGE_END) {
        *any = true;
        if (part == CHALLENGE_BROKEN ||
            (part == CHALLENGE_SCHEME && slice_equal_nocase(name, SLICE("basic"))))
            return true;
    }
    return false;
}

const char PROXY_LACKS_BASIC[] =
    "the proxy accepts only logins that are not supported (NTLM, Negotiate, ...); run one on this "
    "machine that can log in to it, such as cntlm";

bool proxy_lacks_basic(struct slice section)
{
    struct slice field, value;
    bool any = false;
    while (http_field_next(&section, &field, &value))
        if (slice_equal_nocase(field, SLICE("proxy-authenticate")) && may_offer_basic(value, &any))
            return false;
    return any;
}
