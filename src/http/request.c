#include "http/request.h"

/* The last line of defence against injected header lines: a byte below `lowest` (a control character, or
 * a space) poisons the writer. */
static void write_checked(struct writer *w, struct slice s, unsigned char lowest)
{
    for (size_t i = 0; i < s.size; i++)
        if ((unsigned char)s.data[i] < lowest || s.data[i] == 0x7f)
            w->overflow = true;
    write_slice(w, s);
}

void write_field(struct writer *w, const char *name, struct slice value)
{
    write_format(w, "%s: ", name);
    write_checked(w, value, ' ');
    write_text(w, "\r\n");
}

void write_request(struct writer *w, const char *method, struct slice proxied, struct slice target,
                   struct slice authority)
{
    write_format(w, "%s %s", method, proxied.size ? "http://" : "");
    write_checked(w, proxied, '!');
    write_text(w, target.size && target.data[0] == '/' ? "" : "/");
    write_checked(w, target, '!');
    write_text(w, " HTTP/1.1\r\n");
    write_field(w, "Host", authority);
}

void write_fields_end(struct writer *w)
{
    write_text(w, "\r\n");
}
