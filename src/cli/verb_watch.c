#include <string.h>

#include "cli/command.h"
#include "cli/fetch.h"
#include "cli/hint.h"
#include "cli/options.h"
#include "cli/outage.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/schedule.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "regtag_sockets.h"
#include "net/random.h"
#include "oci/digest.h"
#include "oci/reference.h"

/* Where a tag may point. */
struct place {
    enum { UNKNOWN, ABSENT, PRESENT } kind;
    char digest[DIGEST_MAX + 1]; /* "" unless PRESENT */
};

struct watch {
    struct options *o;
    const char *image;
    struct regtag *operation; /* NULL: the credentials must be read first */
    unsigned retries;         /* of its requests */
    struct schedule schedule;
    struct place current; /* by the last answer */

    /* By the last line on standard output; before that, by --from or the first answer. */
    struct place reported;

    /* What the device has: by --from or the first answer, and later by the success of COMMAND. */
    struct place applied;

    /* The last digest whose signature was verified, and the last one that has none. */
    struct place vouched, doubtful;

    struct outage registry_outage, fetch_outage, command_outage, signature_outage;
    bool torn;          /* with --fetch: some files may be those of another digest, */
    bool stuck;         /* and the last download has failed without bringing much */
    uint64_t resume;    /* nothing is to be asked before, by regtag_clock() */
    uint64_t announced; /* the longest wait beyond the interval that was reported; 0: none lately */
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

/* ---- The arguments --------------------------------------------------------------------------- */

static bool parse_from(struct watch *w, const char *from, struct error *e)
{
    if (strcmp(from, "absent") == 0)
        set_absent(&w->applied);
    else if (digest_valid(slice_of(from)))
        set_digest(&w->applied, from);
    else
        error_set(e, REGTAG_E_USAGE,
                  "--from \"%.*s\": must be a digest (sha256: and 64 lower-case hexadecimal digits) or "
                  "\"absent\"",
                  SLICE_ARG(slice_head(slice_of(from), 200)));
    w->reported = w->applied;
    return e->status == 0;
}

static bool check(struct watch *w, struct error *e)
{
    struct reference r;
    if (!reference_parse(&r, slice_of(w->image), e))
        return false;
    if (r.digest.size)
        error_set(e, REGTAG_E_USAGE, "%s: a digest never changes; watch a tag", w->image);
    return e->status == 0 && (!w->o->from || parse_from(w, w->o->from, e));
}

/* ---- Servers in trouble ---------------------------------------------------------------------- */

/* A download that got at least this far is making progress and does not count as failing; client/retry.c does the same. */
#define PROGRESS (64u * 1024)

static void note_pause(struct watch *w, uint64_t pause)
{
    uint64_t resume = regtag_clock() + pause;
    w->resume = resume > w->resume ? resume : w->resume;
}

/* For what is done beyond the tag's lookup. With --once, there is no next check that would be the retry. */
static unsigned retries_if(const struct watch *w, bool failing)
{
    unsigned retries = (unsigned)w->o->retries;
    return w->o->once ? retries : schedule_retries_if(failing, retries);
}

/* One line for each change of state; -v shows the others. */
static void tell(struct watch *w, struct outage *o, const struct error *e, const char *consequence)
{
    const char *text = hint_message(e->text, e->hint);
    if (outage_on_failure(o, e->status))
        output_message("%s%s", text, w->o->once ? "" : consequence);
    else
        session_note(text);
}

/* ---- One poll -------------------------------------------------------------------------------- */

static unsigned retries(const struct watch *w)
{
    return schedule_retries(&w->schedule, (unsigned)w->o->retries);
}

/* Without a deadline: each poll has the whole timeout. */
static struct regtag_config poll_config(struct watch *w)
{
    struct regtag_config config = session_config(0);
    config.keep = true;
    config.retries = w->retries = retries(w);
    return config;
}

/* Reads the credentials, again if need be: they may have been changed. A password on standard input can
 * be read only once. The time that this takes is not taken from the poll's. */
static bool begin(struct watch *w, struct error *e)
{
    uint64_t timeout = w->o->timeout * 1000;
    bool keep = w->logged_in && w->o->side[0].password_stdin;
    session_close();
    if (!keep && !session_login(w->image, regtag_clock() + timeout, e))
        return false;
    w->logged_in = w->o->warned = true;
    struct regtag_config config = poll_config(w);
    struct regtag *operation = session_operation(&config);
    regtag_digest(operation, w->image);
    if (session_operation_ok(operation, e))
        w->operation = operation;
    return w->operation != NULL;
}

/* With the same connection and token. How often it may retry is fixed when an operation begins. */
static void poll_again(struct watch *w)
{
    if (w->retries == retries(w)) {
        regtag_again(w->operation, w->current.kind == PRESENT ? w->current.digest : NULL);
        return;
    }
    struct regtag_config config = poll_config(w);
    w->operation = session_next(&config);
    regtag_digest(w->operation, w->image);
}

/* Sets w->current. Absence is an answer too. */
static bool poll_tag(struct watch *w, struct error *e)
{
    const char *text;
    enum regtag_event event;
    session_note("checking");
    if (session_files_changed() && w->operation) {
        session_note("a file has changed: reading all of them again");
        w->operation = NULL;
    }
    if (w->operation)
        poll_again(w);
    else if (!begin(w, e))
        return false;
    do
        event = session_step(w->operation);
    while (event != REGTAG_DONE && event != REGTAG_ERROR);

    enum regtag_status status = regtag_error(w->operation, &text);
    if (status == REGTAG_OK)
        set_digest(&w->current, regtag_result(w->operation)->digest);
    else if (status == REGTAG_E_NOT_FOUND)
        set_absent(&w->current);
    else
        error_set(error_hint(e, (int)regtag_hint(w->operation)), (int)status, "%s", text);
    return e->status == 0;
}

/* ---- Its result ------------------------------------------------------------------------------ */

/* Telling what came of a poll has the whole timeout, like the poll itself. */
static void give_output_time(const struct watch *w)
{
    output_deadline(regtag_clock() + w->o->timeout * 1000);
}

/* Everything else may be cured by time, or by someone else, and is polled for ever. So may a file with CAs that cannot be
 * read, if it could be before. */
static bool is_permanent(const struct watch *w, const struct error *e)
{
    return (e->status == REGTAG_E_USAGE && !w->schedule.answered) ||
           (w->o->side[0].password_stdin && !w->logged_in);
}

/* Leaves *e set if it is to be reported, together with when the next poll is. */
static void on_failure(struct watch *w, struct error *e)
{
    int status = e->status;
    schedule_on_failure(&w->schedule);
    if (is_permanent(w, e)) {
        w->over = true;
        w->status = status;
        report_problem(e);
    } else if (!outage_on_failure(&w->registry_outage, status)) {
        session_note(hint_message(e->text, e->hint));
        error_clear(e);
    }
    if (status == REGTAG_E_DENIED || status == REGTAG_E_CREDENTIALS)
        w->operation = NULL;
}

/* Without --once, a failure is followed by another attempt at the next poll. */
static void end_once(struct watch *w, int status)
{
    if (w->o->once) {
        w->over = true;
        w->status = status;
    }
}

/* There is only one operation at a time: the next poll makes a new one. */
static void end_operation(struct watch *w)
{
    session_close();
    w->operation = NULL;
}

/* The image at the digest of `current`, which the tag may have left by now. */
static void write_pinned(const struct watch *w, char image[REFERENCE_MAX])
{
    struct writer text = writer_to(image, REFERENCE_MAX - 1);
    write_format(&text, "%s@%s", w->image, w->current.digest);
    image[text.used] = '\0';
}

static void verify(struct watch *w, const struct regtag_config *config, struct error *e)
{
    char image[REFERENCE_MAX];
    enum regtag_event event = REGTAG_WAIT;
    write_pinned(w, image);
    session_note("looking for its signature");
    end_operation(w);
    struct regtag *r = session_operation(config);
    if (regtag_manifest(r, image) != REGTAG_OK)
        event = REGTAG_ERROR;
    while (event != REGTAG_DONE && event != REGTAG_ERROR)
        event = session_step(r);
    if (!session_operation_ok(r, e))
        note_pause(w, regtag_pause(r));
    session_close();
}

/* A tag that is gone has no signature either. */
static void check_signature(struct watch *w, const struct regtag_config *config, struct error *e)
{
    if (w->current.kind == PRESENT)
        verify(w, config, e);
    else
        error_set(e, REGTAG_E_UNSIGNED, "%s: the tag is gone, and with it what could be signed",
                  w->image);
    if (e->status && !same(&w->current, &w->doubtful))
        memset(&w->signature_outage, 0, sizeof w->signature_outage);
    w->doubtful = w->current;
}

/* Whether `current` is signed, if it has to be. If not, nothing is done: `reported` and `applied` stay, and the next
 * poll looks again, since signatures may come later than the image. */
static bool is_signed(struct watch *w)
{
    struct regtag_config config = session_config(regtag_clock() + w->o->timeout * 1000);
    struct error e;
    error_clear(&e);
    if (!config.keys || same(&w->current, &w->vouched))
        return true;
    bool failing = w->signature_outage.failures && w->signature_outage.status != REGTAG_E_UNSIGNED;
    config.retries = retries_if(w, failing);
    check_signature(w, &config, &e);
    give_output_time(w);
    if (e.status) {
        tell(w, &w->signature_outage, &e,
             "; nothing is done, and it will be looked at again at the next check");
        end_once(w, e.status);
    } else {
        w->vouched = w->current;
        outage_on_success(&w->signature_outage, w->image, "is signed", w->o->quiet);
    }
    return e.status == 0;
}

/* Has the files of `current` in place. */
static bool fetch_files(struct watch *w)
{
    char image[REFERENCE_MAX];
    struct fetch_job job = {.options = w->o,
                            .image = image,
                            .output = w->o->output,
                            .to_folder = true,
                            .retries = retries_if(w, w->stuck)};
    struct error e;
    error_clear(&e);
    write_pinned(w, image);
    session_note("fetching the files");
    end_operation(w);
    w->torn = !fetch_run(&job, regtag_clock() + w->o->blob_timeout * 1000, &e);
    give_output_time(w);
    w->stuck = w->torn && job.moved < PROGRESS;
    if (w->torn) {
        note_pause(w, job.pause);
        tell(w, &w->fetch_outage, &e, "; the files will be fetched again at the next check");
        end_once(w, e.status);
    } else
        outage_on_success(&w->fetch_outage, w->o->output, "is up to date", w->o->quiet);
    return !w->torn;
}

/* If COMMAND fails, `applied` stays behind `current`, so that the next poll runs it again. */
static void run_command(struct watch *w)
{
    struct command c = {w->o->command, w->image, w->applied.digest, w->current.digest};
    struct error e;
    error_clear(&e);
    session_note("running COMMAND");
    int status = command_run(&c, &e);
    if (status == 0) {
        w->applied = w->current;
        outage_on_success(&w->command_outage, c.arguments[0], "succeeded", w->o->quiet);
    } else if (outage_on_failure(&w->command_outage, status))
        output_message("%s%s", e.text, w->o->once ? "" : "; it will be run again at the next check");
    end_once(w, status);
}

static void warn_output_failed(struct watch *w)
{
    w->output_failed = true;
    output_message("cannot write to stdout: %s; COMMAND is run nevertheless", output_problem());
}

/* Without COMMAND, the report is the whole job, which ends when nobody can read it. */
static void on_move(struct watch *w)
{
    report_move(w->o, w->image, w->reported.digest, w->current.digest);
    w->reported = w->current;
    w->over = !w->o->command && (w->o->once || output_problem());
    if (!w->over && !w->output_failed && output_problem())
        warn_output_failed(w);
}

/* The first place is not a move, unless --from says what the device has. */
static void on_first_answer(struct watch *w)
{
    if (w->applied.kind == UNKNOWN)
        w->reported = w->applied = w->current;
    if (!w->o->quiet)
        output_message("watching %s, %s%s", w->image,
                       w->current.kind == PRESENT ? "now at " : "which does not exist yet",
                       w->current.digest);
}

static void on_answer(struct watch *w, uint64_t took)
{
    outage_on_success(&w->registry_outage, w->image, "answers again", w->o->quiet);
    if (!w->schedule.answered)
        on_first_answer(w);
    schedule_on_answer(&w->schedule, took);
    bool moved = !same(&w->current, &w->reported);
    bool due = w->o->command && !same(&w->current, &w->applied);
    if (HAS_VERB(VERB_ID_VERIFY) && (moved || due || w->torn) && !is_signed(w))
        return;
    if (HAS_VERB(VERB_ID_FETCH) && w->o->output && w->current.kind == PRESENT &&
        (moved || due || w->torn) && !fetch_files(w))
        return;
    if (moved) {
        /* COMMAND has failed for another digest, not for this one. */
        memset(&w->command_outage, 0, sizeof w->command_outage);
        on_move(w);
    }
    if (due)
        run_command(w);
}

/* ---- From one poll to the next --------------------------------------------------------------- */

static void note_wait(uint64_t wait)
{
    char text[80];
    struct writer w = writer_to(text, sizeof text - 1);
    write_text(&w, "checking again in ");
    write_duration(&w, wait);
    text[w.used] = '\0';
    session_note(text);
}

static void report_failure(const struct error *e, uint64_t wait)
{
    char text[40];
    struct writer w = writer_to(text, sizeof text - 1);
    write_duration(&w, wait);
    text[w.used] = '\0';
    output_message("%s (trying again in %s)", hint_message(e->text, e->hint), text);
}

/* Reports a pause beyond the interval when it begins, and when it has become much longer. */
static void report_pause(struct watch *w, uint64_t pause, uint64_t wait)
{
    char text[ERROR_TEXT_MAX];
    struct writer t = writer_to(text, sizeof text - 1);
    if (pause <= w->schedule.interval)
        w->announced = 0;
    if (pause <= w->schedule.interval || wait / 2 < w->announced)
        return;
    w->announced = wait;
    write_format(&t, "%s: the registry asks for a pause; the next check is in ", w->image);
    write_duration(&t, wait);
    text[t.used] = '\0';
    if (!w->o->quiet)
        output_error(text);
}

/* *e is set if there is a failure to report. */
static void wait_for_next(struct watch *w, const struct error *e)
{
    uint16_t random = UINT16_MAX;
    uint64_t now = regtag_clock(), pause = w->resume > now ? w->resume - now : 0;
    random_bytes(NULL, &random, sizeof random);
    uint64_t wait = schedule_wait(&w->schedule, pause, random);
    if (e->status)
        report_failure(e, wait);
    report_pause(w, pause, wait);
    if (wait > SCHEDULE_IDLE_MAX)
        session_close();
    note_wait(wait);
    command_reap();
    if (signals_wait(regtag_clock() + wait))
        session_note("SIGHUP: checking now");
}

static void poll_and_act(struct watch *w)
{
    struct error e;
    error_clear(&e);
    give_output_time(w);
    output_offer(); /* what was left of the last time */
    uint64_t begun = regtag_clock();
    bool answered = poll_tag(w, &e);
    give_output_time(w);
    uint64_t took = regtag_clock() - begun;
    w->resume = 0;
    note_pause(w, w->operation ? regtag_pause(w->operation) : 0);
    if (answered)
        on_answer(w, took);
    else
        on_failure(w, &e);
    if (!w->over)
        wait_for_next(w, &e);
}

/* Runs for ever: the deadline is each poll's, and is set there. */
static int run(struct options *o, uint64_t deadline)
{
    static struct watch w;
    struct error e;
    error_clear(&e);
    (void)deadline;
    w.o = o;
    w.image = o->arguments[0];
    w.schedule.interval = o->interval * 1000;
    w.schedule.jitter = (unsigned)o->jitter;
    signals_begin();
    if (!check(&w, &e)) {
        report_problem(&e);
        return e.status;
    }
    while (!w.over)
        poll_and_act(&w);
    return w.status;
}

const struct cli_verb cli_verb_watch = {
    .id = VERB_ID_WATCH,
    .name = "watch",
    .arguments = "IMAGE [-- COMMAND...]",
    .summary = "waits until the tag moves, then runs COMMAND",
    .details = "Checks again and again where the tag of IMAGE points. When it moves, prints the\n"
               "previous and the new digest, separated by a tab, with \"-\" for none, and runs\n"
               "COMMAND with both in REGTAG_OLD and REGTAG_NEW.\n",
    .example = "watch --once registry.example/agent:stable -- sh -c 'echo $REGTAG_NEW'",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
