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

/* Whether an element of the list ends here. */
static bool at_end(struct slice s)
{
    skip_spaces(&s);
    return s.size == 0 || s.data[0] == ',';
}

/* "= VALUE"; takes nothing if it is anything else. */
static bool take_value(struct slice *in, struct slice *value)
{
    struct slice s = *in;
    skip_spaces(&s);
    if (!skip_char(&s, '='))
        return false;
    skip_spaces(&s);
    if (s.size && s.data[0] == '"') {
        if (!take_quoted(&s, value))
            return false;
    } else {
        *value = take_token(&s);
        if (value->size == 0)
            return false;
    }
    if (!at_end(s))
        return false;
    *in = s;
    return true;
}

/* Skips a token68 after a scheme (RFC 9110, 11.2); Basic and Bearer have none. */
static void skip_token68(struct slice *in)
{
    struct slice s = *in;
    skip_spaces(&s);
    while (s.size && s.data[0] &&
           strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", s.data[0]))
        s = slice_from(s, 1);
    while (skip_char(&s, '='))
        ;
    if (at_end(s))
        *in = s;
}

enum challenge_part challenge_next(struct slice *in, bool *inside, struct slice *name,
                                   struct slice *value)
{
    do
        skip_spaces(in);
    while (skip_char(in, ','));
    if (in->size == 0)
        return CHALLENGE_END;

    *name = take_token(in);
    if (name->size == 0)
        return CHALLENGE_BROKEN;
    if (take_value(in, value))
        return *inside ? CHALLENGE_PARAMETER : CHALLENGE_BROKEN;
    if (in->size && in->data[0] != ' ' && in->data[0] != '\t' && in->data[0] != ',')
        return CHALLENGE_BROKEN;
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
    "the proxy takes no user and password, only logins that are not supported (NTLM, Negotiate, ...); "
    "one on this machine, such as cntlm, can log in to it";

bool proxy_lacks_basic(struct slice section)
{
    struct slice field, value;
    bool any = false;
    while (http_field_next(&section, &field, &value))
        if (slice_equal_nocase(field, SLICE("proxy-authenticate")) && may_offer_basic(value, &any))
            return false;
    return any;
}
