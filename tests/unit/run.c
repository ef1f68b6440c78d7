#include "run.h"

#define STEPS_MAX 2000000u
#define CANARY '\xa5'

const char OCI[] = "application/vnd.oci.image.manifest.v1+json";
const char SCHEMA1[] = "application/vnd.docker.distribution.manifest.v1+json";
const char INDEX[] = "application/vnd.oci.image.index.v1+json";
const char ZEROS[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/* ---- An operation ---------------------------------------------------------------------------- */

/* The last block that was given back: most are of the same size, and to touch new pages takes long. */
static struct guard spare;

static struct guard block_of(size_t size)
{
    struct guard block = spare;
    spare = (struct guard){0};
    if (block.size == size)
        return block;
    if (block.map)
        guard_free(&block);
    return guard_end(NULL, size);
}

static void free_block(struct run *run)
{
    if (spare.map)
        guard_free(&spare);
    spare = run->block;
    run->block = (struct guard){0};
}

/* The block ends where the guard page begins, so its size has to keep it aligned. Like the caller's memory, it has anything in
 * it. */
static void make_block(struct run *run)
{
    size_t size = regtag_size(&run->config);
    run->config.manifest_max += (16 - size % 16) % 16;
    size = regtag_size(&run->config);
    assert_int_equal(size % 16, 0);
    run->block = block_of(size);
    char *begin = run->block.map + 4096;
    memset(begin, CANARY, (size_t)(run->block.data - begin) + size);
}

void begin_again(struct run *run)
{
    run->regtag = regtag_init(run->block.data, run->block.size, &run->config);
    assert_non_null(run->regtag);
}

void begin(struct run *run)
{
    memset(run, 0, sizeof *run);
    wire_init(&run->wire);
    wire_push(&run->wire, "base", OCI, NEW, sizeof NEW - 1);
    wire_push(&run->wire, "new", OCI, OLD, sizeof OLD - 1);
    run->config.size = sizeof run->config;
    run->config.hash = regtag_sha256(&run->hash);
    run->config.transport = wire_transport(&run->wire);
    run->config.timeout = TIMEOUT;
    run->config.manifest_max = MANIFEST_MAX;
    run->config.tokens_max = TOKENS_MAX;
    make_block(run);
    begin_again(run);
}

void widen(struct run *run, size_t connections)
{
    free_block(run);
    run->config.connections = connections;
    make_block(run);
    begin_again(run);
}

void finish(struct run *run)
{
    for (const char *p = run->block.map + 4096; p < run->block.data; p++)
        assert_int_equal(*p, CANARY);
    free_block(run);
    wire_free(&run->wire);
}

static void note(void *context, enum regtag_trace kind, const char *text, size_t size)
{
    static const char marks[] = "><-!";
    struct run *run = context;
    assert_true(run->notes_size + size + 2 < sizeof run->notes);
    run->notes[run->notes_size++] = marks[kind];
    memcpy(run->notes + run->notes_size, text, size);
    run->notes_size += size;
    run->notes[run->notes_size++] = '\n';
    run->notes[run->notes_size] = '\0';
}

void take_notes(struct run *run, bool wire)
{
    run->config.trace = note;
    run->config.trace_context = run;
    run->config.trace_wire = wire;
    begin_again(run);
}

/* ---- Running --------------------------------------------------------------------------------- */

static void note_settled(struct run *run, const struct regtag_result *result)
{
    size_t i = run->settled++;
    if (i < NAMES_MAX) {
        run->outcome[i] = result->outcome;
        run->status[i] = result->status;
        run->before[i] = result->before;
        run->hint[i] = result->hint;
        snprintf(run->previous[i], sizeof run->previous[0], "%s", result->previous);
        snprintf(run->name[i], sizeof run->name[0], "%s", result->name);
    }
    if (!run->fetches)
        assert_int_equal(is_good(result->outcome), result->status == REGTAG_OK);
    assert_int_equal(*result->error == '\0', result->status == REGTAG_OK);
    assert_int_equal(*result->previous != '\0', result->before == REGTAG_PREVIOUS_KNOWN);
    if (result->status == REGTAG_OK)
        assert_int_equal(result->hint, REGTAG_HINT_NONE);
}

static void note_listed(struct run *run, const struct regtag_result *result)
{
    if (run->listed < NAMES_MAX)
        snprintf(run->name[run->listed], sizeof run->name[0], "%s", result->name);
    run->listed++;
}

/* Lets time pass until something can be done. */
static void wait(struct run *run)
{
    uint64_t ready = wire_ready(&run->wire, run->want), until = regtag_until(run->regtag);
    uint64_t next = ready < until ? ready : until;
    if (!run->impatient && next > run->wire.now)
        run->wire.now = next;
    else if (run->impatient && ready > run->wire.now)
        run->wire.now += 1 + (next > run->wire.now ? (next - run->wire.now) / 2 : 0);
}

bool step(struct run *run)
{
    run->end = regtag_step(run->regtag, run->wire.now, run->want, WIRE_LINES);
    const struct regtag_result *result = regtag_result(run->regtag);
    if (run->wire.misuse)
        fail_msg("%s", run->wire.misuse);
    if (++run->steps > STEPS_MAX)
        fail_msg("no end after %u steps", run->steps);
    if (run->end == REGTAG_UPLOAD)
        run->uploads++;
    else if (run->end == REGTAG_SETTLED)
        note_settled(run, result);
    else if (run->end == REGTAG_LISTED)
        note_listed(run, result);
    if (run->uploads == 0 && (run->wire.puts || run->wire.deletes))
        fail_msg("something is changed that was not announced");
    wire_obey(&run->wire, run->want);
    if (run->end == REGTAG_WAIT)
        wait(run);
    return run->end != REGTAG_DONE && run->end != REGTAG_ERROR &&
           !(run->end == REGTAG_UPLOAD && run->refuses_upload);
}

void run_on(struct run *run)
{
    while (step(run))
        ;
    snprintf(run->digest, sizeof run->digest, "%s", regtag_result(run->regtag)->digest);
}

void tag_one(struct run *run)
{
    static const char *const names[] = {"new"};
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, 1), REGTAG_OK);
    run_on(run);
}

void delete_one(struct run *run)
{
    assert_int_equal(regtag_delete(run->regtag, "localhost/a:new"), REGTAG_OK);
    run_on(run);
}

/* ---- What is expected ------------------------------------------------------------------------ */

void expect_end(const struct run *run, enum regtag_status status)
{
    const char *text = "?";
    enum regtag_status got = regtag_error(run->regtag, &text);
    if (got != status)
        fail_msg("expected status %d, got %d: %s", status, got, text);
    assert_int_equal(run->end, status == REGTAG_OK ? REGTAG_DONE : REGTAG_ERROR);
    if (status == REGTAG_OK)
        assert_string_equal(text, "");
    else
        assert_true(strlen(text) > 10);
}

void expect_text(const struct run *run, const char *words)
{
    const char *text = "";
    regtag_error(run->regtag, &text);
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

void expect_asked(const struct run *run, const char *requests)
{
    const char *asked = run->wire.asked.data ? run->wire.asked.data : "";
    if (strcmp(asked, requests) != 0)
        fail_msg("expected:\n%sgot:\n%s", requests, asked);
}

void expect_outcome(const struct run *run, enum regtag_outcome outcome)
{
    assert_int_equal(run->settled, 1);
    if (run->outcome[0] != outcome)
        fail_msg("expected outcome %d, got %d", outcome, run->outcome[0]);
}

bool points_at_bytes(const struct run *run, const char *tag, const char *manifest, size_t size)
{
    const struct wire_tag *t = wire_find(&run->wire, tag);
    return t && t->manifest.size == size && memcmp(t->manifest.data, manifest, size) == 0 &&
           strcmp(t->type, OCI) == 0;
}

bool points_at(const struct run *run, const char *tag, const char *manifest)
{
    return points_at_bytes(run, tag, manifest, strlen(manifest));
}

const char *digest_of_new(void)
{
    static char digest[72];
    wire_digest(NEW, sizeof NEW - 1, digest);
    return digest;
}

const char *digest_of_old(void)
{
    static char digest[72];
    wire_digest(OLD, sizeof OLD - 1, digest);
    return digest;
}

const char *digest_of_rival(void)
{
    static char digest[72];
    wire_digest(RIVAL, sizeof RIVAL - 1, digest);
    return digest;
}

bool is_good(enum regtag_outcome outcome)
{
    return outcome == REGTAG_TAG_CREATED || outcome == REGTAG_TAG_MOVED || outcome == REGTAG_TAG_SET ||
           outcome == REGTAG_TAG_UNCHANGED || outcome == REGTAG_TAG_DELETED;
}

void expect_truth(const struct run *run, const char *when)
{
    bool is_new = IS_NEW(run, "new"), good = is_good(run->outcome[0]);
    if (!is_new && !IS_OLD(run, "new"))
        fail_msg("%s: the tag is neither old nor new", when);
    if (run->settled != 1)
        fail_msg("%s: %zu names are settled", when, run->settled);
    if (good && (!is_new || run->status[0] != REGTAG_OK))
        fail_msg("%s: it is said to be set (%d), with status %d", when, run->outcome[0], run->status[0]);
    if (run->outcome[0] == REGTAG_TAG_MOVED && strcmp(run->previous[0], digest_of_old()) != 0)
        fail_msg("%s: it is said to have moved from \"%s\"", when, run->previous[0]);
    if (run->outcome[0] == REGTAG_TAG_CREATED || run->outcome[0] == REGTAG_TAG_UNCHANGED ||
        run->outcome[0] == REGTAG_TAG_DELETED || run->outcome[0] == REGTAG_TAG_PENDING)
        fail_msg("%s: the outcome is %d", when, run->outcome[0]);
    if (run->outcome[0] == REGTAG_TAG_SET && *run->previous[0])
        fail_msg("%s: it is said to be set, but before it was \"%s\"", when, run->previous[0]);
    if (run->outcome[0] == REGTAG_TAG_FAILED && (is_new || run->status[0] == REGTAG_OK))
        fail_msg("%s: it is said not to be set, with status %d", when, run->status[0]);
    if (run->outcome[0] == REGTAG_TAG_UNCERTAIN && run->status[0] != REGTAG_E_UNCERTAIN)
        fail_msg("%s: it is said to be uncertain, with status %d", when, run->status[0]);
    if ((run->end == REGTAG_DONE) != good)
        fail_msg("%s: the end is %d, the outcome %d", when, run->end, run->outcome[0]);
}

size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
        count++;
    return count;
}

void push_arm_index(struct run *run)
{
    char index[400];
    int size =
        snprintf(index, sizeof index,
                 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":"
                 "\"%s\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\"}}]}",
                 OCI, sizeof NEW - 1, digest_of_new());
    wire_push(&run->wire, "index", INDEX, index, (size_t)size);
}
