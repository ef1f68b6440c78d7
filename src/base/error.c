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

/* If it is too long, because of the name of a file for instance, cuts its longest texts: what comes after them says what
 * is wrong. */
int error_set(struct error *e, int status, const char *format, ...)
{
    struct writer w;
    va_list arguments;
    size_t most = 2 * sizeof e->text;
    if (e->status != 0)
        return status;
    do {
        w = writer_to(e->text, sizeof e->text - 1);
        va_start(arguments, format);
        write_arguments_cut(&w, most, format, arguments);
        va_end(arguments);
        most = most / 3 + 1;
    } while (w.overflow && most > sizeof e->text / 16);
    e->text[w.used] = '\0';
    e->status = status;
    return status;
}
