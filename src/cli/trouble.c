#include "cli/trouble.h"

#include <string.h>

#include "cli/output.h"
#include "net/clock.h"

bool trouble_met(struct trouble *t, int kind)
{
    bool changed = kind != t->kind;
    if (t->count == 0)
        t->since = clock_now();
    t->kind = kind;
    t->count++;
    return changed;
}

void trouble_over(struct trouble *t, const char *who, const char *what, bool quiet)
{
    char text[ERROR_TEXT_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    if (t->count && !quiet) {
        write_format(&w, "%s %s, after %u failure%s in ", who, what, t->count, t->count == 1 ? "" : "s");
        write_duration(&w, clock_now() - t->since);
        text[w.used] = '\0';
        output_error(text);
    }
    memset(t, 0, sizeof *t);
}

void write_duration(struct writer *w, uint64_t milliseconds)
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } UNITS[] = {{" d", 86400}, {" h", 3600}, {" min", 60}, {" s", 1}};
    const size_t last = sizeof UNITS / sizeof UNITS[0] - 1;
    uint64_t seconds = (milliseconds + 500) / 1000;
    size_t unit = 0;
    while (unit < last && seconds < UNITS[unit].seconds)
        unit++;
    write_number(w, seconds / UNITS[unit].seconds);
    write_text(w, UNITS[unit].name);
    seconds %= UNITS[unit].seconds;
    if (unit == last || seconds < UNITS[unit + 1].seconds)
        return;
    write_char(w, ' ');
    write_number(w, seconds / UNITS[unit + 1].seconds);
    write_text(w, UNITS[unit + 1].name);
}
