#include "cli/fetch.h"

#include <string.h>
#include <unistd.h>

#include "cli/file_scan.h"
#include "cli/hint.h"
#include "cli/output.h"
#include "cli/partial.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "oci/digest.h"

#define NONE UINT64_MAX
#define TRIES_MAX 100 /* a file system may say that a name leads elsewhere every time */

struct fetch {
    struct fetch_job *job;
    const struct options *o;
    uint64_t deadline;
    struct regtag *r;
    struct error *e; /* the first failure: nothing more is begun */
    bool to_output, to_folder;

    bool begun;
    /* With several files: the first pass downloads all of them, the second one puts them in place. */
    bool several, second;
    uint64_t next;     /* layer to look at next */
    uint64_t untitled; /* layers that were left out */

    /* The file at hand. */
    uint64_t number; /* of the layer; NONE: none yet */
    uint64_t size, at;
    bool packed;
    char digest[DIGEST_MAX + 1];
    size_t base; /* of the path: see place_open */
    char path[FETCH_PATH_MAX];
    struct place place;
    struct partial partial;

    unsigned char unchanged[FETCH_MARKS / 8]; /* files that were found to be correct in the first pass */
};

/* ---- Which layers ---------------------------------------------------------------------------- */

static bool is_wanted(const struct options *o, uint64_t number, const struct regtag_layer *layer)
{
    return (o->layer == NONE || o->layer == number) &&
           (!o->title || strcmp(o->title, layer->title) == 0) &&
           (!o->media_type || strcmp(o->media_type, layer->media_type) == 0);
}

/* The next layer from *number on that is to be a file. */
static bool find_layer(struct fetch *f, uint64_t *number, struct regtag_layer *layer)
{
    for (; regtag_layer(f->r, *number, layer); ++*number)
        if (is_wanted(f->o, *number, layer) && (!f->to_folder || *layer->title))
            return true;
    return false;
}

/* Layer 0 has no comma before it. */
static void list_layers(const struct fetch *f, struct writer *w)
{
    struct regtag_layer layer;
    for (uint64_t number = 0; !w->overflow && regtag_layer(f->r, number, &layer); number++)
        write_format(w, "%s%llu \"%s\" (%s)", number ? ", " : "", (unsigned long long)number,
                     layer.title, layer.media_type);
    if (w->used == 0)
        write_text(w, "none");
}

static void fail_choice(struct fetch *f, enum regtag_status status, const char *problem)
{
    char list[LAYERS_TEXT_MAX];
    struct writer w = writer_to(list, sizeof list);
    list_layers(f, &w);
    error_set(f->e, (int)status, "%s: %s; its layers are: %.*s%s", f->job->image, problem,
              SLICE_ARG(written(&w)), w.overflow ? " ..." : "");
}

static void count_layers(struct fetch *f, uint64_t *wanted, uint64_t *untitled)
{
    struct regtag_layer layer;
    *wanted = *untitled = 0;
    for (uint64_t number = 0; regtag_layer(f->r, number, &layer); number++)
        if (is_wanted(f->o, number, &layer))
            ++*(f->to_folder && !*layer.title ? untitled : wanted);
}

static void begin(struct fetch *f)
{
    uint64_t wanted, untitled;
    f->begun = true;
    count_layers(f, &wanted, &untitled);
    f->several = wanted > 1;
    if (f->several && !f->to_folder)
        fail_choice(f, REGTAG_E_USAGE,
                    "several layers for one file; choose one with --layer N, or name a folder: -o DIR/");
    else if (wanted == 0)
        fail_choice(
            f, REGTAG_E_NOT_FOUND,
            untitled
                ? "no layer has a title to be the name of a file; \"regtag fetch --layer N -o FILE\" fetches one"
                : "no such layer");
    else if (untitled && !f->o->quiet)
        output_message(
            "%s: layers without a title are left out: %llu; \"regtag fetch --layer N -o FILE\" fetches one",
            f->job->image, (unsigned long long)untitled);
}

/* ---- Reporting ------------------------------------------------------------------------------- */

static void set_path(struct fetch *f, const struct regtag_layer *layer)
{
    struct writer w = writer_to(f->path, sizeof f->path - 1);
    write_format(&w, "%s%s", f->job->output, f->to_folder ? "/" : "");
    if (w.used > 1 && f->to_folder && f->path[w.used - 2] == '/')
        w.used--;
    f->base = w.used;
    while (f->base && f->path[f->base - 1] != '/')
        f->base--;
    if (f->to_folder)
        write_text(&w, layer->title);
    f->path[w.used] = '\0';
    if (w.overflow)
        error_set(f->e, REGTAG_E_OTHER, "%s: too long", f->job->output);
}

static void set_file(struct fetch *f, uint64_t number, const struct regtag_layer *layer)
{
    struct writer w = writer_to(f->digest, sizeof f->digest - 1);
    f->number = number;
    f->size = layer->size;
    f->packed = layer->packed;
    write_text(&w, layer->digest);
    f->digest[w.used] = '\0';
    set_path(f, layer);
}

static void report(const struct fetch *f, const char *result, int status, const char *error)
{
    if (f->job->report && !f->to_output)
        report_file(f->o, f->path, f->digest, f->size, result, (enum regtag_status)status, error);
}

static void report_success(const struct fetch *f, const char *result)
{
    progress_end();
    report(f, result, REGTAG_OK, "");
    if (f->packed && !f->o->quiet)
        output_message("%s is a packed folder: unpack it with tar", f->path);
}

static bool is_marked(const struct fetch *f)
{
    return f->number < FETCH_MARKS && f->unchanged[f->number / 8] & 1u << f->number % 8;
}

/* The files that were not reported yet: the one that failed, and those that it holds back. If there is none, it was
 * none of them that failed. */
static void report_failure(struct fetch *f)
{
    struct regtag_layer layer = {.digest = "", .size = NONE, .title = ""};
    const char *error = hint_message(f->e->text, f->e->hint);
    uint64_t failed = f->number, n = f->several && !f->second ? 0 : failed;
    if (failed == NONE) {
        set_file(f, NONE, &layer);
        report(f, "failed", f->e->status, error);
    }
    for (; failed != NONE && find_layer(f, &n, &layer); n++) {
        set_file(f, n, &layer);
        if (n == failed)
            report(f, "failed", f->e->status, error);
        else if (is_marked(f))
            report_success(f, "unchanged");
        else
            report(f, "failed", REGTAG_E_OTHER, "not put in place, because another file failed");
    }
}

/* ---- A file ---------------------------------------------------------------------------------- */

static void on_unchanged(struct fetch *f)
{
    if (f->number < FETCH_MARKS)
        f->unchanged[f->number / 8] |= (unsigned char)(1u << f->number % 8);
    f->size = f->place.size;
    if (!f->several || f->second)
        report_success(f, "unchanged");
    place_close(&f->place);
}

/* Opens the place and the partial file. False: nothing is to be downloaded, or the file failed. */
static bool open_file(struct fetch *f)
{
    enum partial_state state;
    unsigned tries = 0;
    bool known = f->second && f->number < FETCH_MARKS; /* to be different from what is in place */
    do {
        if (!place_open(&f->place, f->path, f->base, f->to_folder, f->e))
            return false;
        if (!known && place_has(&f->place, f->digest, f->size, f->deadline)) {
            on_unchanged(f);
            return false;
        }
        known = false;
        state = partial_open(&f->partial, &f->place, f->digest, f->deadline, f->o->quiet, f->e);
        if (state != PARTIAL_OPEN)
            place_close(&f->place);
    } while (state == PARTIAL_AGAIN && ++tries < TRIES_MAX);
    if (state == PARTIAL_AGAIN)
        error_set(f->e, REGTAG_E_OTHER, "%s: cannot keep hold of %s in the same folder", f->path,
                  f->partial.name);
    return state == PARTIAL_OPEN;
}

static void have(void *context, const void *bytes, size_t size)
{
    struct fetch *f = context;
    regtag_have(f->r, bytes, size);
    progress_at(f->at += size);
}

/* For --verbose. */
static void note_file(const struct fetch *f)
{
    char text[500];
    struct writer w = writer_to(text, sizeof text - 1);
    write_format(&w, "downloading from byte %llu on: %s", (unsigned long long)f->at, f->path);
    text[w.used] = '\0';
    session_note(text);
}

static void keep(void *context, const void *bytes, size_t size)
{
    struct fetch *f = context;
    if (partial_write(&f->partial, f->at, bytes, size) == 0)
        have(f, bytes, size);
}

/* Files with the same bytes in one folder have the same partial file, which became the first of them: they are
 * copied from there. The library checks what is there in any case. */
static void copy_twin(struct fetch *f)
{
    struct regtag_layer layer;
    struct place twin = f->place;
    const char *title = f->path + f->base;
    size_t folder = (size_t)(f->place.name - title);
    for (uint64_t n = 0; f->at == 0 && find_layer(f, &n, &layer) && n < f->number; n++) {
        twin.name = layer.title + folder;
        bool near = strncmp(layer.title, title, folder) == 0 && !strchr(twin.name, '/');
        int fd = near && strcmp(layer.digest, f->digest) == 0 ? place_file(&twin) : -1;
        if (fd < 0)
            continue;
        file_scan(fd, f->size, f->deadline, keep, f);
        close(fd);
    }
}

static void resume(struct fetch *f)
{
    progress_begin(0, f->size);
    file_scan(f->partial.fd, f->size, f->deadline, have, f);
    f->partial.size = f->at;
    if (f->second && f->size)
        copy_twin(f);
}

/* Returns whether there is something to do for the library. */
static bool start_file(struct fetch *f)
{
    bool checkable = digest_is_sha256(slice_of(f->digest)); /* the library will say what is wrong */
    if (f->e->status)
        return false;
    if (f->second && is_marked(f)) {
        report_success(f, "unchanged");
        return false;
    }
    if (!f->to_output && checkable && !open_file(f))
        return false;
    regtag_choose(f->r, f->number);
    f->at = 0;
    if (f->partial.fd >= 0)
        resume(f);
    if (!f->second)
        note_file(f);
    progress_begin(f->at, f->size);
    return true;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static bool choose_next(struct fetch *f)
{
    struct regtag_layer layer;
    for (; !f->e->status && find_layer(f, &f->next, &layer); f->next++) {
        set_file(f, f->next, &layer);
        if (start_file(f)) {
            f->next++;
            return true;
        }
    }
    return false;
}

static void on_choose(struct fetch *f)
{
    if (!f->begun)
        begin(f);
    if (choose_next(f) || f->e->status || !f->several || f->second)
        return;
    f->second = true;
    f->next = 0;
    choose_next(f);
}

static const char *write_bytes(struct fetch *f, uint64_t at, const void *bytes, size_t size)
{
    if (!f->to_output) {
        int problem = partial_write(&f->partial, at, bytes, size);
        return problem ? strerror(problem) : NULL;
    }
    output_write((struct slice){bytes, size});
    return output_problem();
}

static void on_bytes(struct fetch *f)
{
    uint64_t at;
    size_t size;
    const void *bytes = regtag_bytes(f->r, &at, &size);
    const char *problem = write_bytes(f, at, bytes, size);
    f->at = at + size;
    f->job->moved += size;
    progress_at(f->at);
    if (problem) {
        error_set(f->e, REGTAG_E_OTHER, "%s: %s", f->path, problem);
        regtag_decline(f->r, problem);
    }
}

/* The blob is complete and correct. Returns 0, or errno. */
static int put_in_place(struct fetch *f)
{
    int problem = partial_sync(&f->partial);
    if (!problem && (!f->several || f->second))
        problem = partial_rename(&f->partial);
    return problem;
}

static void on_settled(struct fetch *f)
{
    const struct regtag_result *result = regtag_result(f->r);
    enum regtag_status status = result->status;
    if (status != REGTAG_OK)
        error_set(error_hint(f->e, (int)result->hint), (int)status, "%s: %s", f->path, result->error);
    else if (!f->to_output) {
        int problem = put_in_place(f);
        if (problem)
            error_set(f->e, REGTAG_E_OTHER, "%s: %s", f->path, strerror(problem));
    }
    partial_close(&f->partial, status == REGTAG_E_REFUSED);
    place_close(&f->place);
    f->size = f->at;
    if (!f->e->status && (!f->several || f->second))
        report_success(f, "fetched");
}

static void step_to_end(struct fetch *f)
{
    enum regtag_event event;
    do {
        event = session_step(f->r);
        if (event == REGTAG_CHOOSE)
            on_choose(f);
        else if (event == REGTAG_BYTES)
            on_bytes(f);
        else if (event == REGTAG_SETTLED)
            on_settled(f);
    } while (event != REGTAG_DONE && event != REGTAG_ERROR);
}

bool fetch_to_output(const struct fetch_job *job)
{
    return !job->to_folder && job->output && strcmp(job->output, "-") == 0;
}

bool fetch_check(const struct fetch_job *job, struct error *e)
{
    const struct options *o = job->options;
    bool to_output = fetch_to_output(job);
    const char *problem = NULL;
    if (o->blob && (o->layer != NONE || o->title || o->media_type || o->platform))
        problem = "--blob cannot be combined with --layer, --title, --media-type or --platform";
    else if (o->blob && !to_output && place_is_folder(job->output))
        problem = "a blob has no name; with --blob, -o must be a file, not a folder";
    else if (to_output && o->json)
        problem = "--json cannot be combined with -o -, which prints nothing but the data";
    if (problem)
        error_set(e, REGTAG_E_USAGE, "%s", problem);
    return !problem;
}

static void set_up(struct fetch *f, struct fetch_job *job, struct error *e)
{
    memset(f, 0, sizeof *f);
    f->job = job;
    f->o = job->options;
    f->e = e;
    f->number = NONE;
    f->place.folder = f->partial.fd = -1;
    f->to_output = fetch_to_output(job);
    f->to_folder = job->to_folder || (!f->to_output && place_is_folder(job->output));
}

static struct fetch fetch;

void fetch_fail(struct fetch_job *job, struct error *e)
{
    set_up(&fetch, job, e);
    report_failure(&fetch);
}

bool fetch_run(struct fetch_job *job, uint64_t deadline, struct error *e)
{
    struct fetch *f = &fetch;
    struct regtag_config config = session_config(deadline);
    set_up(f, job, e);
    f->deadline = deadline;
    config.timeout = f->o->blob_timeout * 1000;
    config.retries = job->retries;
    config.titles_are_names = f->to_folder;
    f->r = session_operation(&config);
    progress_run(!f->o->quiet && !f->o->verbose && !(f->to_output && isatty(STDOUT_FILENO)));
    if ((f->o->blob ? regtag_fetch_blob : regtag_fetch)(f->r, job->image) == REGTAG_OK)
        step_to_end(f);
    session_operation_ok(f->r, e);
    job->pause = regtag_pause(f->r);
    progress_end();
    if (e->status)
        report_failure(f);
    session_close();
    return e->status == 0;
}
