#include "http/quoted.h"

#include "http/fields.h"

void skip_spaces(struct slice *s)
{
    while (s->size && (s->data[0] == ' ' || s->data[0] == '\t'))
        *s = slice_from(*s, 1);
}

bool skip_char(struct slice *s, char c)
{
    if (s->size == 0 || s->data[0] != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

struct slice take_token(struct slice *s)
{
    size_t n = 0;
    while (n < s->size && is_token_char(s->data[n]))
        n++;
    struct slice token = slice_head(*s, n);
    *s = slice_from(*s, n);
    return token;
}

bool is_quotable(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool take_quoted(struct slice *s, struct slice *text)
{
    size_t n = 1;
    for (; n < s->size && s->data[n] != '"'; n++) {
        if (s->data[n] == '\\')
            n++;
        if (n < s->size && !is_quotable(s->data[n]))
            return false;
    }
    if (n >= s->size)
        return false;
    *text = slice_from(slice_head(*s, n), 1);
    *s = slice_from(*s, n + 1);
    return true;
}
