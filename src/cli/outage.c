#include "cli/outage.h"

#include <string.h>

#include "cli/output.h"
#include "regtag_sockets.h"

bool outage_on_failure(struct outage *o, int status)
{
    bool changed = status != o->status;
    if (o->failures == 0)
        o->since = regtag_clock();
    o->status = status;
    o->failures++;
    return changed;
}

void outage_on_success(struct outage *o, const char *who, const char *what, bool quiet)
{
    char text[ERROR_TEXT_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    if (o->failures && !quiet) {
        write_format(&w, "%s %s, after %u failure%s in ", who, what, o->failures,
                     o->failures == 1 ? "" : "s");
        write_duration(&w, regtag_clock() - o->since);
        text[w.used] = '\0';
        output_error(text);
    }
    memset(o, 0, sizeof *o);
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
