/* Each answer answers its own request: what is left of an answer goes with its connection, what comes before
 * its request is none, and what nobody asked for ends the connection. */
#include "run.h"

#define LOCAL "localhost/a:base"
#define OWN_REALM "http://localhost/token"
#define OTHER_REALM "http://127.0.0.1/token"
#define OTHER_HOST "http://storage.example/v2/a/manifests/base"
#define OWN_HOST "http://localhost/v2/a/manifests/elsewhere"

/* ---- Forged answers -------------------------------------------------------------------------- */

#define FORGED_MANIFEST                                                                                 \
    "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"annotations\":{\"a\":\"forged\"}}"

/* What a request that changes or shows something would take for its success, and refusals. */
enum forgery {
    FORGED_PUT,
    FORGED_DELETE,
    FORGED_TOKEN,
    FORGED_GET,
    FORGED_HEAD,
    FORGED_ABSENCE,
    FORGED_LIST,
    FORGED_403,
    FORGED_429,
    FORGED_500,
    FORGED_408
};

static const char *forge_status(char *memory, size_t room, unsigned status, const char *fields)
{
    snprintf(memory, room, "HTTP/1.1 %u Whatever\r\n%sContent-Length: 0\r\n\r\n", status, fields);
    return memory;
}

static const char *forge_body(char *memory, size_t room, const char *type, const char *fields,
                              const char *body)
{
    snprintf(memory, room, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
             type, fields, strlen(body), body);
    return memory;
}

static const char *forge_manifest(char *memory, size_t room)
{
    char fields[128], digest[72];
    wire_digest(FORGED_MANIFEST, sizeof FORGED_MANIFEST - 1, digest);
    snprintf(fields, sizeof fields, "Docker-Content-Digest: %s\r\n", digest);
    return forge_body(memory, room, OCI, fields, FORGED_MANIFEST);
}

/* An answer to HEAD, that says that the tag is where it should be. */
static const char *forge_head(char *memory, size_t room)
{
    snprintf(memory, room,
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nDocker-Content-Digest: %s\r\n"
             "Content-Length: %zu\r\n\r\n",
             OCI, digest_of_new(), sizeof NEW - 1);
    return memory;
}

static const char *forge_put(char *memory, size_t room)
{
    char fields[128];
    snprintf(fields, sizeof fields, "Docker-Content-Digest: %s\r\n", digest_of_new());
    return forge_status(memory, room, 201, fields);
}

static const char *forge(char *memory, size_t room, enum forgery what)
{
    switch (what) {
    case FORGED_PUT: return forge_put(memory, room);
    case FORGED_DELETE: return forge_status(memory, room, 202, "");
    case FORGED_TOKEN: return forge_body(memory, room, "application/json", "", "{\"token\":\"forged\"}");
    case FORGED_GET: return forge_manifest(memory, room);
    case FORGED_HEAD: return forge_head(memory, room);
    case FORGED_ABSENCE: return forge_status(memory, room, 404, "");
    case FORGED_LIST:
        return forge_body(memory, room, "application/json", "",
                          "{\"name\":\"a\",\"tags\":[\"forged\"]}");
    case FORGED_403: return forge_status(memory, room, 403, "");
    case FORGED_429: return forge_status(memory, room, 429, "");
    case FORGED_500: return forge_status(memory, room, 500, "");
    case FORGED_408: return forge_status(memory, room, 408, "Connection: close\r\n");
    }
    return NULL;
}

/* ---- Running --------------------------------------------------------------------------------- */

enum verb { TAG, DELETE, DIGEST, MANIFEST, LIST };

static const char *const one_name[] = {"new"};

static void start(struct run *run, enum verb verb)
{
    enum regtag_status status = REGTAG_E_OTHER;
    switch (verb) {
    case TAG: status = regtag_tag(run->regtag, LOCAL, one_name, 1); break;
    case DELETE: status = regtag_delete(run->regtag, "localhost/a:new"); break;
    case DIGEST: status = regtag_digest(run->regtag, LOCAL); break;
    case MANIFEST: status = regtag_manifest(run->regtag, LOCAL); break;
    case LIST: status = regtag_list(run->regtag, "localhost/a", 0); break;
    }
    assert_int_equal(status, REGTAG_OK);
}

static void ask(struct run *run, enum verb verb)
{
    start(run, verb);
    run_on(run);
}

static enum regtag_status status_of(const struct run *run)
{
    return regtag_error(run->regtag, NULL);
}

static bool shows_new(const struct run *run)
{
    size_t size;
    const char *document = regtag_document(run->regtag, &size);
    return size == sizeof NEW - 1 && memcmp(document, NEW, size) == 0;
}

/* What has been set or deleted, or is told to be, is so in the registry, which nobody else changes. */
static void expect_changed_truly(const struct run *run, enum verb verb, const char *when)
{
    bool done = verb == TAG ? IS_NEW(run, "new") : !wire_find(&run->wire, "new");
    if (run->settled != 1)
        fail_msg("%s: %zu names are settled", when, run->settled);
    if (!done && !IS_OLD(run, "new"))
        fail_msg("%s: the tag is neither where it was nor where it should be", when);
    if (is_good(run->outcome[0]) != done && run->outcome[0] != REGTAG_TAG_UNCERTAIN)
        fail_msg("%s: the outcome is %d, the status %d, and in truth it is %s", when, run->outcome[0],
                 status_of(run), done ? "done" : "not done");
    if (done && run->outcome[0] != REGTAG_TAG_UNCERTAIN && *run->previous[0] &&
        strcmp(run->previous[0], digest_of_old()) != 0)
        fail_msg("%s: before it was %s", when, run->previous[0]);
    if (run->outcome[0] == REGTAG_TAG_CREATED || run->outcome[0] == REGTAG_TAG_UNCHANGED)
        fail_msg("%s: the outcome is %d", when, run->outcome[0]);
}

/* Nothing is told, and nothing is done, but what the registry itself has said. */
static void expect_told_truly(const struct run *run, enum verb verb, const char *when)
{
    bool good = run->end == REGTAG_DONE;
    if (verb == TAG || verb == DELETE)
        expect_changed_truly(run, verb, when);
    if (good && verb == DIGEST && strcmp(run->digest, digest_of_new()) != 0)
        fail_msg("%s: the digest is %s", when, run->digest);
    if (good && verb == MANIFEST && !shows_new(run))
        fail_msg("%s: it is another manifest", when);
    for (size_t i = 0; verb == LIST && i < run->listed; i++)
        if (strcmp(run->name[i], "forged") == 0)
            fail_msg("%s: a tag that does not exist is listed", when);
    if (run->wire.log.data && strstr(run->wire.log.data, "forged"))
        fail_msg("%s: what was forged is sent", when);
    if (run->wire.now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)run->wire.now);
}

/* A connection that has said what nobody asked for, or half of something, is not used any more. */
static void expect_unspoiled(const struct run *run, const char *when)
{
    if (run->wire.spoiled)
        fail_msg("%s: the connection is used further", when);
}

/* ---- What is left of an answer --------------------------------------------------------------- */

#define FILLER_MAX 80000u
#define ANSWER_MAX (FILLER_MAX + 4096u)

/* How an answer can be left unfinished. */
static const struct way {
    const char *label, *head; /* what comes instead of the answer; NULL: the answer itself */
    size_t filler;            /* bytes of a JSON string behind it */
} ways[] = {
    {"a complete answer", NULL, 0},
    {"a status line that breaks off", "HTTP/1.1 2", 0},
    {"a field that breaks off", "HTTP/1.1 200 OK\r\nContent-Le", 0},
    {"a header without its end", "HTTP/1.1 200 OK\r\nX: y\r\n", 0},
    {"a body that breaks off", "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{", 0},
    {"a chunk that breaks off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{", 0},
    {"no further chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 0},
    {"no size of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0},
    {"malformed JSON", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n]", 0},
    {"malformed JSON, more of it", "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n]", 0},
    {"malformed JSON in a chunk",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n]\r\n0\r\n\r\n", 0},
    {"malformed JSON to the end", "HTTP/1.1 200 OK\r\n\r\n]", 0},
    {"a body that is too large", "HTTP/1.1 200 OK\r\nContent-Length: 78010\r\n\r\n{\"token\":\"", 78000},
    {"a body that would be too large", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", 0},
    {"chunks that are too large",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n130BA\r\n{\"token\":\"", 78000},
    {"no body, but one", "HTTP/1.1 204 No Content\r\n\r\n{", 0},
    {"a refusal", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", 0},
    {"a failure that breaks off", "HTTP/1.1 503 Busy\r\nContent-Length: 9000\r\n\r\n{}", 0},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n]", 0},
    {"no HTTP", "ICY 200 OK\r\n\r\n", 0},
};

/* Whose answer it is. Where a HEAD has been sent behind the request, what follows the answer may be taken
 * for that of the HEAD: no client can know better. */
static const struct place {
    const char *label, *realm, *location, *request;
    unsigned after;
    bool followed;
    unsigned verbs; /* that make such a request, a bit each */
    bool renewed;   /* the first requests for a token are dropped, and the token expires at once */
} places[] = {
    {"the registry", NULL, NULL, "GET base", 0, true, 1u << TAG, false},
    {"the registry's HEAD", NULL, NULL, "HEAD new", 0, false, 1u << TAG | 1u << DELETE, false},
    {"the registry before a token", OTHER_REALM, NULL, "GET base", 0, true, 1u << TAG | 1u << MANIFEST,
     false},
    {"the token server", OTHER_REALM, NULL, "GET token", 0, false,
     1u << TAG | 1u << DELETE | 1u << DIGEST | 1u << MANIFEST | 1u << LIST, false},
    {"the token server of the same host", OWN_REALM, NULL, "GET token", 0, false,
     1u << TAG | 1u << DELETE | 1u << DIGEST | 1u << MANIFEST | 1u << LIST, false},
    {"the token server, the second time", OTHER_REALM, NULL, "GET token", 3, false, 1u << TAG, true},
    {"that of the same host, the second time", OWN_REALM, NULL, "GET token", 3, false, 1u << TAG, true},
    {"what redirects", NULL, OTHER_HOST, "GET base", 0, true, 1u << TAG | 1u << MANIFEST, false},
    {"what redirects within a host", NULL, OWN_HOST, "GET base", 0, true, 1u << TAG | 1u << MANIFEST,
     false},
    {"the target of a redirect", NULL, OTHER_HOST, "GET base", 1, false, 1u << TAG | 1u << MANIFEST,
     false},
    {"the target on the same host", NULL, OWN_HOST, "GET elsewhere", 0, true, 1u << TAG, false},
    {"the token server before a redirect", OTHER_REALM, OTHER_HOST, "GET token", 0, false,
     1u << TAG | 1u << MANIFEST, false},
    {"what redirects behind a token", OTHER_REALM, OTHER_HOST, "GET base", 1, true,
     1u << TAG | 1u << MANIFEST, false},
    {"the target behind a token", OTHER_REALM, OTHER_HOST, "GET base", 2, false,
     1u << TAG | 1u << MANIFEST, false},
};

/* One of all combinations. */
struct leftover {
    const struct place *place;
    const struct way *way;
    enum verb verb;
    enum forgery forgery;
    bool refuses; /* the registry refuses what would change something */
    bool closes;
    unsigned retries;
    size_t step;
};

/* The token server drops the first two requests, one of which may be sent again for free, and what it gives
 * out then is of use once. */
static void expire_at_once(struct run *run)
{
    run->wire.manners.token_says = ",\"expires_in\":1";
    run->wire.manners.delay = 1000;
    run->wire.quirk[1] =
        (struct wire_quirk){.request = "GET token", .times = 2, .instead = "", .ending = WIRE_CLOSES};
}

static void set_out(struct run *run, const struct leftover *l, const char *answer)
{
    begin(run);
    wire_push(&run->wire, "elsewhere", OCI, NEW, sizeof NEW - 1);
    run->wire.manners.realm = l->place->realm;
    run->wire.manners.location = l->place->location;
    run->wire.manners.put_status = l->refuses ? 403 : 0;
    run->wire.manners.delete_status = l->refuses ? 405 : 0;
    run->wire.step = l->step;
    run->wire.quirk[0] = (struct wire_quirk){.request = l->place->request,
                                             .after = l->place->after,
                                             .instead = l->way->head ? answer : NULL,
                                             .behind = l->way->head ? NULL : answer,
                                             .ending = l->closes ? WIRE_CLOSES : WIRE_STAYS};
    if (l->place->renewed)
        expire_at_once(run);
    run->config.retries = l->retries + 2 * l->place->renewed;
    run->config.stall = 5000;
    begin_again(run);
}

/* The beginning of an answer, and a whole one that was forged. */
static void write_answer(char *memory, size_t room, const struct leftover *l)
{
    size_t size = 0;
    if (l->way->head) {
        size = strlen(l->way->head);
        memcpy(memory, l->way->head, size);
        memset(memory + size, 'x', l->way->filler);
        size += l->way->filler;
    }
    forge(memory + size, room - size, l->forgery);
}

static void leave_over(const struct leftover *l)
{
    static char answer[ANSWER_MAX];
    struct run run;
    char when[300];
    write_answer(answer, sizeof answer, l);
    snprintf(when, sizeof when, "verb %u, %s: %s, forgery %u behind it%s%s, %u retries, step %zu",
             l->verb, l->place->label, l->way->label, l->forgery, l->refuses ? ", refused" : "",
             l->closes ? ", closed" : "", l->retries, l->step);
    set_out(&run, l, answer);
    ask(&run, l->verb);
    if (run.wire.quirks < 1u + 2 * l->place->renewed)
        fail_msg("%s: %u such answers", when, run.wire.quirks);
    expect_told_truly(&run, l->verb, when);
    expect_unspoiled(&run, when);
    if (l->refuses && (l->verb == TAG || l->verb == DELETE) && run.end == REGTAG_DONE)
        fail_msg("%s: all is well, though the registry has refused it", when);
    if (run.wire.connections > 12 || run.wire.requests > 24)
        fail_msg("%s: %u connections, %u requests", when, run.wire.connections, run.wire.requests);
    finish(&run);
}

/* Every forgery behind every way, at one pace or another. */
static void leave_over_everything(struct leftover *l)
{
    static const struct {
        size_t step;
        unsigned retries;
    } paces[] = {{0, 0}, {1, 2}, {1000, 0}};
    for (unsigned w = 0; w < COUNT(ways); w++) {
        for (unsigned forgery = FORGED_PUT; forgery <= FORGED_LIST; forgery++) {
            bool head = forgery >= FORGED_GET && forgery <= FORGED_ABSENCE;
            size_t pace = (w + forgery + l->refuses + 2 * l->closes) % COUNT(paces);
            l->way = &ways[w];
            l->forgery = (enum forgery)forgery;
            l->step = paces[pace].step;
            l->retries = paces[pace].retries;
            if (l->way->filler > 0 && l->step == 1)
                l->step = 0;
            if (!(head && l->place->followed))
                leave_over(l);
        }
    }
}

static void leave_over_at(const struct place *place, enum verb verb)
{
    struct leftover l = {.place = place, .verb = verb};
    for (unsigned choice = 0; choice < 4; choice++) {
        l.refuses = choice & 1;
        l.closes = choice & 2;
        leave_over_everything(&l);
    }
}

static void what_is_left_of_an_answer_goes_with_its_connection(void **state)
{
    const enum verb *verb = *state;
    for (size_t p = 0; p < COUNT(places); p++) {
        if (places[p].verbs & 1u << *verb)
            leave_over_at(&places[p], *verb);
    }
}

/* Of the two answers of a token server that is asked once more before the upload, the second is no JSON,
 * and behind it the registry's confirmation is forged. */
static void a_token_server_cannot_confirm_an_upload(void **state)
{
    (void)state;
    for (unsigned own = 0; own < 2; own++) {
        struct run run;
        char answer[512] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n]";
        size_t size = strlen(answer);
        forge(answer + size, sizeof answer - size, FORGED_PUT);
        begin(&run);
        expire_at_once(&run);
        run.wire.manners.realm = own ? OWN_REALM : OTHER_REALM;
        run.wire.manners.put_status = 403;
        run.wire.quirk[0] = (struct wire_quirk){.request = "GET token", .after = 3, .instead = answer};
        run.config.retries = 4;
        begin_again(&run);
        ask(&run, TAG);
        assert_true(run.wire.quirks >= 2);
        expect_told_truly(&run, TAG, own ? "of the same host" : "of another host");
        assert_int_equal(run.end, REGTAG_ERROR);
        expect_unspoiled(&run, "a token");
        finish(&run);
    }
}

/* ---- What comes before its request ----------------------------------------------------------- */

/* What is asked for, on new connections only, if not told otherwise. */
static const struct task {
    const char *label;
    enum verb verb;
    struct wire_manners manners;
    bool confirm, guarded;
} tasks[] = {
    {.label = "tag", .verb = TAG},
    {.label = "tag, refused", .verb = TAG, .manners = {.put_status = 403}},
    {.label = "tag, failed", .verb = TAG, .manners = {.put_status = 500}},
    {.label = "tag, confirmed", .verb = TAG, .confirm = true},
    {.label = "tag, guarded", .verb = TAG, .guarded = true},
    {.label = "tag, guarded, failed", .verb = TAG, .guarded = true, .manners = {.put_status = 500}},
    {.label = "tag, token", .verb = TAG, .manners = {.realm = OTHER_REALM}},
    {.label = "tag, token of the same host, refused",
     .verb = TAG,
     .manners = {.realm = OWN_REALM, .put_status = 403}},
    {.label = "tag, redirected", .verb = TAG, .manners = {.location = OTHER_HOST}},
    {.label = "delete", .verb = DELETE},
    {.label = "delete, refused", .verb = DELETE, .manners = {.delete_status = 405}},
    {.label = "delete, failed", .verb = DELETE, .manners = {.delete_status = 500}},
    {.label = "digest", .verb = DIGEST},
    {.label = "digest, token", .verb = DIGEST, .manners = {.realm = OTHER_REALM}},
    {.label = "manifest", .verb = MANIFEST},
    {.label = "manifest, redirected", .verb = MANIFEST, .manners = {.location = OTHER_HOST}},
    {.label = "list", .verb = LIST},
};

static void prepare(struct run *run, const struct task *task, const char **expected)
{
    begin(run);
    run->wire.manners = task->manners;
    run->config.confirm = task->confirm;
    run->config.expected = expected;
    run->config.expected_count = task->guarded;
    *expected = digest_of_old();
    begin_again(run);
}

/* What comes of a task where nothing goes wrong. */
struct course {
    enum regtag_event end;
    enum regtag_status status;
    enum regtag_outcome outcome;
    unsigned connections;
    uint64_t now;
    char asked[1024], log[16384];
};

static void note_course(const struct run *run, struct course *course)
{
    course->end = run->end;
    course->status = status_of(run);
    course->outcome = run->outcome[0];
    course->connections = run->wire.connections;
    course->now = run->wire.now;
    assert_true(run->wire.asked.size < sizeof course->asked && run->wire.log.size < sizeof course->log);
    memcpy(course->asked, run->wire.asked.data, run->wire.asked.size + 1);
    memcpy(course->log, run->wire.log.data, run->wire.log.size + 1);
}

static void take_course(const struct task *task, bool keep_alive, struct course *course)
{
    struct run run;
    const char *expected;
    prepare(&run, task, &expected);
    run.wire.manners.close_after_each = !keep_alive;
    ask(&run, task->verb);
    note_course(&run, course);
    finish(&run);
}

static bool has_line(const char *text, const char *line, size_t size)
{
    for (; *text; text = strchr(text, '\n') + 1)
        if (strncmp(text, line, size) == 0)
            return true;
    return false;
}

/* Which of two requests on two connections comes first is left to chance. */
static bool asked_the_same(const char *a, const char *b)
{
    if (strlen(a) != strlen(b))
        return false;
    for (; *a; a = strchr(a, '\n') + 1)
        if (!has_line(b, a, strcspn(a, "\n") + 1))
            return false;
    return true;
}

/* It has gone as it would have by itself, but for so many more connections. */
static void expect_course(const struct run *run, const struct course *course, unsigned more,
                          const char *when)
{
    if (run->end != course->end || status_of(run) != course->status ||
        run->outcome[0] != course->outcome)
        fail_msg("%s: status %d instead of %d, outcome %d instead of %d", when, status_of(run),
                 course->status, run->outcome[0], course->outcome);
    if (!asked_the_same(run->wire.asked.data, course->asked))
        fail_msg("%s: expected:\n%sgot:\n%s", when, course->asked, run->wire.asked.data);
    if (run->wire.connections != course->connections + more)
        fail_msg("%s: %u connections, and %u without it", when, run->wire.connections,
                 course->connections);
}

static void expect_no_wait(const struct run *run, const struct course *course, const char *when)
{
    if (run->wire.now != course->now)
        fail_msg("%s: it has waited %llu ms", when, (unsigned long long)run->wire.now);
}

/* What a server may say before it was asked anything. */
static const struct greeting {
    const char *label, *front; /* `front` comes before what is forged */
    int forgery;               /* -1: nothing */
    bool ends, harmless;
} greetings[] = {
    {"201", "", FORGED_PUT, false, false},
    {"201 and the end", "", FORGED_PUT, true, false},
    {"202", "", FORGED_DELETE, false, false},
    {"a manifest", "", FORGED_GET, false, false},
    {"a digest", "", FORGED_HEAD, false, false},
    {"a token", "", FORGED_TOKEN, false, false},
    {"a list", "", FORGED_LIST, false, false},
    {"404", "", FORGED_ABSENCE, false, false},
    {"403", "", FORGED_403, false, false},
    {"500", "", FORGED_500, false, false},
    {"408 and the end", "", FORGED_408, true, false},
    {"100", "HTTP/1.1 100 Continue\r\n\r\n", -1, false, false},
    {"100 and 201", "HTTP/1.1 100 Continue\r\n\r\n", FORGED_PUT, false, false},
    {"half an answer", "HTTP/1.1 20", -1, false, false},
    {"one byte", "H", -1, false, false},
    {"no HTTP", "220 mail.example ESMTP\r\n", -1, false, false},
    {"an empty line and 201", "\r\n", FORGED_PUT, false, false},
    {"the end", "", -1, true, false},
    {"an empty line and the end", "\r\n", -1, true, false},
    {"an empty line", "\r\n", -1, false, true},
    {"empty lines", "\r\n\r\n\r\n", -1, false, true},
};

static const char *write_greeting(char *memory, size_t room, const struct greeting *greeting)
{
    size_t size = strlen(greeting->front);
    memcpy(memory, greeting->front, size + 1);
    if (greeting->forgery >= 0)
        forge(memory + size, room - size, (enum forgery)greeting->forgery);
    return memory;
}

/* The k-th connection greets. */
static void greet_at(const struct task *task, const struct course *course,
                     const struct greeting *greeting, unsigned k, uint64_t connecting)
{
    struct run run;
    const char *expected;
    char memory[1024], when[200];
    prepare(&run, task, &expected);
    run.wire.connecting = connecting;
    run.wire.manners.close_after_each = true;
    run.wire.manners.greeting = write_greeting(memory, sizeof memory, greeting);
    run.wire.manners.greet_after = k;
    run.wire.manners.greet = 1;
    run.wire.manners.ends_on_greeting = greeting->ends;
    snprintf(when, sizeof when, "%s: connection %u of %u says %s, up in %u ms", task->label, k + 1,
             course->connections, greeting->label, (unsigned)connecting);
    ask(&run, task->verb);
    if (run.wire.quirks != 1)
        fail_msg("%s: %u greetings", when, run.wire.quirks);
    expect_told_truly(&run, task->verb, when);
    expect_unspoiled(&run, when);
    expect_course(&run, course, !greeting->harmless, when);
    if (connecting == 0)
        expect_no_wait(&run, course, when);
    finish(&run);
}

static void greet_at_each(bool harmless)
{
    for (size_t t = 0; t < COUNT(tasks); t++) {
        struct course course;
        take_course(&tasks[t], false, &course);
        for (unsigned k = 0; k < course.connections; k++) {
            for (size_t g = 0; g < COUNT(greetings); g++) {
                if (greetings[g].harmless != harmless)
                    continue;
                greet_at(&tasks[t], &course, &greetings[g], k, 0);
                greet_at(&tasks[t], &course, &greetings[g], k, 10);
            }
        }
    }
}

static void what_comes_before_the_request_is_no_answer(void **state)
{
    (void)state;
    greet_at_each(false);
}

static void an_empty_line_before_the_request_does_no_harm(void **state)
{
    (void)state;
    greet_at_each(true);
}

/* Every connection greets, from the k-th on. */
static void greet_for_ever(const struct task *task, const struct course *course,
                           const struct greeting *greeting, unsigned k, unsigned retries)
{
    struct run run;
    const char *expected;
    char memory[1024], when[200];
    prepare(&run, task, &expected);
    run.config.retries = retries;
    begin_again(&run);
    run.wire.manners.close_after_each = true;
    run.wire.manners.greeting = write_greeting(memory, sizeof memory, greeting);
    run.wire.manners.greet_after = k;
    run.wire.manners.greet = 1000;
    run.wire.manners.ends_on_greeting = greeting->ends;
    snprintf(when, sizeof when, "%s: from connection %u of %u on each says %s, %u retries", task->label,
             k + 1, course->connections, greeting->label, retries);
    ask(&run, task->verb);
    expect_told_truly(&run, task->verb, when);
    expect_unspoiled(&run, when);
    if (run.end != REGTAG_ERROR)
        fail_msg("%s: all is well", when);
    /* Each request tries so often; a look before or behind it is one of its own. */
    unsigned a_request = 3 + retries;
    unsigned first = k == 0 && task->verb != DELETE;
    unsigned most = first ? a_request + (task->verb == TAG) : 3 * (1 + retries) * a_request;
    if (run.wire.connections > k + most)
        fail_msg("%s: %u connections", when, run.wire.connections);
    finish(&run);
}

/* Whoever greets on every connection is given up, soon. The last request of some tasks can be done without,
 * so these begin before it. */
static void who_always_talks_first_is_given_up(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(tasks); t++) {
        struct course course;
        take_course(&tasks[t], false, &course);
        for (size_t g = 0; g < COUNT(greetings); g++) {
            unsigned last = tasks[t].verb == DELETE ? 2 : course.connections;
            for (unsigned k = 0; k < last && !greetings[g].harmless; k++) {
                greet_for_ever(&tasks[t], &course, &greetings[g], k, 0);
                greet_for_ever(&tasks[t], &course, &greetings[g], k, 2);
            }
        }
    }
}

/* The same on a connection that has been used, before the k-th time that something is changed. */
static void say_at_upload(const struct task *task, const struct course *course,
                          const struct greeting *greeting)
{
    struct run run;
    const char *expected;
    char memory[1024], when[160];
    prepare(&run, task, &expected);
    snprintf(when, sizeof when, "%s: an idle connection says %s", task->label, greeting->label);
    write_greeting(memory, sizeof memory, greeting);
    start(&run, task->verb);
    while (step(&run)) {
        if (run.end != REGTAG_UPLOAD)
            continue;
        wire_say(&run.wire, 0, memory);
        run.wire.line[0].ended = greeting->ends;
    }
    expect_told_truly(&run, task->verb, when);
    expect_unspoiled(&run, when);
    expect_course(&run, course, !greeting->harmless, when);
    expect_no_wait(&run, course, when);
    finish(&run);
}

static void say_at_each_upload(bool harmless)
{
    for (size_t t = 0; t < COUNT(tasks); t++) {
        struct course course;
        if (tasks[t].verb != TAG && tasks[t].verb != DELETE)
            continue;
        take_course(&tasks[t], true, &course);
        for (size_t g = 0; g < COUNT(greetings); g++)
            if (greetings[g].harmless == harmless)
                say_at_upload(&tasks[t], &course, &greetings[g]);
    }
}

static void what_an_idle_connection_says_is_no_answer(void **state)
{
    (void)state;
    say_at_each_upload(false);
}

/* The same between two times that something is asked for. */
static void say_between(const struct greeting *greeting)
{
    struct run run;
    char memory[1024];
    begin(&run);
    run.config.keep = true;
    begin_again(&run);
    ask(&run, DIGEST);
    write_greeting(memory, sizeof memory, greeting);
    wire_say(&run.wire, 0, memory);
    run.wire.line[0].ended = greeting->ends;
    regtag_again(run.regtag, NULL);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_told_truly(&run, DIGEST, greeting->label);
    expect_unspoiled(&run, greeting->label);
    expect_asked(&run, "HEAD base\nHEAD base\n");
    if (run.wire.connections != 2u - greeting->harmless)
        fail_msg("%s: %u connections", greeting->label, run.wire.connections);
    finish(&run);
}

static void what_a_connection_says_that_is_kept_is_no_answer(void **state)
{
    (void)state;
    for (size_t g = 0; g < COUNT(greetings); g++)
        if (!greetings[g].harmless)
            say_between(&greetings[g]);
}

static void an_empty_line_on_an_idle_connection_does_no_harm(void **state)
{
    (void)state;
    say_at_each_upload(true);
    for (size_t g = 0; g < COUNT(greetings); g++)
        if (greetings[g].harmless)
            say_between(&greetings[g]);
}

/* ---- What comes before its request is there whole -------------------------------------------- */

/* The request that matters of each verb. */
static const struct {
    const char *method;
    enum verb verb;
    enum forgery success;
} asked[] = {{"GET", TAG, FORGED_GET},          {"PUT", TAG, FORGED_PUT},
             {"DELETE", DELETE, FORGED_DELETE}, {"HEAD", DIGEST, FORGED_HEAD},
             {"GET", MANIFEST, FORGED_GET},     {"GET", LIST, FORGED_LIST}};

/* How long the first request with this method is; with its body or without. */
static size_t size_of_request(enum verb verb, const char *method, bool body)
{
    static const struct task tag = {.verb = TAG};
    struct task task = tag;
    struct course course;
    char text[16];
    task.verb = verb;
    take_course(&task, false, &course);
    snprintf(text, sizeof text, "%s /", method);
    const char *start_of = strstr(course.log, text);
    const char *end = strstr(start_of, "\r\n\r\n") + 4;
    return (size_t)(end - start_of) + (body ? sizeof NEW - 1 : 0);
}

static void set_early(struct run *run, size_t a, uint64_t at, const char *text, bool keep_alive)
{
    begin(run);
    run->wire.manners.close_after_each = !keep_alive;
    run->wire.early = (struct wire_early){.method = asked[a].method, .at = at, .text = text, .times = 1};
}

static void an_answer_to_half_a_header_is_no_success(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        size_t size = size_of_request(asked[a].verb, asked[a].method, false);
        for (unsigned choice = 0; choice < 4; choice++) {
            for (uint64_t at = 1; at < size; at++) {
                struct run run;
                char text[1024], when[120];
                forge(text, sizeof text, asked[a].success);
                set_early(&run, a, at, text, choice & 1);
                run.wire.manners.put_status = choice & 2 ? 403 : 0;
                run.wire.manners.delete_status = choice & 2 ? 405 : 0;
                snprintf(when, sizeof when, "%s of verb %u, answered at byte %llu of %zu, choice %u",
                         asked[a].method, asked[a].verb, (unsigned long long)at, size, choice);
                ask(&run, asked[a].verb);
                assert_int_equal(run.wire.early.times, 0);
                expect_told_truly(&run, asked[a].verb, when);
                expect_unspoiled(&run, when);
                if (run.wire.connections > 5)
                    fail_msg("%s: %u connections", when, run.wire.connections);
                finish(&run);
            }
        }
    }
}

/* Its beginning comes too early, the rest in time. The registry has refused, whatever that says. */
static void begin_too_early(size_t a, uint64_t at, size_t cut, bool keep_alive)
{
    struct run run;
    char text[1024], first[1024], when[120];
    forge(text, sizeof text, asked[a].success);
    snprintf(first, sizeof first, "%.*s", (int)cut, text);
    set_early(&run, a, at, first, keep_alive);
    run.wire.quirk[0] = (struct wire_quirk){.request = asked[a].method, .instead = text + cut};
    run.config.stall = 5000;
    begin_again(&run);
    snprintf(when, sizeof when, "%s of verb %u, %zu bytes of the answer at byte %llu", asked[a].method,
             asked[a].verb, cut, (unsigned long long)at);
    ask(&run, asked[a].verb);
    assert_int_equal(run.wire.early.times, 0);
    expect_told_truly(&run, asked[a].verb, when);
    finish(&run);
}

static void an_answer_that_begins_too_early_is_no_success(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        size_t size = size_of_request(asked[a].verb, asked[a].method, false);
        for (uint64_t at = 1; at < size; at += at < 8 || at + 8 > size ? 1 : 7) {
            for (size_t cut = 1; cut < 70; cut += 17) {
                begin_too_early(a, at, cut, false);
                begin_too_early(a, at, cut, true);
            }
        }
    }
}

/* What the same refusal means when it comes in time. */
static enum regtag_status refused_in_time(size_t a, unsigned http)
{
    struct run run;
    set_early(&run, a, 0, "", false);
    run.wire.early.times = 0;
    run.wire.manners.fail_method = asked[a].method;
    run.wire.manners.fail = 1;
    run.wire.manners.fail_status = http;
    ask(&run, asked[a].verb);
    enum regtag_status status = status_of(&run);
    finish(&run);
    return status;
}

static void a_refusal_of_half_a_request_is_the_reason(void **state)
{
    static const struct {
        enum forgery forgery;
        unsigned http;
    } refusals[] = {{FORGED_403, 403}, {FORGED_429, 429}, {FORGED_500, 500}};
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        size_t size = size_of_request(asked[a].verb, asked[a].method, asked[a].success == FORGED_PUT);
        for (size_t i = 0; i < COUNT(refusals); i++) {
            enum regtag_status expected = refused_in_time(a, refusals[i].http);
            if (asked[a].verb == DIGEST && refusals[i].http == 403)
                continue; /* a GET may still tell */
            for (uint64_t at = 1; at < size; at++) {
                struct run run;
                char text[256], when[120];
                set_early(&run, a, at, forge(text, sizeof text, refusals[i].forgery), false);
                snprintf(when, sizeof when, "%s of verb %u, %u at byte %llu of %zu", asked[a].method,
                         asked[a].verb, refusals[i].http, (unsigned long long)at, size);
                ask(&run, asked[a].verb);
                assert_int_equal(run.wire.early.times, 0);
                if (status_of(&run) != expected)
                    fail_msg("%s: status %d instead of %d", when, status_of(&run), expected);
                expect_told_truly(&run, asked[a].verb, when);
                expect_unspoiled(&run, when);
                finish(&run);
            }
        }
    }
}

/* Once the header is out, the answer counts, whatever is left of the body. The next upload has a connection
 * of its own. */
static void an_answer_to_half_a_body_counts(void **state)
{
    static const char *const names[] = {"new", "y"};
    size_t header = size_of_request(TAG, "PUT", false), size = size_of_request(TAG, "PUT", true);
    (void)state;
    for (uint64_t at = header; at < size; at++) {
        for (unsigned keep_alive = 0; keep_alive < 2; keep_alive++) {
            struct run run;
            char text[256], when[120];
            set_early(&run, 1, at, forge(text, sizeof text, FORGED_PUT), keep_alive);
            run.wire.early.sets_new = true;
            snprintf(when, sizeof when, "answered at byte %llu of %zu", (unsigned long long)at, size);
            assert_int_equal(regtag_tag(run.regtag, LOCAL, names, 2), REGTAG_OK);
            run_on(&run);
            if (run.end != REGTAG_DONE || run.settled != 2 || run.outcome[0] != REGTAG_TAG_MOVED ||
                run.outcome[1] != REGTAG_TAG_CREATED)
                fail_msg("%s: status %d, outcomes %d and %d", when, status_of(&run), run.outcome[0],
                         run.outcome[1]);
            assert_true(IS_NEW(&run, "new") && IS_NEW(&run, "y"));
            assert_int_equal(run.wire.puts, 1); /* the other one has never come whole */
            expect_unspoiled(&run, when);
            finish(&run);
        }
    }
}

/* ---- What nobody asked for ------------------------------------------------------------------- */

#define BOGUS_201 "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
#define BOGUS_202 "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* "whole": what follows is seen only if it comes in one piece with the answer. */
static const struct surplus {
    const char *label;
    struct wire_quirk quirk;
    bool whole;
} surpluses[] = {
    {"GET's 200 twice", {.request = "GET base", .twice = true}, true},
    {"200 to HEAD twice", {.request = "HEAD new", .twice = true}, false},
    {"404 to HEAD twice", {.request = "HEAD x", .twice = true}, false},
    {"404 to another HEAD twice", {.request = "HEAD z", .twice = true}, false},
    {"200 to a HEAD that shows the digest twice", {.request = "HEAD same", .twice = true}, false},
    {"HEAD's 200 with a body", {.request = "HEAD new", .behind = OLD}, false},
    {"HEAD's 404 with a body", {.request = "HEAD x", .behind = "{\"errors\":[]}"}, false},
    {"a body to the HEAD that shows the digest", {.request = "HEAD same", .behind = NEW}, false},
    {"PUT's 201 twice", {.request = "PUT new", .twice = true}, false},
    {"the first PUT's 201 twice", {.request = "PUT x", .twice = true}, false},
    {"the last PUT's 201 twice", {.request = "PUT z", .twice = true}, false},
    {"each PUT's 201 twice", {.request = "PUT", .times = 9, .twice = true}, false},
    {"PUT's 201 twice, late", {.request = "PUT new", .twice = true, .late = true}, false},
    {"the first PUT's 201 twice, late", {.request = "PUT x", .twice = true, .late = true}, false},
    {"another 201 behind PUT's", {.request = "PUT new", .behind = BOGUS_201}, false},
    {"201 before HEAD's 200", {.request = "HEAD new", .before = BOGUS_201}, false},
    {"201 before HEAD's 404", {.request = "HEAD x", .before = BOGUS_201}, false},
    {"201 before each HEAD's answer", {.request = "HEAD", .times = 2, .before = BOGUS_201}, false},
    {"201, and late HEAD's 200", {.request = "HEAD new", .before = BOGUS_201, .late = true}, false},
    {"201, and late HEAD's 404", {.request = "HEAD x", .before = BOGUS_201, .late = true}, false},
    {"201, and late another HEAD's 404",
     {.request = "HEAD z", .before = BOGUS_201, .late = true},
     false},
    {"201, and late the answer to the HEAD that shows the digest",
     {.request = "HEAD same", .before = BOGUS_201, .late = true},
     false},
    {"202, and late HEAD's 200", {.request = "HEAD new", .before = BOGUS_202, .late = true}, false},
    {"100 before GET's 200", {.request = "GET base", .before = CONTINUE}, false},
    {"100 behind GET's 200", {.request = "GET base", .behind = CONTINUE}, false},
    {"100 before HEAD's 200", {.request = "HEAD new", .before = CONTINUE}, false},
    {"100 behind HEAD's 200", {.request = "HEAD new", .behind = CONTINUE}, false},
    {"100 before PUT's 201", {.request = "PUT new", .before = CONTINUE}, false},
    {"100 behind PUT's 201", {.request = "PUT new", .behind = CONTINUE}, false},
    {"100 behind the first PUT's 201", {.request = "PUT x", .behind = CONTINUE}, false},
    {"an empty line behind PUT's 201", {.request = "PUT x", .behind = "\r\n"}, false},
    {"an empty line behind HEAD's 200", {.request = "HEAD new", .behind = "\r\n"}, false},
};

/* What is said of a name is what the registry has; "same" was there before, "new" was elsewhere. */
static void expect_name(const struct run *run, size_t i, const char *when)
{
    const char *name = run->name[i];
    bool same = strcmp(name, "same") == 0, moved = strcmp(name, "new") == 0, is_new = IS_NEW(run, name);
    enum regtag_outcome outcome = run->outcome[i];
    if (is_good(outcome) != is_new && outcome != REGTAG_TAG_UNCERTAIN)
        fail_msg("%s: of %s the outcome is %d, the status %d, and in truth it is %s", when, name,
                 outcome, run->status[i], is_new ? "set" : "not set");
    if (outcome == REGTAG_TAG_UNCHANGED && !same)
        fail_msg("%s: %s is said to be unchanged", when, name);
    if (outcome == REGTAG_TAG_CREATED && (same || moved))
        fail_msg("%s: %s is said to be created", when, name);
    if (outcome == REGTAG_TAG_MOVED && (!moved || strcmp(run->previous[i], digest_of_old()) != 0))
        fail_msg("%s: %s is said to have moved from %s", when, name, run->previous[i]);
}

static void expect_names(const struct run *run, size_t count, const char *when)
{
    if (run->settled != count)
        fail_msg("%s: %zu names are settled", when, run->settled);
    for (size_t i = 0; i < count; i++)
        expect_name(run, i, when);
    /* A look again takes a request, and a connection with it. */
    if (run->wire.connections > 1 + 4 * count || run->wire.requests > 1 + 6 * count)
        fail_msg("%s: %u connections, %u requests", when, run->wire.connections, run->wire.requests);
}

static void get_surplus(const struct surplus *surplus, const char *const *names, size_t count,
                        unsigned choice)
{
    static const size_t steps[] = {0, 1, 7, 200};
    struct run run;
    char when[200];
    begin(&run);
    wire_push(&run.wire, "same", OCI, NEW, sizeof NEW - 1);
    run.config.confirm = choice & 1;
    run.config.retries = choice & 2 ? 2 : 0;
    run.wire.step = steps[choice / 4];
    run.wire.quirk[0] = surplus->quirk;
    snprintf(when, sizeof when, "%s, %zu names%s, %u retries, step %zu", surplus->label, count,
             run.config.confirm ? ", confirmed" : "", run.config.retries, run.wire.step);
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, LOCAL, names, count), REGTAG_OK);
    run_on(&run);
    expect_names(&run, count, when);
    /* What comes late, between requests that were sent together, looks like the answer to the next one. */
    if (!surplus->quirk.late || count == 1)
        expect_unspoiled(&run, when);
    if (run.config.retries && run.end != REGTAG_DONE)
        fail_msg("%s: it is not got over: %d", when, status_of(&run));
    finish(&run);
}

static void what_nobody_asked_for_shifts_no_answer(void **state)
{
    static const char *const names[] = {"x", "new", "same", "y", "z"};
    static const char *const reversed[] = {"z", "y", "same", "new", "x"};
    (void)state;
    for (size_t i = 0; i < COUNT(surpluses); i++) {
        for (unsigned choice = 0; choice < 16; choice++) {
            if (surpluses[i].whole && choice >= 4)
                continue;
            for (size_t n = 0; n < COUNT(names); n++)
                get_surplus(&surpluses[i], names + n, 1, choice);
            get_surplus(&surpluses[i], names, 5, choice);
            get_surplus(&surpluses[i], reversed, 5, choice);
        }
    }
}

static const struct surplus about_deleting[] = {
    {"200 to HEAD twice", {.request = "HEAD new", .twice = true}, false},
    {"HEAD's 200 with a body", {.request = "HEAD new", .behind = OLD}, false},
    {"202 before HEAD's 200", {.request = "HEAD new", .before = BOGUS_202}, false},
    {"202, and late HEAD's 200", {.request = "HEAD new", .before = BOGUS_202, .late = true}, false},
    {"201, and late HEAD's 200", {.request = "HEAD new", .before = BOGUS_201, .late = true}, false},
    {"DELETE's 202 twice", {.request = "DELETE new", .twice = true}, false},
    {"DELETE's 202 twice, late", {.request = "DELETE new", .twice = true, .late = true}, false},
    {"100 before DELETE's 202", {.request = "DELETE new", .before = CONTINUE}, false},
    {"100 behind DELETE's 202", {.request = "DELETE new", .behind = CONTINUE}, false},
    {"202 before the second HEAD's 404",
     {.request = "HEAD new", .after = 1, .before = BOGUS_202},
     false},
    {"202, and late the second HEAD's 404",
     {.request = "HEAD new", .after = 1, .before = BOGUS_202, .late = true},
     false},
    {"the second HEAD's 404 twice", {.request = "HEAD new", .after = 1, .twice = true}, false},
};

static void what_nobody_asked_for_deletes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(about_deleting); i++) {
        for (unsigned choice = 0; choice < 8; choice++) {
            struct run run;
            char when[160];
            begin(&run);
            run.wire.manners.delete_status = choice & 1 ? 405 : 0;
            run.config.retries = choice & 2 ? 2 : 0;
            run.wire.step = choice & 4 ? 1 : 0;
            run.wire.quirk[0] = about_deleting[i].quirk;
            snprintf(when, sizeof when, "%s, choice %u", about_deleting[i].label, choice);
            begin_again(&run);
            ask(&run, DELETE);
            expect_told_truly(&run, DELETE, when);
            expect_unspoiled(&run, when);
            if (choice == 2 && run.end != REGTAG_DONE)
                fail_msg("%s: it is not got over: %d", when, status_of(&run));
            if (run.wire.connections > 4 || run.wire.requests > 8)
                fail_msg("%s: %u connections, %u requests", when, run.wire.connections,
                         run.wire.requests);
            finish(&run);
        }
    }
}

int main(void)
{
    static enum verb verbs[] = {TAG, DELETE, DIGEST, MANIFEST, LIST};
#define LEFT_OF(verb)                                                                                   \
    {                                                                                                   \
        "what_is_left_of_an_answer_goes_with_its_connection: " #verb,                                   \
            what_is_left_of_an_answer_goes_with_its_connection, NULL, NULL, &verbs[verb]                \
    }
    static const struct CMUnitTest tests[] = {
        LEFT_OF(TAG),
        LEFT_OF(DELETE),
        LEFT_OF(DIGEST),
        LEFT_OF(MANIFEST),
        LEFT_OF(LIST),
        cmocka_unit_test(a_token_server_cannot_confirm_an_upload),
        cmocka_unit_test(what_comes_before_the_request_is_no_answer),
        cmocka_unit_test(an_empty_line_before_the_request_does_no_harm),
        cmocka_unit_test(who_always_talks_first_is_given_up),
        cmocka_unit_test(what_an_idle_connection_says_is_no_answer),
        cmocka_unit_test(what_a_connection_says_that_is_kept_is_no_answer),
        cmocka_unit_test(an_empty_line_on_an_idle_connection_does_no_harm),
        cmocka_unit_test(an_answer_that_begins_too_early_is_no_success),
        cmocka_unit_test(an_answer_to_half_a_header_is_no_success),
        cmocka_unit_test(a_refusal_of_half_a_request_is_the_reason),
        cmocka_unit_test(an_answer_to_half_a_body_counts),
        cmocka_unit_test(what_nobody_asked_for_shifts_no_answer),
        cmocka_unit_test(what_nobody_asked_for_deletes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
