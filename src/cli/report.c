#include "cli/report.h"

#include <string.h>

#include "base/sizes.h"
#include "cli/hint.h"
#include "cli/output.h"
#include "net/verify.h"
#include "oci/reference.h"
#include "regtag_sockets.h"

/* ---- Rows, each printed whole ---------------------------------------------------------------- */

/* One at a time. */
static struct writer row;

static struct writer *row_begin(void)
{
    static char text[ROW_MAX];
    row = writer_to(text, sizeof text);
    return &row;
}

static void row_print(void)
{
    write_char(&row, '\n');
    output_write(written(&row));
}

struct slice report_reference(const char *image, const char *tag, char *text, size_t size)
{
    struct reference r;
    struct error ignored;
    struct writer w = writer_to(text, size);
    error_clear(&ignored);
    if (reference_parse(&r, slice_of(image), &ignored))
        write_format(&w, "%.*s%s%s", SLICE_ARG(r.name), strchr(tag, ':') ? "@" : ":", tag);
    return written(&w);
}

/* Members of a JSON object. The first one opens it; member_status closes it. */
static void member_name(struct writer *w, const char *name)
{
    write_format(w, "%s\"%s\":", w->used ? "," : "{", name);
}

static void member_text(struct writer *w, const char *name, struct slice text)
{
    member_name(w, name);
    if (text.size)
        write_json_string(w, text);
    else
        write_text(w, "null");
}

static void member_status(struct writer *w, enum regtag_status status, const char *error)
{
    member_name(w, "status");
    write_number(w, (unsigned)status);
    if (status != REGTAG_OK)
        member_text(w, "error", slice_of(error));
    write_char(w, '}');
}

/* ---- Results --------------------------------------------------------------------------------- */

const char *report_outcome(enum regtag_outcome outcome)
{
    switch (outcome) {
    case REGTAG_TAG_CREATED: return "created";
    case REGTAG_TAG_MOVED: return "moved";
    case REGTAG_TAG_SET: return "set";
    case REGTAG_TAG_DELETED: return "deleted";
    case REGTAG_TAG_UNCHANGED: return "unchanged";
    case REGTAG_TAG_UNCERTAIN: return "uncertain";
    default: return "failed";
    }
}

void report_settled(const struct options *o, const char *image, const struct regtag_result *result)
{
    char text[1024];
    struct slice reference = report_reference(image, result->name, text, sizeof text);
    struct writer *w = row_begin();
    const char *word = report_outcome(result->outcome);
    struct slice previous = slice_of(result->previous);
    const char *error = hint_message(result->error, (int)result->hint);

    if (o->json) {
        member_text(w, "reference", reference);
        member_text(w, "digest", slice_of(result->digest));
        member_text(w, "result", slice_of(word));
        member_text(w, "previous", previous);
        member_status(w, result->status, error);
    } else
        write_format(w, "%.*s\t%s\t%s\t%.*s", SLICE_ARG(reference),
                     *result->digest ? result->digest : "-", word,
                     SLICE_ARG(previous.size ? previous : SLICE("-")));
    row_print();
    output_offer(); /* whoever reads it may be slow: the other tags come first */
    if (result->status != REGTAG_OK)
        report_error(error);
}

void report_listed(const struct options *o, const char *repository, const struct regtag_result *result)
{
    char text[1024];
    struct writer *w = row_begin();
    if (o->json) {
        member_text(w, "reference", report_reference(repository, result->name, text, sizeof text));
        member_text(w, "tag", slice_of(result->name));
        if (o->digests)
            member_text(w, "digest", slice_of(result->digest));
        write_char(w, '}');
    } else {
        write_text(w, result->name);
        if (o->digests)
            write_format(w, "\t%s", *result->digest ? result->digest : "-");
    }
    row_print();
    if (result->status != REGTAG_OK)
        report_error(hint_message(result->error, (int)result->hint));
}

void report_digest(const struct options *o, const char *image, const struct regtag_result *result,
                   enum regtag_status status, const char *error)
{
    struct writer *w = row_begin();
    if (o->json) {
        member_text(w, "reference", slice_of(image));
        member_text(w, "digest", slice_of(result->digest));
        member_status(w, status, error);
        row_print();
    } else if (status == REGTAG_OK) {
        write_text(w, result->digest);
        row_print();
    }
}

void report_saved(const struct options *o, const char *image, const char *digest,
                  enum regtag_status status, const char *error)
{
    struct writer *w = row_begin();
    if (o->json) {
        member_text(w, "reference", slice_of(image));
        member_text(w, "digest", slice_of(digest));
        member_status(w, status, error);
    } else
        write_format(w, "%s\t%s", image, digest);
    if (o->json || status == REGTAG_OK)
        row_print();
}

void report_verified(const struct options *o, const char *image, const struct regtag_result *result,
                     enum regtag_status status, const char *error)
{
    struct writer *w = row_begin();
    const char *key = status == REGTAG_OK ? verify_key_sha256(result->key) : "";
    if (o->json) {
        member_text(w, "reference", slice_of(image));
        member_text(w, "digest", slice_of(result->digest));
        member_text(w, "result", slice_of(*key ? "verified" : "failed"));
        member_text(w, "key", slice_of(key));
        member_status(w, status, error);
    } else
        write_format(w, "%s\t%s\tverified\t%s", image, result->digest, key);
    if (o->json || *key)
        row_print();
}

void report_referrer(const struct options *o, const struct regtag_result *result)
{
    struct writer *w = row_begin();
    struct slice type = slice_of(result->name);
    if (o->json) {
        member_text(w, "digest", slice_of(result->digest));
        member_text(w, "artifactType", type);
        member_name(w, "size");
        write_number(w, result->size);
        write_char(w, '}');
    } else {
        write_format(w, "%s\t", result->digest);
        write_escaped(w, type.size ? type : SLICE("-"));
        write_format(w, "\t%llu", (unsigned long long)result->size);
    }
    row_print();
}

void report_move(const struct options *o, const char *image, const char *from, const char *to)
{
    struct writer *w = row_begin();
    enum regtag_outcome outcome = !*from ? REGTAG_TAG_CREATED
                                  : !*to ? REGTAG_TAG_DELETED
                                         : REGTAG_TAG_MOVED;
    if (o->json) {
        member_text(w, "reference", slice_of(image));
        member_text(w, "digest", slice_of(to));
        member_text(w, "result", slice_of(report_outcome(outcome)));
        member_text(w, "previous", slice_of(from));
        member_status(w, REGTAG_OK, "");
    } else
        write_format(w, "%s\t%s", *from ? from : "-", *to ? to : "-");
    row_print();
    if (o->command)
        output_offer(); /* which does not wait for the reader of a line */
    else
        output_flush();
}

/* Layers say how large they are; only a blob that failed may not. */
void report_file(const struct options *o, const char *path, const char *digest, uint64_t size,
                 const char *result, enum regtag_status status, const char *error)
{
    char digits[21] = "-";
    struct writer *w = row_begin(), number = writer_to(digits, sizeof digits - 1);
    if (size != UINT64_MAX) {
        write_number(&number, size);
        digits[number.used] = '\0';
    }
    if (o->json) {
        member_name(w, "path");
        write_json_path(w, slice_of(path));
        member_text(w, "digest", slice_of(digest));
        member_name(w, "size");
        write_text(w, number.used ? digits : "null");
        member_text(w, "result", slice_of(result));
        member_status(w, status, error);
    } else
        write_format(w, "%s\t%s\t%s\t%s", path, *digest ? digest : "-", digits, result);
    row_print();
    output_offer(); /* whoever reads it may be slow: the other files come first */
}

/* ---- Messages -------------------------------------------------------------------------------- */

void report_problem(const struct error *e)
{
    output_error(hint_message(e->text, e->hint));
}

void report_error(const char *text)
{
    static char last[ERROR_TEXT_MAX];
    if (strcmp(text, last) == 0)
        return;
    struct writer w = writer_to(last, sizeof last - 1);
    write_format(&w, "%s", text);
    last[w.used] = '\0';
    output_error(text);
}

void report_trace(void *context, enum regtag_trace kind, const char *text, size_t size)
{
    static const char *const MARKS[] = {
        [REGTAG_TRACE_REQUEST] = ">", [REGTAG_TRACE_ANSWER] = "<", [REGTAG_TRACE_NOTE] = "*"};
    const struct report_trace *t = context;
    struct slice line = {text, size};

    if (kind == REGTAG_TRACE_WARNING) {
        if (!t->options->quiet)
            output_note("regtag: ", line);
    } else if (t->options->verbose && !t->options->quiet) {
        char before[40];
        struct writer w = writer_to(before, sizeof before - 1);
        write_format(&w, "%llu ms %s ", (unsigned long long)(regtag_clock() - t->start), MARKS[kind]);
        before[w.used] = '\0';
        output_note(before, line);
    }
}
