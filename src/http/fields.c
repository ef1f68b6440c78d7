#include "http/fields.h"

#include <string.h>

#include "base/debug.h"

enum state { LINE_START, NAME, FIELD_VALUE, VALUE_CR, END_CR };

bool is_token_char(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static enum fields_progress broken(struct http_fields *f, const char *problem)
{
    f->problem = problem;
    return FIELDS_BROKEN;
}

static enum fields_progress line_start(struct http_fields *f, char c)
{
    if (c == '\n')
        return FIELDS_END;
    if (c == ' ' || c == '\t')
        return broken(f, "a header line is folded");
    if (c != '\r' && !is_token_char(c))
        return broken(f, "a header line does not begin with a name");
    f->state = c == '\r' ? END_CR : NAME;
    return FIELDS_MORE;
}

static enum fields_progress name(struct http_fields *f, char c)
{
    if (c == ':')
        f->state = FIELD_VALUE;
    else if (!is_token_char(c))
        return broken(f, "a header line has no ':' after its name");
    return FIELDS_MORE;
}

static enum fields_progress value(struct http_fields *f, char c)
{
    if (c == '\0')
        return broken(f, "a header line contains a NUL");
    if (c == '\n')
        f->state = LINE_START;
    else if (c == '\r')
        f->state = VALUE_CR;
    return FIELDS_MORE;
}

/* The byte after a CR. */
static enum fields_progress line_end(struct http_fields *f, char c)
{
    if (c != '\n')
        return broken(f, "a header line contains a bare CR");
    if (f->state == END_CR)
        return FIELDS_END;
    f->state = LINE_START;
    return FIELDS_MORE;
}

static enum fields_progress take_byte(struct http_fields *f, char c)
{
    switch (f->state) {
    case LINE_START: return line_start(f, c);
    case NAME: return name(f, c);
    case FIELD_VALUE: return value(f, c);
    default: return line_end(f, c);
    }
}

enum fields_progress http_fields_take(struct http_fields *f, struct slice *in)
{
    enum fields_progress progress = FIELDS_MORE;
    size_t n = 0;
    REQUIRE(!f->problem);
    while (n < in->size && progress == FIELDS_MORE)
        progress = take_byte(f, in->data[n++]);
    *in = slice_from(*in, n);
    return progress;
}

bool http_field_next(struct slice *section, struct slice *field, struct slice *content)
{
    struct slice line = slice_split(section, '\n');
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (line.size == 0)
        return false;
    *field = slice_split(&line, ':');
    *content = slice_trim(line);
    return true;
}

bool http_list_next(struct slice *list, struct slice *element)
{
    while (list->size) {
        *element = slice_trim(slice_split(list, ','));
        if (element->size)
            return true;
    }
    return false;
}
