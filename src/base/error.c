#include "base/error.h"

void error_clear(struct error *e)
{
    e->status = 0;
    e->text[0] = '\0';
}

int error_set_arguments(struct error *e, int status, const char *format, va_list arguments)
{
    struct writer w = writer_to(e->text, sizeof e->text - 1);
    if (e->status != 0)
        return status;
    write_arguments(&w, format, arguments);
    e->text[w.used] = '\0';
    e->status = status;
    return status;
}

int error_set(struct error *e, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_set_arguments(e, status, format, arguments);
    va_end(arguments);
    return status;
}
