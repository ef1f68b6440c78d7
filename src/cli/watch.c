#include "cli/watch.h"

#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/schedule.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/outage.h"
#include "net/clock.h"
#include "net/random.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define IDLE_MAX 90000 /* milliseconds that a connection is kept for the next ask */

/* Where a tag may point. */
struct place {
    enum { UNKNOWN, ABSENT, PRESENT } kind;
    char digest[DIGEST_MAX + 1]; /* "" unless it is present */
};

struct watch {
    struct options *o;
    const char *image;
    struct regtag *operation; /* NULL: the credentials are to be read first */
    struct schedule schedule;
    struct place seen; /* where the tag points, by the last answer */
    struct place told; /* where it was last told to point, or was known to point at first */
    struct place here; /* what the device has: what was known at first, or what COMMAND did */
    struct outage registry_outage, command_outage;
    bool logged_in;
    bool output_failed;
    bool over;
    int status;
};

static bool same(const struct place *a, const struct place *b)
{
    return a->kind == b->kind && strcmp(a->digest, b->digest) == 0;
}

static void set_digest(struct place *p, const char *digest)
{
    struct writer w = writer_to(p->digest, sizeof p->digest - 1);
    write_text(&w, digest);
    p->digest[w.used] = '\0';
    p->kind = PRESENT;
}

static void set_absent(struct place *p)
{
    p->digest[0] = '\0';
    p->kind = ABSENT;
}

/* ---- Before anything is sent ----------------------------------------------------------------- */

static bool read_from(struct watch *w, const char *from, struct error *e)
{
    if (strcmp(from, "absent") == 0)
        set_absent(&w->here);
    else if (digest_valid(slice_of(from)))
        set_digest(&w->here, from);
    else
        error_set(e, REGTAG_USAGE,
                  "--from \"%.*s\": it takes a digest, sha256: and 64 lower-case hexadecimal digits, or "
                  "\"absent\"",
                  SLICE_ARG(slice_head(slice_of(from), 200)));
    w->told = w->here;
    return e->status == 0;
}

static bool check(struct watch *w, struct error *e)
{
    struct reference r;
    if (!reference_parse(&r, slice_of(w->image), e))
        return false;
    if (r.digest.size)
        error_set(e, REGTAG_USAGE, "%s: what a digest stands for never changes; a tag can be watched",
                  w->image);
    return e->status == 0 && (!w->o->from || read_from(w, w->o->from, e));
}

/* ---- An ask ---------------------------------------------------------------------------------- */

/* Reads the credentials, perhaps anew: somebody may have changed them. Those on standard input come once
 * only. The ask itself has all its time afterwards. */
static bool begin(struct watch *w, struct error *e)
{
    uint64_t timeout = w->o->timeout * 1000;
    bool keep = w->logged_in && w->o->password_stdin;
    session_close();
    if (!keep && !session_login(w->image, clock_now() + timeout, e))
        return false;
    w->logged_in = w->o->warned = true;
    struct regtag_config config = session_config(clock_now() + timeout);
    config.deadline = 0; /* each ask has the whole timeout */
    config.keep = true;
    struct regtag *operation = session_operation(&config);
    if (regtag_digest(operation, w->image) == REGTAG_OK)
        w->operation = operation;
    else {
        const char *text;
        enum regtag_status status = regtag_error(operation, &text);
        error_set(e, (int)status, "%s", text);
    }
    return w->operation != NULL;
}

/* Where the tag points, to w->seen. That it is not there is an answer as well. */
static bool ask(struct watch *w, struct error *e)
{
    const char *text;
    enum regtag_event event;
    session_note("asks");
    if (w->operation)
        regtag_again(w->operation, w->seen.kind == PRESENT ? w->seen.digest : NULL);
    else if (!begin(w, e))
        return false;
    do
        event = session_step(w->operation);
    while (event != REGTAG_DONE && event != REGTAG_ERROR);

    enum regtag_status status = regtag_error(w->operation, &text);
    if (status == REGTAG_OK)
        set_digest(&w->seen, regtag_result(w->operation)->digest);
    else if (status == REGTAG_NOT_FOUND)
        set_absent(&w->seen);
    else
        error_set(e, (int)status, "%s", text);
    return e->status == 0;
}

/* ---- What becomes of it ---------------------------------------------------------------------- */

/* What trying again can mend is tried again for ever. */
static bool hopeless(const struct watch *w, const struct error *e)
{
    return e->status == REGTAG_USAGE || (w->o->password_stdin && !w->logged_in);
}

static void failed(struct watch *w, const struct error *e)
{
    schedule_on_failure(&w->schedule);
    if (outage_on_failure(&w->registry_outage, e->status))
        output_error(e->text);
    else
        session_note(e->text);
    if (hopeless(w, e)) {
        w->over = true;
        w->status = e->status;
    }
    if (e->status == REGTAG_DENIED || e->status == REGTAG_CREDENTIALS)
        w->operation = NULL;
}

static void tell_failure(const struct watch *w, const struct error *e)
{
    char text[ERROR_TEXT_MAX + 64];
    struct writer words = writer_to(text, sizeof text - 1);
    write_format(&words, "%s%s", e->text, w->o->once ? "" : "; it is run again at the next ask");
    text[words.used] = '\0';
    output_error(text);
}

/* What COMMAND has not done is left for the next ask. */
static void run(struct watch *w)
{
    struct command c = {w->o->command, w->image, w->here.digest, w->seen.digest};
    struct error e = {.status = 0};
    session_note("runs COMMAND");
    int status = command_run(&c, &e);
    if (status == 0) {
        w->here = w->seen;
        outage_on_success(&w->command_outage, c.arguments[0], "ended well", w->o->quiet);
    } else if (outage_on_failure(&w->command_outage, status))
        tell_failure(w, &e);
    if (w->o->once) {
        w->over = true;
        w->status = status;
    }
}

/* Without COMMAND, telling it is the job, and there is none left when nobody can be told. */
static void tell_move(struct watch *w)
{
    char text[200];
    report_move(w->o, w->image, w->told.digest, w->seen.digest);
    w->told = w->seen;
    w->over = !w->o->command && (w->o->once || output_problem());
    if (w->over || w->output_failed || !output_problem())
        return;
    w->output_failed = true;
    struct writer words = writer_to(text, sizeof text - 1);
    write_format(&words, "stdout cannot be written: %s; COMMAND is run all the same",
                 strerror(output_problem()));
    text[words.used] = '\0';
    output_error(text);
}

/* Where it points at first is no move, unless it is said what the device has. */
static void first_answer(struct watch *w)
{
    char text[ERROR_TEXT_MAX];
    struct writer words = writer_to(text, sizeof text - 1);
    if (w->here.kind == UNKNOWN)
        w->told = w->here = w->seen;
    write_format(&words, "watching %s, %s%s", w->image,
                 w->seen.kind == PRESENT ? "now at " : "which is not there yet", w->seen.digest);
    text[words.used] = '\0';
    if (!w->o->quiet)
        output_error(text);
}

static void answered(struct watch *w)
{
    outage_on_success(&w->registry_outage, w->image, "answers again", w->o->quiet);
    if (!w->schedule.answered)
        first_answer(w);
    schedule_on_answer(&w->schedule);
    if (!same(&w->seen, &w->told)) {
        memset(&w->command_outage, 0, sizeof w->command_outage); /* that was about another digest */
        tell_move(w);
    }
    if (w->o->command && !same(&w->seen, &w->here))
        run(w);
}

/* ---- From one ask to the next ---------------------------------------------------------------- */

static void note_wait(uint64_t wait)
{
    char text[80];
    struct writer w = writer_to(text, sizeof text - 1);
    write_text(&w, "asks again in ");
    write_duration(&w, wait);
    text[w.used] = '\0';
    session_note(text);
}

/* `pause` is how long the registry wanted to be left alone at the time `since`. */
static void wait_for_next(const struct watch *w, uint64_t pause, uint64_t since)
{
    uint16_t random = UINT16_MAX;
    uint64_t gone = clock_now() - since;
    random_bytes(NULL, &random, sizeof random);
    uint64_t wait = schedule_wait(&w->schedule, pause > gone ? pause - gone : 0, random);
    if (wait > IDLE_MAX)
        session_close();
    note_wait(wait);
    command_collect();
    if (signals_wait(clock_now() + wait))
        session_note("SIGHUP: asks at once");
}

static void ask_and_act(struct watch *w)
{
    struct error e = {.status = 0};
    bool well = ask(w, &e);
    uint64_t since = clock_now(), pause = w->operation ? regtag_pause(w->operation) : 0;
    if (well)
        answered(w);
    else
        failed(w, &e);
    if (!w->over)
        wait_for_next(w, pause, since);
}

int watch(struct options *o)
{
    static struct watch w;
    struct error e = {.status = 0};
    w.o = o;
    w.image = o->arguments[0];
    w.schedule.interval = o->interval * 1000;
    w.schedule.jitter = (unsigned)o->jitter;
    signals_begin();
    if (!check(&w, &e)) {
        output_error(e.text);
        return e.status;
    }
    while (!w.over)
        ask_and_act(&w);
    return w.status;
}
