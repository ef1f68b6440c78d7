#include "cli/progress.h"

#include <unistd.h>

#include "cli/output.h"
#include "regtag_sockets.h"

#define QUICK 1000   /* milliseconds: nothing is shown for a run that is over by then */
#define INTERVAL 250 /* milliseconds from one line to the next */

static bool shown;
static uint64_t next;  /* when to show the next line */
static uint64_t begun; /* when this file was */
static uint64_t first, total;

void progress_run(bool wanted)
{
    shown = wanted && isatty(STDERR_FILENO);
    next = regtag_clock() + QUICK;
}

void progress_begin(uint64_t at, uint64_t size)
{
    begun = regtag_clock();
    first = at;
    total = size;
}

static void write_size(struct writer *w, uint64_t size)
{
    uint64_t kilobytes = size / 1000;
    if (kilobytes < 1000)
        write_format(w, "%llu kB", (unsigned long long)kilobytes);
    else
        write_format(w, "%llu.%llu MB", (unsigned long long)(kilobytes / 1000),
                     (unsigned long long)(kilobytes / 100 % 10));
}

void progress_at(uint64_t at)
{
    char text[80];
    struct writer w = writer_to(text, sizeof text - 1);
    uint64_t now = regtag_clock();
    if (at < first) /* what an earlier run has left was wrong */
        progress_begin(at, total);
    if (!shown || now < next)
        return;
    next = now + INTERVAL;
    write_size(&w, at);
    if (total != UINT64_MAX) {
        write_text(&w, " of ");
        write_size(&w, total);
        write_format(&w, ", %u %%", (unsigned)(at / (total / 100 + 1)));
    }
    write_text(&w, ", ");
    write_size(&w, (at - first) * 1000 / (now - begun + 1));
    write_text(&w, "/s");
    output_transient(written(&w));
}

void progress_of(uint64_t at, uint64_t size)
{
    total = size;
    progress_at(at);
}

void progress_end(void)
{
    output_transient(SLICE(""));
}
