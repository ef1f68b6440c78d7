#include "base/error.h"

void error_clear(struct error *e)
{
    e->status = e->hint = 0;
    e->text[0] = '\0';
}

struct error *error_hint(struct error *e, int hint)
{
    if (e->status == 0)
        e->hint = hint;
    return e;
}

int error_set(struct error *e, int status, const char *format, ...)
{
    struct writer w = writer_to(e->text, sizeof e->text - 1);
    va_list arguments;
    if (e->status != 0)
        return status;
    va_start(arguments, format);
    write_arguments(&w, format, arguments);
    va_end(arguments);
    e->text[w.used] = '\0';
    e->status = status;
    return status;
}
