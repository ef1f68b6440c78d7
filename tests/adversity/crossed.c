/* An answer never answers another request: whatever is left of an answer on one connection, or is said on one that
 * was asked nothing, is never taken for the answer to a request on another one, nor for one that comes later.
 *
 * In front of each answer of a run, or in its place, stands what is left unfinished, and behind it something that
 * another request would take for its success. Or, while a request waits for its answer, another connection says it. */
#include "../unit/run.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HERE "localhost/a"
#define THERE "there.test/a:new"
#define OWN_REALM "http://localhost/token"
#define OTHER_REALM "http://127.0.0.1/token"
#define OTHER_HOST "http://storage.example/v2/a/manifests/base"
#define OWN_HOST "http://localhost/v2/a/manifests/elsewhere"
#define BLOB_HOST "http://storage.example/storage/"
#define SAMPLED 499 /* with --sample, one of so many cases */
#define FAILURES_SHOWN 50
#define BLOB "{}" /* CONFIG */

/* ---- What is asked for ------------------------------------------------------------------------- */

enum verb { TAG, DELETE, DIGEST, MANIFEST, LIST, DIGESTS, COPY };

static const struct setup {
    const char *label;
    enum verb verb;
    size_t connections, names;
    struct wire_manners manners;
    bool confirm, guarded;
    const char *blobs; /* where the storage host is */
} setups[] = {
#define ALL_WIDTHS(label, ...)                                                                          \
    {label "-on-1", .connections = 2, __VA_ARGS__}, {label "-on-2", .connections = 3, __VA_ARGS__},     \
        {label "-on-3", .connections = 4, __VA_ARGS__},                                                 \
    {                                                                                                   \
        label "-on-4", .connections = 5, __VA_ARGS__                                                    \
    }
#define REFUSES .manners = {.put_status = 403}
    ALL_WIDTHS("tag", .verb = TAG, .names = 1),
    ALL_WIDTHS("tag-refused", .verb = TAG, .names = 1, REFUSES),
    ALL_WIDTHS("tag-5", .verb = TAG, .names = 5),
    ALL_WIDTHS("tag-5-refused", .verb = TAG, .names = 5, REFUSES),
    ALL_WIDTHS("tag-5-confirmed", .verb = TAG, .names = 5, .confirm = true),
    ALL_WIDTHS("tag-guarded", .verb = TAG, .names = 1, .guarded = true),
    ALL_WIDTHS("tag-20", .verb = TAG, .names = 20),
    ALL_WIDTHS("tag-20-refused", .verb = TAG, .names = 20, REFUSES),
    ALL_WIDTHS("digests", .verb = DIGESTS, .names = 20),
    ALL_WIDTHS("tag-5-token", .verb = TAG, .names = 5, .manners = {.realm = OTHER_REALM}),
    ALL_WIDTHS("tag-5-own-token", .verb = TAG, .names = 5, .manners = {.realm = OWN_REALM}),
    ALL_WIDTHS("tag-5-short-token", .verb = TAG, .names = 5,
               .manners = {.realm = OTHER_REALM, .token_uses = 4}),
    ALL_WIDTHS("tag-5-redirect", .verb = TAG, .names = 5, .manners = {.location = OTHER_HOST}),
    {"tag-token", TAG, 2, 1, {.realm = OTHER_REALM}, .confirm = false},
    {"tag-own-token-refused", TAG, 2, 1, {.realm = OWN_REALM, .put_status = 403}, .confirm = false},
    {"tag-short-token", TAG, 2, 1, {.realm = OTHER_REALM, .token_uses = 1}, .confirm = false},
    {"tag-redirect", TAG, 2, 1, {.location = OTHER_HOST}, .confirm = false},
    {"tag-own-redirect", TAG, 2, 1, {.location = OWN_HOST}, .confirm = false},
    {"tag-token-redirect", TAG, 2, 1, {.realm = OTHER_REALM, .location = OTHER_HOST}, .confirm = false},
    {"delete", DELETE, 2, 1, {.realm = NULL}, .confirm = false},
    {"delete-refused", DELETE, 2, 1, {.delete_status = 405}, .confirm = false},
    {"delete-token", DELETE, 2, 1, {.realm = OTHER_REALM}, .confirm = false},
    {"digest", DIGEST, 2, 1, {.realm = NULL}, .confirm = false},
    {"digest-token", DIGEST, 2, 1, {.realm = OTHER_REALM}, .confirm = false},
    {"digest-own-token", DIGEST, 2, 1, {.realm = OWN_REALM}, .confirm = false},
    {"manifest", MANIFEST, 2, 1, {.realm = NULL}, .confirm = false},
    {"manifest-token-redirect",
     MANIFEST,
     2,
     1,
     {.realm = OWN_REALM, .location = OTHER_HOST},
     .confirm = false},
    {"list", LIST, 2, 9, {.page = 3}, .confirm = false},
    {"list-token", LIST, 2, 9, {.page = 3, .realm = OTHER_REALM}, .confirm = false},
    {"copy", COPY, 4, 1, {.realm = NULL}, .confirm = false},
    {"copy-on-6", COPY, 6, 1, {.realm = NULL}, .confirm = false},
    {"copy-refused", COPY, 4, 1, {.put_status = 403}, .confirm = false},
    {"copy-storage", COPY, 4, 1, {.realm = NULL}, .blobs = BLOB_HOST},
    {"copy-redirect", COPY, 6, 1, {.location = OTHER_HOST}, .blobs = BLOB_HOST},
    {"copy-token", COPY, 6, 1, {.realm = OTHER_REALM, .tokens_stay = true}, .confirm = false},
};

static char texts[20][8];
static const char *names[20];

/* A third of them points elsewhere, a third where it should, and a third is absent. */
enum past { ELSEWHERE, AT_NEW, ABSENT };

static enum past past_of(const char *name)
{
    return *name == 'n' ? ELSEWHERE : (enum past)(strtoul(name + 1, NULL, 10) % 3);
}

static void make_names(struct run *run)
{
    names[0] = "new";
    for (size_t i = 1; i < COUNT(names); i++) {
        snprintf(texts[i], sizeof texts[i], "t%02zu", i);
        names[i] = texts[i];
        if (past_of(texts[i]) == AT_NEW)
            wire_push(&run->wire, texts[i], OCI, NEW, sizeof NEW - 1);
        else if (past_of(texts[i]) == ELSEWHERE)
            wire_push(&run->wire, texts[i], OCI, OLD, sizeof OLD - 1);
    }
}

static void set_out(struct run *run, const struct setup *s, unsigned retries)
{
    static const char *expected;
    begin(run);
    wire_push(&run->wire, "elsewhere", OCI, NEW, sizeof NEW - 1);
    wire_push_blob(&run->wire, BLOB, 2, NULL);
    make_names(run);
    run->wire.manners = s->manners;
    run->wire.manners.delay = 10;
    run->wire.ranges.location = s->blobs;
    if (s->verb == COPY)
        run->wire.blobs_hidden = 1;
    run->config.retries = retries;
    run->config.stall = 5000;
    run->config.confirm = s->confirm;
    run->config.expected = &expected;
    run->config.expected_count = s->guarded;
    expected = digest_of_old();
    widen(run, s->connections);
}

static void start(struct run *run, const struct setup *s)
{
    enum regtag_status status = REGTAG_E_OTHER;
    switch (s->verb) {
    case TAG: status = regtag_tag(run->regtag, HERE ":base", names, s->names); break;
    case DELETE: status = regtag_delete(run->regtag, HERE ":new"); break;
    case DIGEST: status = regtag_digest(run->regtag, HERE ":base"); break;
    case MANIFEST: status = regtag_manifest(run->regtag, HERE ":base"); break;
    case LIST: status = regtag_list(run->regtag, HERE, 0); break;
    case DIGESTS: status = regtag_digests(run->regtag, HERE, 0); break;
    case COPY: status = regtag_copy(run->regtag, HERE ":base", THERE); break;
    }
    assert_int_equal(status, REGTAG_OK);
}

/* ---- What is forged ---------------------------------------------------------------------------- */

#define FORGED_MANIFEST                                                                                 \
    "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"annotations\":{\"a\":\"forged\"}}"

static const char *const forgeries[] = {"201",    "202", "token", "manifest",
                                        "digest", "404", "list",  "upload"};
enum forgery { F_201, F_202, F_TOKEN, F_MANIFEST, F_DIGEST, F_404, F_LIST, F_UPLOAD };

static void forge_head(char *memory, size_t room, unsigned status, const char *fields, size_t size)
{
    snprintf(memory, room, "HTTP/1.1 %u Whatever\r\n%sContent-Length: %zu\r\n\r\n", status, fields,
             size);
}

static void forge_body(char *memory, size_t room, const char *fields, const char *body)
{
    forge_head(memory, room, 200, fields, strlen(body));
    strncat(memory, body, room - strlen(memory) - 1);
}

static void forge_shown(char *memory, size_t room, enum forgery what)
{
    char fields[300], digest[72];
    wire_digest(FORGED_MANIFEST, sizeof FORGED_MANIFEST - 1, digest);
    snprintf(fields, sizeof fields, "Content-Type: %s\r\nDocker-Content-Digest: %s\r\n", OCI,
             what == F_MANIFEST ? digest : digest_of_new());
    if (what == F_MANIFEST)
        forge_body(memory, room, fields, FORGED_MANIFEST);
    else
        forge_head(memory, room, what == F_201 ? 201 : 200, fields, what == F_201 ? 0 : sizeof NEW - 1);
}

static void forge(char *memory, size_t room, enum forgery what)
{
    static const char json[] = "Content-Type: application/json\r\n";
    switch (what) {
    case F_201:
    case F_MANIFEST:
    case F_DIGEST: forge_shown(memory, room, what); break;
    case F_202: forge_head(memory, room, 202, "", 0); break;
    case F_TOKEN: forge_body(memory, room, json, "{\"token\":\"forged\"}"); break;
    case F_404: forge_head(memory, room, 404, "", 0); break;
    case F_LIST: forge_body(memory, room, json, "{\"name\":\"a\",\"tags\":[\"forged\"]}"); break;
    case F_UPLOAD:
        forge_head(memory, room, 202, "Location: /v2/a/blobs/uploads/forged\r\nRange: 0-1\r\n", 0);
        break;
    }
}

/* ---- What stands before it --------------------------------------------------------------------- */

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

/* `head` is NULL where the answer itself is complete. */
static const struct way {
    const char *label, *head;
    bool done; /* what was asked for is done all the same */
} ways[] = {
    {"nothing", "", false}, /* these two, too, while another connection says it */
    {"complete", NULL, true},
    {"status-line", "HTTP/1.1 2", false},
    {"status-line-done", "HTTP/1.1 2", true},
    {"field", OK_HEAD "Content-Le", false},
    {"header", OK_HEAD "X: y\r\n", false},
    {"header-done", OK_HEAD "X: y\r\n", true},
    {"short-body", OK_HEAD "Content-Length: 9000\r\n\r\n{", false},
    {"short-body-done", OK_HEAD "Content-Length: 9000\r\n\r\n{", true},
    {"short-201", "HTTP/1.1 201 Created\r\nContent-Length: 9000\r\n\r\n{", false},
    {"chunk", CHUNKED "1388\r\n{", false},
    {"no-more-chunks", CHUNKED "1\r\n{\r\n", false},
    {"no-more-chunks-done", CHUNKED "1\r\n{\r\n", true},
    {"no-chunk-size", CHUNKED "zz\r\n", false},
    {"chunk-extension", CHUNKED "1;x=", false},
    {"trailer", CHUNKED "1\r\n{\r\n0\r\nX: y\r\n", false},
    {"no-JSON", OK_HEAD "Content-Length: 1\r\n\r\n]", false},
    {"no-JSON-more", OK_HEAD "Content-Length: 9000\r\n\r\n]", false},
    {"no-JSON-in-a-chunk", CHUNKED "1\r\n]\r\n0\r\n\r\n", false},
    {"no-JSON-to-the-end", OK_HEAD "\r\n]", false},
    {"too-large", OK_HEAD "Content-Length: 99999999\r\n\r\n", false},
    {"204-with-a-body", "HTTP/1.1 204 No Content\r\n\r\n{", false},
    {"204-with-a-length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false},
    {"304-with-a-body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}", false},
    {"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", false},
    {"403-with-more", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}{}", false},
    {"short-503", "HTTP/1.1 503 Busy\r\nContent-Length: 9000\r\n\r\n{}", false},
    {"short-401", "HTTP/1.1 401 Who\r\nContent-Length: 9000\r\n\r\n{}", false},
    {"short-307", "HTTP/1.1 307 There\r\nLocation: nowhere://x\r\nContent-Length: 9000\r\n\r\n{}",
     false},
    {"100-without-end", "HTTP/1.1 100 Continue\r\nX: ", false},
    {"103-without-end", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n", true},
    {"101", "HTTP/1.1 101 Switching Protocols\r\n\r\n{", false},
    {"two-lengths", OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n]", false},
    {"length-and-chunks", OK_HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1", false},
    {"no-HTTP", "ICY 200 OK\r\n\r\n", false},
};

/* ---- What went where --------------------------------------------------------------------------- */

/* One of all combinations. `beside` is 0, or 1 + the connection that says it, unasked, while the request waits. */
struct crossing {
    const struct setup *setup;
    const struct way *way;
    unsigned request, beside;
    enum forgery forgery;
    bool closes;
    size_t step;
    unsigned retries;
};

static char reason[600];

#define BROKEN(...) (snprintf(reason, sizeof reason, __VA_ARGS__), false)

static bool tells_name(const struct run *run, size_t i)
{
    const char *name = run->name[i];
    bool is_new = IS_NEW(run, name);
    enum past past = past_of(name);
    enum regtag_outcome outcome = run->outcome[i];
    if (outcome == REGTAG_TAG_UNCERTAIN)
        return run->status[i] == REGTAG_E_UNCERTAIN ||
               BROKEN("%s is uncertain, status %d", name, run->status[i]);
    if (is_good(outcome) && !is_new)
        return BROKEN("%s is said to be set (%d), and is not", name, outcome);
    if (!is_good(outcome) && is_new && past != AT_NEW)
        return BROKEN("%s is said not to be set (%d, status %d), and is", name, outcome, run->status[i]);
    if (outcome == REGTAG_TAG_UNCHANGED && past != AT_NEW)
        return BROKEN("%s is said to be unchanged", name);
    if (outcome == REGTAG_TAG_CREATED && past != ABSENT)
        return BROKEN("%s is said to be created", name);
    if (*run->previous[i] && is_good(outcome) &&
        strcmp(run->previous[i], past == AT_NEW ? digest_of_new() : digest_of_old()) != 0)
        return BROKEN("%s is said to come from %s", name, run->previous[i]);
    return true;
}

static bool tells_names(const struct run *run, const struct setup *s)
{
    if (run->settled != (s->verb == COPY ? 1 : s->names) && run->end == REGTAG_DONE)
        return BROKEN("%zu names are settled", run->settled);
    for (size_t i = 0; i < run->settled; i++)
        if (!tells_name(run, i))
            return false;
    return true;
}

static bool tells_deletion(const struct run *run)
{
    bool gone = !wire_find(&run->wire, "new");
    if (run->settled != 1 || (!gone && !IS_OLD(run, "new")))
        return BROKEN("%zu names are settled, and the tag is neither where it was nor gone",
                      run->settled);
    if (run->outcome[0] != REGTAG_TAG_UNCERTAIN && is_good(run->outcome[0]) != gone)
        return BROKEN("the outcome is %d, the status %d, and it is %s", run->outcome[0], run->status[0],
                      gone ? "gone" : "there");
    return true;
}

static bool tells_list(const struct run *run)
{
    if (run->end == REGTAG_DONE && run->listed != run->wire.tag_count)
        return BROKEN("%zu of %zu tags are listed", run->listed, run->wire.tag_count);
    for (size_t i = 0; i < run->listed; i++)
        if (!wire_find(&run->wire, run->name[i]))
            return BROKEN("%s is listed", run->name[i]);
    return true;
}

/* The registry itself says so. */
static bool says_success(const struct crossing *c)
{
    return !c->beside && c->way && c->way->head && strncmp(c->way->head, OK_HEAD, 10) == 0;
}

static bool has_committed(const struct run *run)
{
    for (unsigned i = 0; i < run->wire.upload_count; i++)
        if (run->wire.uploads[i].committed)
            return true;
    return BROKEN("all is well, and the blob was not uploaded");
}

static bool tells_document(struct run *run)
{
    size_t size;
    const char *document = regtag_document(run->regtag, &size);
    return (size == sizeof NEW - 1 && memcmp(document, NEW, size) == 0) ||
           BROKEN("it is another manifest");
}

/* Nothing is told, and nothing done, but what the registry itself has said. */
static bool is_true(struct run *run, const struct crossing *c)
{
    const struct setup *s = c->setup;
    bool good = run->end == REGTAG_DONE, true_so_far = true;
    switch (s->verb) {
    case TAG: true_so_far = tells_names(run, s); break;
    case COPY:
        true_so_far = tells_names(run, s) && (!good || says_success(c) || has_committed(run));
        break;
    case DELETE: true_so_far = tells_deletion(run); break;
    case LIST:
    case DIGESTS: true_so_far = tells_list(run); break;
    case MANIFEST: true_so_far = !good || tells_document(run); break;
    case DIGEST:
        true_so_far = !good || strcmp(run->digest, digest_of_new()) == 0 ||
                      BROKEN("the digest is %s", run->digest);
    }
    if (!true_so_far)
        return false;
    if (run->wire.log.data && strstr(run->wire.log.data, "forged"))
        return BROKEN("what was forged is sent");
    if (run->wire.now > TIMEOUT)
        return BROKEN("it took %llu ms", (unsigned long long)run->wire.now);
    return true;
}

/* Whether no client could know: more was asked on the connection before this answer could be read, and then it ends
 * behind one answer too many, or stays open with one too few. */
static bool is_beyond_knowledge(const struct run *run, const struct crossing *c)
{
    bool followed = c->request < run->wire.taken_count && run->wire.taken[c->request].followed;
    bool lost = run->wire.history.data && strstr(run->wire.history.data, "lost ");
    return c->closes ? followed || lost || run->wire.pipelined : followed && c->beside && c->way->head;
}

/* ---- Trying ------------------------------------------------------------------------------------ */

static bool is_idle(const struct wire_line *c)
{
    return c->open && !c->ended && c->in.size == 0 && c->out_at == c->out.size;
}

/* The request has just been taken: another connection says what it may want to hear. */
static void say_beside(struct run *run, const struct crossing *c, const char *text, bool *said)
{
    struct wire *w = &run->wire;
    if (c->beside == 0 || *said || w->taken_count <= c->request)
        return;
    *said = true;
    if (w->taken[c->request].connection != c->beside - 1 && is_idle(&w->line[c->beside - 1]))
        wire_say(w, c->beside - 1, text);
}

static void set_quirk(struct run *run, const struct crossing *c, const char *text)
{
    run->wire.step = c->step;
    run->wire.quirk[0] = (struct wire_quirk){.request = "",
                                             .after = c->request,
                                             .instead = c->way->head ? text : NULL,
                                             .behind = c->way->head ? NULL : text,
                                             .done = c->way->done,
                                             .ending = c->closes ? WIRE_CLOSES : WIRE_STAYS};
    if (c->beside) /* what is forged is said elsewhere */
        run->wire.quirk[0].instead = c->way->head, run->wire.quirk[0].behind = NULL;
}

static bool cross(const struct crossing *c)
{
    static struct run run;
    static char text[8192];
    bool said = false;
    size_t size = c->way->head && !c->beside ? strlen(c->way->head) : 0;
    memcpy(text, c->way->head ? c->way->head : "", size);
    forge(text + size, sizeof text - size, c->forgery);
    set_out(&run, c->setup, c->retries);
    set_quirk(&run, c, text);
    start(&run, c->setup);
    while (step(&run))
        say_beside(&run, c, text, &said);
    snprintf(run.digest, sizeof run.digest, "%s", regtag_result(run.regtag)->digest);
    bool fine = is_beyond_knowledge(&run, c) || is_true(&run, c);
    if (fine && run.wire.spoiled && !run.wire.taken[c->request].followed)
        fine = BROKEN("a connection is used that said what nobody asked for");
    finish(&run);
    return fine;
}

/* ---- All of them ------------------------------------------------------------------------------- */

static const char *only; /* the one case that is wanted, or NULL */
static bool sample;
static unsigned long turn;

/* What the processes that try them have in common. */
static struct count {
    unsigned long cases, failures;
    unsigned long begun; /* 1 + the one that is being tried, of those of a request; 0: none */
    char name[200];
} * count;

static void spell(char *memory, size_t room, const struct crossing *c)
{
    snprintf(memory, room, "%s/%u/%s/%s/%u%s", c->setup->label, c->request, c->way->label,
             forgeries[c->forgery], c->beside, c->closes ? "/closed" : "");
}

static void note_failure(const char *why)
{
    printf("crossed %s: %s\n    again: tests/adversity/run --case %s crossed\n", count->name, why,
           count->name);
    count->failures++;
}

static void try(const struct crossing *c, unsigned long number)
{
    spell(count->name, sizeof count->name, c);
    if (only ? strcmp(only, count->name) != 0 : sample && turn++ % SAMPLED != 0)
        return;
    count->begun = number + 1;
    count->cases++;
    if (!cross(c))
        note_failure(reason);
}

/* What is said on one connection while another waits, too, if it is one that the run uses. */
static void try_way(struct crossing *c, const bool *used, unsigned long skipped)
{
    static const size_t steps[] = {0, 1, 200};
    size_t w = (size_t)(c->way - ways);
    for (unsigned line = 0; line <= WIRE_LINES; line++) {
        unsigned long number = (w * COUNT(forgeries) + c->forgery) * (WIRE_LINES + 1) + line;
        unsigned mix = (unsigned)w + c->forgery + c->request + line;
        c->beside = line;
        c->step = steps[mix % COUNT(steps)];
        c->retries = mix % 2 ? 2 : 0;
        c->closes = line == 0 && mix % 5 == 4;
        if (number >= skipped && (line ? w < 2 && used[line - 1] : w > 0))
            try(c, number);
    }
}

static void try_each(struct crossing *c, const bool *used, unsigned long skipped)
{
    for (size_t w = 0; w < COUNT(ways); w++) {
        for (unsigned f = 0; f < COUNT(forgeries); f++) {
            c->way = &ways[w];
            c->forgery = (enum forgery)f;
            try_way(c, used, skipped);
        }
    }
}

/* In a process of its own, so that what ends it is one failure. */
static void try_apart(struct crossing *c, const bool *used)
{
    int status = 1;
    count->begun = 0;
    while (status) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            try_each(c, used, count->begun);
            fflush(stdout);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            abort();
        if (status)
            note_failure("ended by a signal, or by what is said above");
    }
}

/* Of the requests of a run without a fault, two of each kind on each connection, and the last; of many names' one. */
static void try_setup(const struct setup *s)
{
    static struct run run;
    static struct wire_asked taken[WIRE_ASKED_MAX];
    bool used[WIRE_LINES] = {false};
    struct crossing c = {.setup = s};
    set_out(&run, s, 0);
    start(&run, s);
    run_on(&run);
    unsigned asked = run.wire.taken_count;
    memcpy(taken, run.wire.taken, asked * sizeof *taken);
    if (!is_true(&run, &c))
        printf("crossed %s: without a fault: %s\n", s->label, reason), count->failures++;
    finish(&run);
    for (unsigned i = 0; i < asked; i++)
        used[taken[i].connection] = true;
    for (c.request = 0; c.request < asked; c.request++) {
        unsigned seen = 0;
        for (unsigned i = 0; i < c.request; i++)
            seen += taken[i].connection == taken[c.request].connection &&
                    strcmp(taken[i].method, taken[c.request].method) == 0;
        if (seen < (s->names > 5 ? 1 : 2) || c.request + 1 == asked)
            try_apart(&c, used);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--sample") == 0)
            sample = true;
        else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc)
            only = argv[++i];
    }
    FILE *shared = tmpfile();
    if (!shared || ftruncate(fileno(shared), sizeof *count) != 0)
        return 2;
    count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(shared), 0);
    if (count == MAP_FAILED)
        return 2;
    for (size_t i = 0; i < COUNT(setups); i++)
        try_setup(&setups[i]);
    printf("%lu cases, %lu failures\n", count->cases, count->failures);
    return count->failures ? 1 : 0;
}
