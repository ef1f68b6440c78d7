/* Many requests in flight on several connections: whatever becomes of the connections and of the answers, each
 * name gets what has happened to it. */
#include "run.h"

#define NAMES 24
#define DELAY 10 /* milliseconds until an answer comes: what is asked meanwhile is in flight with it */
#define REALM "http://127.0.0.1/token"
#define OWN_REALM "http://localhost/token"

static const size_t widths[] = {2, 5};

/* ---- Names ----------------------------------------------------------------------------------- */

/* A third of them points elsewhere, a third where it should, and a third is absent. */
enum past { ELSEWHERE, THERE, ABSENT };

static char texts[200][8];
static const char *names[200];

static enum past past_of(size_t i)
{
    return (enum past)(i % 3);
}

static void make_names(void)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(texts[i], sizeof texts[i], "t%03zu", i);
        names[i] = texts[i];
    }
}

static size_t index_of(const char *name)
{
    return strtoul(name + 1, NULL, 10);
}

/* ---- Running --------------------------------------------------------------------------------- */

struct scene {
    struct run run;
    size_t count;
    bool announced[COUNT(names)];
    bool in_order;         /* those of a batch are announced in the order of their names: */
    size_t announced_last; /* 1 + the last one since the last wait, or 0 */
    unsigned checked;      /* of the requests that were taken */
};

static void set_out(struct scene *s, size_t connections, size_t count)
{
    memset(s, 0, sizeof *s);
    s->count = count;
    begin(&s->run);
    for (size_t i = 0; i < count; i++)
        if (past_of(i) != ABSENT)
            wire_push(&s->run.wire, names[i], OCI, past_of(i) == THERE ? NEW : OLD,
                      past_of(i) == THERE ? sizeof NEW - 1 : sizeof OLD - 1);
    s->run.wire.manners.delay = DELAY;
    s->run.config.retries = 3;
    widen(&s->run, connections);
}

/* Each upload was announced before. */
static void check_uploads(struct scene *s, const char *when)
{
    struct run *run = &s->run;
    if (run->end == REGTAG_WAIT)
        s->announced_last = 0;
    if (run->end == REGTAG_UPLOAD) {
        size_t i = index_of(regtag_result(run->regtag)->name);
        if (s->in_order && i + 1 <= s->announced_last)
            fail_msg("%s: %s is announced behind %s", when, names[i], names[s->announced_last - 1]);
        s->announced_last = i + 1;
        s->announced[i] = true;
    }
    for (; s->checked < run->wire.taken_count; s->checked++) {
        const struct wire_asked *a = &run->wire.taken[s->checked];
        if (strcmp(a->method, "PUT") == 0 && !s->announced[index_of(a->reference)])
            fail_msg("%s: %s is set, but was not announced", when, a->reference);
    }
}

static void tag_all(struct scene *s, const char *when)
{
    struct run *run = &s->run;
    bool more = true;
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, s->count), REGTAG_OK);
    while (more) {
        more = step(run);
        check_uploads(s, when);
    }
}

/* ---- What is expected ------------------------------------------------------------------------ */

/* How much of a name's past may be lost, and how its fate may stay open. */
enum license {
    NOTHING_LOST, /* all names are set, and all is known of each */
    PAST_LOST,    /* all names are set; where one pointed before may be unknown */
    NAMES_LOST,   /* some may have failed or be uncertain, each truly */
    TWO_FORGED    /* as NOTHING_LOST, but for two names whose answers no client can tell apart */
};

/* Returns whether it is told well enough. */
static bool check_good(const struct run *run, size_t i, enum license license, const char *when)
{
    enum past past = past_of(i);
    enum regtag_outcome outcome = run->outcome[i];
    bool told = (outcome == REGTAG_TAG_MOVED && past == ELSEWHERE &&
                 strcmp(run->previous[i], digest_of_old()) == 0) ||
                (outcome == REGTAG_TAG_UNCHANGED && past == THERE) ||
                (outcome == REGTAG_TAG_CREATED && past == ABSENT);
    told = (told || (outcome == REGTAG_TAG_SET && license != NOTHING_LOST)) && IS_NEW(run, names[i]);
    if (license == TWO_FORGED)
        return told;
    if (!IS_NEW(run, names[i]))
        fail_msg("%s: %s is said to be set: %d", when, names[i], outcome);
    if (!told)
        fail_msg("%s: %s, %s before, is said to be %d, from \"%s\"", when, names[i],
                 past == ELSEWHERE ? "elsewhere"
                 : past == THERE   ? "there"
                                   : "absent",
                 outcome, run->previous[i]);
    return true;
}

static void check_bad(const struct run *run, size_t i, enum license license, const char *when)
{
    if (license != NAMES_LOST)
        fail_msg("%s: %s is %d, status %d", when, names[i], run->outcome[i], run->status[i]);
    if (run->outcome[i] == REGTAG_TAG_UNCERTAIN && run->status[i] == REGTAG_E_UNCERTAIN)
        return;
    if (run->outcome[i] != REGTAG_TAG_FAILED)
        fail_msg("%s: %s is %d", when, names[i], run->outcome[i]);
    if (IS_NEW(run, names[i]) && past_of(i) != THERE)
        fail_msg("%s: %s is said not to be set, status %d", when, names[i], run->status[i]);
}

/* The names are reported in order, each truly; the status is that of the first that has failed. */
static void expect_each_told_truly(const struct scene *s, enum license license, const char *when)
{
    const struct run *run = &s->run;
    enum regtag_status status = REGTAG_OK;
    unsigned forged = 0;
    if (run->settled != s->count)
        fail_msg("%s: %zu names are settled", when, run->settled);
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(run->name[i], names[i]) != 0)
            fail_msg("%s: %s is reported instead of %s", when, run->name[i], names[i]);
        if (is_good(run->outcome[i]))
            forged += !check_good(run, i, license, when);
        else
            check_bad(run, i, license, when);
        status = status ? status : run->status[i];
    }
    if (forged > 2)
        fail_msg("%s: %u names are not told truly", when, forged);
    if (regtag_error(run->regtag, NULL) != status)
        fail_msg("%s: the status is %d, that of the first failure %d", when,
                 regtag_error(run->regtag, NULL), status);
    if (run->wire.now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)run->wire.now);
}

/* Connections that lead to the registry. */
static unsigned homes(size_t connections)
{
    return (unsigned)connections - 1;
}

/* A break costs a connection, and at most asks again for what was in flight on it. */
static void expect_bounded(const struct scene *s, unsigned requests, unsigned connections,
                           const char *when)
{
    const struct wire *w = &s->run.wire;
    if (w->requests > requests)
        fail_msg("%s: %u requests instead of %u", when, w->requests, requests);
    if (w->connections > connections)
        fail_msg("%s: %u connections instead of %u", when, w->connections, connections);
    if (w->spoiled)
        fail_msg("%s: a connection is used that said what nobody asked for", when);
}

/* ---- How it goes well ------------------------------------------------------------------------ */

struct course {
    unsigned requests, answers[WIRE_LINES]; /* per connection */
    uint64_t now;
};

static void take_course(size_t connections, struct course *course)
{
    static struct scene s;
    set_out(&s, connections, NAMES);
    s.in_order = true;
    tag_all(&s, "well");
    expect_each_told_truly(&s, NOTHING_LOST, "well");
    memset(course, 0, sizeof *course);
    course->requests = s.run.wire.requests;
    course->now = s.run.wire.now;
    for (unsigned i = 0; i < s.run.wire.taken_count; i++)
        course->answers[s.run.wire.taken[i].connection]++;
    finish(&s.run);
}

/* Requests are bounded by one more for each in flight, and what is asked to be sure. */
static void expect_recovery(const struct scene *s, const struct course *course, enum license license,
                            const char *when)
{
    expect_each_told_truly(s, license, when);
    expect_bounded(s, course->requests + 3 * 16, homes(s->run.config.connections) + 4 + 16, when);
}

/* The registry states no digest, so that the image and the tags have to be hashed, and there is one hash for all: at whatever
 * byte of a tag's manifest the image has come. */
static void names_are_hashed_while_the_image_comes(void **state)
{
    (void)state;
    for (int size = 1; size < 1000; size += 25) {
        static struct scene s;
        char when[40], interim[1100];
        snprintf(when, sizeof when, "%d bytes before the image", size);
        snprintf(interim, sizeof interim, "HTTP/1.1 103 Soon\r\nX: %0*d\r\n\r\n", size, 0);
        set_out(&s, 5, 17);
        s.run.wire.manners.no_digest = s.run.wire.manners.no_head_digest = true;
        s.run.wire.manners.pace = 1;
        s.run.wire.quirk[0] = (struct wire_quirk){.request = "GET base", .before = interim};
        tag_all(&s, when);
        expect_each_told_truly(&s, NOTHING_LOST, when);
        finish(&s.run);
    }
}

/* ---- Breaking -------------------------------------------------------------------------------- */

struct break_at {
    size_t connections;
    unsigned connection;
    bool writing, orderly;
    unsigned retries;
    uint64_t at;
    size_t step;
};

/* Whether it has come to that. */
static bool break_once(const struct break_at *b, const struct course *course)
{
    static struct scene s;
    char when[160];
    set_out(&s, b->connections, NAMES);
    s.run.config.retries = b->retries;
    begin_again(&s.run);
    s.run.wire.step = b->step;
    s.run.wire.fault =
        (struct wire_fault){.armed = true, .writing = b->writing, .orderly = b->orderly, .at = b->at};
    s.run.wire.fault_on = 1 + b->connection;
    snprintf(when, sizeof when, "%s %s at byte %llu of connection %u of %zu, %u retries, step %zu",
             b->writing ? "writing" : "reading", b->orderly ? "ends" : "fails",
             (unsigned long long)b->at, b->connection, b->connections, b->retries, b->step);
    tag_all(&s, when);
    expect_recovery(&s, course, b->retries ? NOTHING_LOST : NAMES_LOST, when);
    bool hit = !s.run.wire.fault.armed;
    finish(&s.run);
    return hit;
}

static void break_everywhere(struct break_at *b, uint64_t stride)
{
    struct course course;
    take_course(b->connections, &course);
    for (b->connection = 0; b->connection < b->connections; b->connection++) {
        if (b->connection == 1)
            continue;
        for (b->at = b->connection % stride; break_once(b, &course); b->at += stride)
            b->retries = (unsigned)(b->at / stride % 3 ? 3 : 0);
    }
}

static void what_breaks_at_any_byte_is_told_truly(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (unsigned kind = 0; kind < 3; kind++) {
            struct break_at b = {
                .connections = widths[w], .writing = kind == 2, .orderly = kind == 1, .retries = 3};
            break_everywhere(&b, kind == 2 ? 101 : 47);
        }
}

/* ---- Answers that are not as they should be -------------------------------------------------- */

#define FORGED_404 "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define FORGED_201                                                                                      \
    "HTTP/1.1 201 Created\r\nDocker-Content-Digest: " FORGED_DIGEST "\r\nContent-Length: 0\r\n\r\n"
#define FORGED_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static const struct oddity {
    const char *label;
    struct wire_quirk quirk;
    enum license license;
} oddities[] = {
    {"comes late", {.delay = 100}, NOTHING_LOST},
    {"comes very late", {.delay = 5000}, NOTHING_LOST},
    {"is the last", {.ending = WIRE_CLOSES}, NOTHING_LOST},
    {"is the last before a reset", {.ending = WIRE_RESETS}, NOTHING_LOST},
    {"is the last, which shows later", {.ending = WIRE_LEAVES}, NOTHING_LOST},
    {"comes twice", {.twice = true}, NOTHING_LOST},
    {"comes twice and is the last", {.twice = true, .ending = WIRE_CLOSES}, TWO_FORGED},
    {"comes again later", {.twice = true, .late = true}, NOTHING_LOST},
    {"comes again behind the next", {.echo = 1}, NOTHING_LOST},
    {"comes again behind three more", {.echo = 3}, NOTHING_LOST},
    {"comes behind the next", {.swapped = true}, TWO_FORGED},
    {"is left out", {.instead = ""}, NOTHING_LOST},
    {"is left out, though all is done", {.instead = "", .done = true}, NOTHING_LOST},
    {"is the end", {.instead = "", .ending = WIRE_CLOSES}, NOTHING_LOST},
    {"is the end, though all is done",
     {.instead = "", .done = true, .ending = WIRE_CLOSES},
     NOTHING_LOST},
    {"is a reset", {.instead = "", .ending = WIRE_RESETS}, NOTHING_LOST},
    {"is a reset, though all is done",
     {.instead = "", .done = true, .ending = WIRE_RESETS},
     NOTHING_LOST},
    {"has a 404 in front", {.before = FORGED_404}, NOTHING_LOST},
    {"has a 404 behind it", {.behind = FORGED_404}, NOTHING_LOST},
    {"has a 404 behind it, later", {.behind = FORGED_404, .late = true}, NOTHING_LOST},
    {"has a 201 in front", {.before = FORGED_201}, NOTHING_LOST},
    {"has a 201 behind it", {.behind = FORGED_201}, NOTHING_LOST},
    {"has no HTTP behind it", {.behind = "220 mail.example ESMTP\r\n"}, NOTHING_LOST},
    {"has 100 in front", {.before = "HTTP/1.1 100 Continue\r\n\r\n"}, NOTHING_LOST},
    {"has an empty line behind it", {.behind = "\r\n"}, NOTHING_LOST},
    {"breaks off", {.instead = "HTTP/1.1 200 OK\r\nContent-Le", .ending = WIRE_CLOSES}, NOTHING_LOST},
    {"breaks off in a digest",
     {.instead = "HTTP/1.1 200 OK\r\nDocker-Content-Digest: sha256:12", .ending = WIRE_RESETS},
     NOTHING_LOST},
};

static void answer_oddly(size_t connections, const struct course *course, unsigned connection,
                         unsigned at, const struct oddity *oddity, size_t step)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, NAMES);
    s.run.wire.step = step;
    s.run.wire.quirk[0] = oddity->quirk;
    s.run.wire.quirk[0].request = "";
    s.run.wire.quirk[0].after = at;
    s.run.wire.quirk[0].connection = 1 + connection;
    snprintf(when, sizeof when, "answer %u on connection %u of %zu %s, step %zu", at, connection,
             connections, oddity->label, step);
    tag_all(&s, when);
    /* Of the first request, no more is known than if it were alone. */
    bool first = connection == 0 && at == 0 && (oddity->quirk.before || oddity->quirk.instead);
    expect_recovery(&s, course, first ? NAMES_LOST : oddity->license, when);
    if (s.run.wire.quirks != 1)
        fail_msg("%s: %u such answers", when, s.run.wire.quirks);
    finish(&s.run);
}

static void odd_answers_are_told_from_others(void **state)
{
    static const size_t steps[] = {0, 1, 7, 200};
    struct course course;
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        take_course(widths[w], &course);
        for (size_t o = 0; o < COUNT(oddities); o++) {
            for (unsigned c = 0; c < widths[w]; c++)
                for (unsigned at = 0; at < course.answers[c]; at++)
                    answer_oddly(widths[w], &course, c, at, &oddities[o],
                                 steps[(o + c + at) % COUNT(steps)]);
        }
    }
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void fail_at(size_t connections, const struct course *course, unsigned at, unsigned status,
                    unsigned times)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, NAMES);
    s.run.wire.manners.fail = times;
    s.run.wire.manners.fail_after = at;
    s.run.wire.manners.fail_status = status;
    s.run.wire.manners.fail_fields = status == 429 ? "Retry-After: 5\r\n" : NULL;
    snprintf(when, sizeof when, "%u to request %u, %u times, %zu connections", status, at, times,
             connections);
    tag_all(&s, when);
    expect_recovery(&s, course, NOTHING_LOST, when);
    if (s.run.wire.rushed)
        fail_msg("%s: %u calls send something before the time", when, s.run.wire.rushed);
    if (status == 429 && s.run.wire.now < 5000)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)s.run.wire.now);
    finish(&s.run);
}

static void a_failure_of_any_request_is_got_over(void **state)
{
    static const unsigned statuses[] = {500, 503, 429};
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct course course;
        take_course(widths[w], &course);
        for (unsigned at = 0; at < course.requests; at++)
            for (size_t k = 0; k < COUNT(statuses); k++) {
                fail_at(widths[w], &course, at, statuses[k], 1);
                fail_at(widths[w], &course, at, statuses[k], 2 + at % 2);
            }
    }
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

static void use_tokens(size_t connections, unsigned uses, const char *realm, bool posts)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, NAMES);
    s.run.wire.manners.realm = realm;
    s.run.wire.manners.token_uses = uses;
    /* Some refusals come when there is a new token. */
    s.run.wire.quirk[0] = (struct wire_quirk){
        .request = "", .connection = homes(connections) > 1 ? 3 : 1, .after = uses / 2, .delay = 60};
    if (posts)
        s.run.config.credentials.identity_token = "identity";
    begin_again(&s.run);
    snprintf(when, sizeof when, "a token is good for %u, from %s%s, %zu connections", uses, realm,
             posts ? " by POST" : "", connections);
    tag_all(&s, when);
    expect_each_told_truly(&s, NOTHING_LOST, when);
    const struct wire *w = &s.run.wire;
    unsigned good = w->requests - w->refused_tokens - w->tokens;
    if (w->tokens > (good + uses - 1) / uses)
        fail_msg("%s: %u tokens for %u requests", when, w->tokens, good);
    if (w->refused_tokens > w->tokens * 16 * homes(connections))
        fail_msg("%s: %u refusals", when, w->refused_tokens);
    for (unsigned i = 0; i < w->taken_count; i++)
        if (strcmp(w->taken[i].method, "POST") == 0 && (w->taken[i].pipelined || w->taken[i].followed))
            fail_msg("%s: POST is in flight with another request", when);
    finish(&s.run);
}

static void a_token_is_renewed_once_for_all(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (unsigned uses = 2; uses < 50; uses++) {
            use_tokens(widths[w], uses, REALM, false);
            use_tokens(widths[w], uses, OWN_REALM, false);
            use_tokens(widths[w], uses, OWN_REALM, true);
        }
}

/* ---- Servers that cannot cope ---------------------------------------------------------------- */

static const struct incapable {
    const char *label;
    struct wire_manners manners;
    bool silent;
} incapables[] = {
    {"closes, and says so", {.close_after_each = true}, false},
    {"closes", {.close_silently = true}, false},
    {"closes where there is more", {.closes_pipelined = true}, false},
    {"ignores the rest", {.ignores_pipelined = true}, true},
    {"resets", {.resets_pipelined = true}, false},
    {"refuses", {.refuses_pipelined = true}, false},
};

static void cope_with(const struct incapable *one, size_t connections, uint64_t delay)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, NAMES);
    s.run.wire.manners = one->manners;
    s.run.wire.manners.delay = delay;
    snprintf(when, sizeof when, "a server that %s, after %llu ms, %zu connections", one->label,
             (unsigned long long)delay, connections);
    tag_all(&s, when);
    expect_each_told_truly(&s, NOTHING_LOST, when);
    uint64_t patience = 4 * delay > 2000 ? 4 * delay : 2000;
    uint64_t rounds = 1 + 40 / homes(connections) + (40 % homes(connections) > 0);
    uint64_t most =
        (rounds + 2 + (homes(connections) > 1 ? 6 : 0)) * delay + (one->silent ? patience : 0);
    if (s.run.wire.now > most)
        fail_msg("%s: it took %llu ms instead of %llu", when, (unsigned long long)s.run.wire.now,
                 (unsigned long long)most);
    if (!s.run.wire.pipelined || s.run.wire.pipelined_at > 0)
        fail_msg("%s: it was tried again at %llu ms", when, (unsigned long long)s.run.wire.pipelined_at);
    finish(&s.run);
}

static void a_server_that_cannot_cope_is_noticed_once(void **state)
{
    static const uint64_t delays[] = {1, 10, 300, 1000};
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (size_t i = 0; i < COUNT(incapables); i++)
            for (size_t d = 0; d < COUNT(delays); d++)
                cope_with(&incapables[i], widths[w], delays[d]);
}

/* A connection that has ended looks well until something is sent on it: that is sent again, also when there are
 * no retries, and however often others have used the next connection before. */
static void idle_connections_that_have_ended_are_no_failures(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (unsigned alone = 0; alone < 2; alone++) {
            static struct scene s;
            const char *when = alone ? "one at a time" : "together";
            set_out(&s, widths[w], NAMES);
            s.run.wire.manners.close_late = true;
            s.run.wire.manners.refuses_pipelined = alone;
            s.run.config.retries = 0;
            begin_again(&s.run);
            tag_all(&s, when);
            expect_each_told_truly(&s, NOTHING_LOST, when);
            finish(&s.run);
        }
}

/* The rest of what was in flight on the connection is lost. */
static void lose_behind(size_t connections, unsigned at, enum wire_ending ending)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, NAMES);
    s.run.wire.quirk[0] =
        (struct wire_quirk){.request = "", .after = at, .connection = 1, .ending = ending};
    snprintf(when, sizeof when, "lost behind answer %u, %zu connections", at, connections);
    tag_all(&s, when);
    expect_each_told_truly(&s, NOTHING_LOST, when);
    const struct wire *w = &s.run.wire;
    unsigned opened = 0;
    for (unsigned i = 0; i < w->taken_count; i++) {
        if (!w->taken[i].first || w->taken[i].connection > 0)
            continue;
        opened++;
        if (opened > 1 && w->taken[i].followed)
            fail_msg("%s: on the next connection %s %s is followed", when, w->taken[i].method,
                     w->taken[i].reference);
    }
    if (opened < 2)
        fail_msg("%s: %u connections", when, opened);
    finish(&s.run);
}

static void after_a_break_the_first_request_goes_alone(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 15; at++) {
        lose_behind(2, at, WIRE_CLOSES);
        lose_behind(2, at, WIRE_RESETS);
        if (at < 6)
            lose_behind(5, at, WIRE_CLOSES);
    }
}

/* ---- Guards ---------------------------------------------------------------------------------- */

static const char *guard_list[8];
static char guard_texts[8][100];

/* t003 and t006 are elsewhere, t002 and t011 absent, as they should be; t009 and t005 are not, and t004 is
 * where it should be set. */
static const struct {
    unsigned name;
    bool absent, holds;
} guards[] = {{3, false, true}, {6, false, true},  {2, true, true},  {11, true, true},
              {9, true, false}, {5, false, false}, {4, false, false}};

static void guard_names(struct scene *s)
{
    for (size_t i = 0; i < COUNT(guards); i++) {
        snprintf(guard_texts[i], sizeof guard_texts[i], "%s=%s", names[guards[i].name],
                 guards[i].absent ? "absent" : digest_of_old());
        guard_list[i] = guard_texts[i];
    }
    s->run.config.expected = guard_list;
    s->run.config.expected_count = COUNT(guards);
    begin_again(&s->run);
}

/* A guarded name's requests are in flight with nothing else on their connection, and its upload comes right
 * behind its lookup. */
static void expect_guarded(const struct scene *s, size_t name, const char *when)
{
    const struct wire *w = &s->run.wire;
    const struct wire_asked *last = NULL;
    for (unsigned i = 0; i < w->taken_count; i++) {
        const struct wire_asked *a = &w->taken[i];
        if (a->connection == 0 && strcmp(a->method, "PUT") == 0 &&
            strcmp(a->reference, names[name]) == 0 &&
            (!last || strcmp(last->reference, names[name]) != 0 || strcmp(last->method, "PUT") == 0))
            fail_msg("%s: %s is set behind %s %s", when, names[name], last ? last->method : "nothing",
                     last ? last->reference : "");
        if (strcmp(a->reference, names[name]) == 0 && (a->pipelined || a->followed))
            fail_msg("%s: %s %s is in flight with others", when, a->method, a->reference);
        if (a->connection == 0)
            last = a;
    }
}

/* Where a guard does not hold, the name has failed; else all is as without. */
static void expect_guards(struct scene *s, enum license license, const char *when)
{
    struct run *run = &s->run;
    for (size_t i = 0; i < COUNT(guards); i++) {
        size_t name = guards[i].name;
        expect_guarded(s, name, when);
        if (guards[i].holds)
            continue;
        if (run->status[name] != REGTAG_E_GUARD && license != NAMES_LOST)
            fail_msg("%s: %s is %d, status %d", when, names[name], run->outcome[name],
                     run->status[name]);
        if (is_good(run->outcome[name]))
            fail_msg("%s: %s is set", when, names[name]);
    }
}

static void guard_oddly(size_t connections, unsigned connection, unsigned at,
                        const struct oddity *oddity)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, NAMES);
    guard_names(&s);
    if (oddity) {
        s.run.wire.quirk[0] = oddity->quirk;
        s.run.wire.quirk[0].request = "";
        s.run.wire.quirk[0].after = at;
        s.run.wire.quirk[0].connection = 1 + connection;
    }
    snprintf(when, sizeof when, "guarded, answer %u on connection %u of %zu %s", at, connection,
             connections, oddity ? oddity->label : "is as it should be");
    tag_all(&s, when);
    bool silent = oddity && oddity->quirk.instead && !*oddity->quirk.instead && !oddity->quirk.ending;
    expect_guards(&s, silent ? NAMES_LOST : NOTHING_LOST, when);
    for (size_t i = 0; i < NAMES; i++)
        if (is_good(s.run.outcome[i]))
            check_good(&s.run, i, oddity ? oddity->license : NOTHING_LOST, when);
    finish(&s.run);
}

static void guarded_names_go_alone(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        guard_oddly(widths[w], 0, 0, NULL);
        for (size_t o = 0; o < COUNT(oddities); o++)
            for (unsigned at = (unsigned)o % 3; at < 30; at += 3)
                if (oddities[o].license == NOTHING_LOST && !oddities[o].quirk.late)
                    guard_oddly(widths[w], 0, at, &oddities[o]);
    }
}

/* Somebody else moves a guarded name right before a request: it is only set where it has just been seen to
 * be as expected. */
static void guarded_names_are_set_as_they_were_seen(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 4 * 45; choice++) {
        static struct scene s;
        char when[160];
        size_t guard = choice % 4, name = guards[guard].name;
        size_t connections = widths[choice / 4 % 2];
        set_out(&s, connections, NAMES);
        guard_names(&s);
        s.run.wire.watched = names[name];
        s.run.wire.rival = (struct wire_rival){choice / 8 + 1, names[name], OCI, RIVAL};
        if (choice % 3 == 0)
            s.run.wire.quirk[0] = (struct wire_quirk){
                .request = "", .after = choice % 37, .connection = 1, .ending = WIRE_CLOSES};
        snprintf(when, sizeof when, "%s is moved before request %u, %zu connections", names[name],
                 choice / 8 + 1, connections);
        tag_all(&s, when);
        for (unsigned i = 0; i < s.run.wire.changes; i++)
            if (strcmp(s.run.wire.upon[i], guards[guard].absent ? "absent" : digest_of_old()) != 0)
                fail_msg("%s: it is set, though it was seen at %s", when, s.run.wire.upon[i]);
        expect_guarded(&s, name, when);
        finish(&s.run);
    }
}

/* A pause that another name is asked for, right when a guarded one was seen to be as expected, is long enough for
 * somebody else. */
static void a_guarded_name_is_looked_at_again_behind_a_pause(void **state)
{
    static struct scene s;
    const char *guard = guard_texts[0];
    struct run *run = &s.run;
    bool more = true;
    (void)state;
    set_out(&s, 5, NAMES);
    snprintf(guard_texts[0], sizeof guard_texts[0], "t003=%s", digest_of_old());
    run->config.expected = &guard;
    run->config.expected_count = 1;
    begin_again(run);
    run->wire.quirk[0] = (struct wire_quirk){
        .request = "PUT t000",
        .instead = "HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"};
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, NAMES), REGTAG_OK);
    while (more) {
        more = step(run);
        if (run->end == REGTAG_UPLOAD && strcmp(regtag_result(run->regtag)->name, "t003") == 0)
            wire_push(&run->wire, "t003", OCI, RIVAL, sizeof RIVAL - 1);
    }
    expect_end(run, REGTAG_E_GUARD);
    assert_int_equal(run->status[3], REGTAG_E_GUARD);
    assert_true(points_at(run, "t003", RIVAL));
    assert_int_equal(run->outcome[0], REGTAG_TAG_MOVED);
    finish(run);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static void only_so_many_names_are_under_way(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        static struct scene s;
        set_out(&s, widths[w], 120);
        s.run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD t000", .delay = 1500};
        assert_int_equal(regtag_tag(s.run.regtag, "localhost/a:base", names, 120), REGTAG_OK);
        size_t most = 0;
        while (step(&s.run)) {
            for (; s.checked < s.run.wire.taken_count; s.checked++) {
                const char *reference = s.run.wire.taken[s.checked].reference;
                if (*reference == 't' && index_of(reference) >= s.run.settled + 64)
                    fail_msg("%s is under way when %zu are settled", reference, s.run.settled);
                if (*reference == 't' && s.run.settled == 0)
                    most = index_of(reference) > most ? index_of(reference) : most;
            }
        }
        if (widths[w] > 2)
            assert_int_equal(most, 63);
        expect_each_told_truly(&s, NOTHING_LOST, "the first one is late");
        assert_int_equal(s.run.wire.requests, 1 + 120 + 80);
        finish(&s.run);
    }
}

/* Whatever is in flight then, the operation is over when its time is. */
static void the_deadline_holds(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 5 * 60; choice++) {
        static struct scene s;
        char when[160];
        size_t connections = widths[choice % 2];
        const struct incapable *one = choice / 2 % 5 ? &incapables[choice / 2 % 5] : NULL;
        set_out(&s, connections, NAMES);
        if (one) {
            s.run.wire.manners = one->manners;
            s.run.wire.manners.delay = DELAY;
        }
        s.run.config.timeout = (uint64_t)(1 + choice / 10 * 7);
        begin_again(&s.run);
        snprintf(when, sizeof when, "a timeout of %u ms, %zu connections, a server that %s",
                 1 + choice / 10 * 7, connections, one ? one->label : "can cope");
        tag_all(&s, when);
        expect_each_told_truly(&s, NAMES_LOST, when);
        if (s.run.wire.now > s.run.config.timeout)
            fail_msg("%s: it took %llu ms", when, (unsigned long long)s.run.wire.now);
        finish(&s.run);
    }
}

/* ---- Everything at once ---------------------------------------------------------------------- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % below;
}

/* Oddities that do not forge anything. */
static const struct oddity *any_honest_oddity(void)
{
    const struct oddity *o = &oddities[chance(COUNT(oddities))];
    return o->quirk.before || o->quirk.behind || o->quirk.twice || o->quirk.echo || o->quirk.swapped ||
                   (o->quirk.instead && *o->quirk.instead == '\0' && !o->quirk.ending)
               ? &oddities[1 + chance(4)]
               : o;
}

static void whatever_happens_is_told_truly(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 1000; seed++) {
        static struct scene s;
        char when[160];
        chance_state = seed;
        set_out(&s, 2 + chance(5), (size_t)(8 + chance(17)));
        struct wire *w = &s.run.wire;
        w->seed = chance(2) ? seed : 0;
        s.run.impatient = chance(3) == 0;
        for (unsigned i = 0; i < WIRE_QUIRKS; i++) {
            w->quirk[i] = any_honest_oddity()->quirk;
            w->quirk[i].request = chance(4) ? "" : "PUT";
            w->quirk[i].after = chance(40);
        }
        w->manners.fail = chance(4);
        w->manners.fail_after = chance(40);
        w->manners.fail_status = chance(2) ? 503 : 0;
        w->manners.stores_anyway = w->manners.fail_status == 0;
        w->manners.chunked = chance(2);
        if (chance(3) == 0) {
            w->manners.realm = chance(2) ? REALM : OWN_REALM;
            w->manners.token_uses = 3 + chance(20);
        }
        w->manners.delay = chance(30);
        s.run.config.confirm = chance(3) == 0;
        s.run.config.certain_absence = chance(3) == 0;
        s.run.config.retries = chance(5);
        begin_again(&s.run);
        snprintf(when, sizeof when, "seed %u", seed);
        tag_all(&s, when);
        expect_each_told_truly(&s, NAMES_LOST, when);
        expect_bounded(&s, 400, 120, when);
        finish(&s.run);
    }
}

static void many_names_are_in_flight_together(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct course course;
        take_course(widths[w], &course);
        assert_int_equal(course.requests, 1 + NAMES + NAMES - NAMES / 3);
        assert_int_equal(course.now, widths[w] == 2 ? 3 * DELAY : 2 * DELAY);
        for (size_t i = 0; i < WIRE_LINES; i++)
            assert_int_equal(course.answers[i] > 0, i < widths[w] && i != 1);
    }
}

/* The requests that go out at once, on each connection. */
static void expect_at_once(size_t count, const unsigned expected[WIRE_LINES])
{
    static struct scene s;
    unsigned sent[WIRE_LINES] = {0};
    set_out(&s, 5, count);
    tag_all(&s, "first batches");
    for (unsigned i = 0; i < s.run.wire.taken_count; i++)
        sent[s.run.wire.taken[i].connection] += s.run.wire.taken[i].at == 0;
    assert_memory_equal(sent, expected, sizeof sent);
    finish(&s.run);
}

static void connections_start_differently_if_names_wait(void **state)
{
    const unsigned all_fit[WIRE_LINES] = {16, 0, 16, 16, 16}, some_wait[WIRE_LINES] = {4, 0, 8, 12, 16};
    (void)state;
    expect_at_once(63, all_fit);
    expect_at_once(100, some_wait);
}

/* ---- The digests of all tags ----------------------------------------------------------------- */

#define TAGS 40 /* two thirds of them are there; and "base" and "new" */

static char listed[COUNT(names)][72];

/* Runs it, and keeps the digests; each tag is listed once, in the order of the registry's list. */
static size_t list_digests(struct scene *s)
{
    struct run *run = &s->run;
    size_t count = 0;
    assert_int_equal(regtag_digests(run->regtag, "localhost/a", 0), REGTAG_OK);
    while (step(run)) {
        const struct regtag_result *result = regtag_result(run->regtag);
        if (run->end != REGTAG_LISTED)
            continue;
        assert_true(count < COUNT(listed));
        snprintf(listed[count], sizeof listed[0], "%s",
                 result->status    ? "failed"
                 : *result->digest ? result->digest
                                   : "absent");
        count++;
    }
    return count;
}

static void expect_digests(const struct scene *s, size_t count, bool some_fail, const char *when)
{
    const struct wire *w = &s->run.wire;
    if (count != w->tag_count)
        fail_msg("%s: %zu tags are listed instead of %zu", when, count, w->tag_count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s->run.name[i], w->tags[i].name) != 0)
            fail_msg("%s: %s is listed instead of %s", when, s->run.name[i], w->tags[i].name);
        if (strcmp(listed[i], w->tags[i].digest) != 0 &&
            !(some_fail && strcmp(listed[i], "failed") == 0))
            fail_msg("%s: %s is listed at %s", when, w->tags[i].name, listed[i]);
    }
    if (w->now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)w->now);
}

static void list_oddly(size_t connections, unsigned connection, unsigned at, const struct oddity *oddity,
                       unsigned page)
{
    static struct scene s;
    char when[160];
    set_out(&s, connections, TAGS);
    s.run.wire.manners.page = page;
    if (oddity) {
        s.run.wire.quirk[0] = oddity->quirk;
        s.run.wire.quirk[0].request = "HEAD";
        s.run.wire.quirk[0].after = at;
        s.run.wire.quirk[0].connection = 1 + connection;
    }
    snprintf(when, sizeof when, "listed, pages of %u, HEAD %u on connection %u of %zu %s", page, at,
             connection, connections, oddity ? oddity->label : "is as it should be");
    size_t count = list_digests(&s);
    expect_digests(&s, count, false, when);
    finish(&s.run);
}

static void digests_are_those_of_their_tags(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (unsigned page = 0; page <= 20; page += 5) {
            list_oddly(widths[w], 0, 0, NULL, page);
            for (size_t o = 0; o < COUNT(oddities); o++)
                for (unsigned at = (unsigned)o % 5; at < 24 / homes(widths[w]); at += 5)
                    for (unsigned c = 0; c < widths[w]; c++)
                        if (oddities[o].license == NOTHING_LOST && !oddities[o].quirk.late && c != 1 &&
                            page != 5)
                            list_oddly(widths[w], c, at, &oddities[o], page);
        }
}

static void digests_survive_failures_and_tokens(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 2 * 3 * 30; choice++) {
        static struct scene s;
        char when[160];
        size_t connections = widths[choice % 2];
        unsigned status = choice / 4 % 3 == 0 ? 0 : choice / 4 % 3 == 1 ? 503 : 429;
        set_out(&s, connections, TAGS);
        s.run.wire.manners.fail = 1 + choice % 3;
        s.run.wire.manners.fail_after = choice / 12;
        s.run.wire.manners.fail_status = status;
        s.run.wire.manners.fail_fields = status == 429 ? "Retry-After: 5\r\n" : NULL;
        s.run.wire.manners.realm = choice / 2 % 2 ? REALM : NULL;
        s.run.wire.manners.token_uses = choice / 2 % 2 ? 3 + choice / 12 : 0;
        snprintf(when, sizeof when, "%u to request %u, %zu connections%s", status, choice / 12,
                 connections, choice / 2 % 2 ? ", tokens" : "");
        size_t count = list_digests(&s);
        expect_digests(&s, count, false, when);
        if (s.run.wire.rushed)
            fail_msg("%s: %u calls send something before the time", when, s.run.wire.rushed);
        finish(&s.run);
    }
}

/* A tag that has vanished has no digest; one that cannot be looked up has failed. */
static void tags_that_vanish_are_no_failure(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (unsigned refused = 0; refused < 2; refused++) {
            static struct scene s;
            set_out(&s, widths[w], TAGS);
            s.run.wire.rival = (struct wire_rival){.at = refused ? 0 : 2, .tag = "t021"};
            s.run.wire.manners.only_tag = refused ? "t021" : NULL;
            s.run.wire.manners.head_status = s.run.wire.manners.get_status = refused ? 403 : 0;
            size_t count = list_digests(&s);
            assert_int_equal(count, 2 + 27);
            for (size_t i = 0; i < count; i++)
                assert_string_equal(
                    listed[i], strcmp(s.run.name[i], "t021") == 0 ? refused ? "failed" : "absent"
                               : strcmp(s.run.name[i], "base") == 0 ||
                                       (*s.run.name[i] == 't' && index_of(s.run.name[i]) % 3 == THERE)
                                   ? digest_of_new()
                                   : digest_of_old());
            expect_end(&s.run, refused ? REGTAG_E_DENIED : REGTAG_OK);
            finish(&s.run);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_names_are_in_flight_together),
        cmocka_unit_test(connections_start_differently_if_names_wait),
        cmocka_unit_test(names_are_hashed_while_the_image_comes),
        cmocka_unit_test(what_breaks_at_any_byte_is_told_truly),
        cmocka_unit_test(odd_answers_are_told_from_others),
        cmocka_unit_test(a_failure_of_any_request_is_got_over),
        cmocka_unit_test(a_token_is_renewed_once_for_all),
        cmocka_unit_test(a_server_that_cannot_cope_is_noticed_once),
        cmocka_unit_test(idle_connections_that_have_ended_are_no_failures),
        cmocka_unit_test(after_a_break_the_first_request_goes_alone),
        cmocka_unit_test(guarded_names_go_alone),
        cmocka_unit_test(guarded_names_are_set_as_they_were_seen),
        cmocka_unit_test(a_guarded_name_is_looked_at_again_behind_a_pause),
        cmocka_unit_test(only_so_many_names_are_under_way),
        cmocka_unit_test(the_deadline_holds),
        cmocka_unit_test(digests_are_those_of_their_tags),
        cmocka_unit_test(digests_survive_failures_and_tokens),
        cmocka_unit_test(tags_that_vanish_are_no_failure),
        cmocka_unit_test(whatever_happens_is_told_truly),
    };
    make_names();
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("pipelines", tests, NULL, NULL);
}
