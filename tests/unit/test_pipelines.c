/* Many requests in flight on several connections: whatever becomes of the connections and of the answers, each
 * name gets what has happened to it. */
#include "run.h"
#ifdef COLLECT
#undef fail_msg
#define fail_msg(...) (fprintf(stderr, "F: "), fprintf(stderr, __VA_ARGS__), fprintf(stderr, "\n"))
#endif

#define NAMES 24
#define DELAY 10 /* milliseconds until an answer comes: what is asked meanwhile is in flight with it */
#define HOME 0   /* the connections to the registry: 0 and those from 2 on */
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
    if (getenv("LOUD"))
        fprintf(stderr, "%s\n", when);
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
                 past == ELSEWHERE ? "elsewhere" : past == THERE ? "there" : "absent", outcome,
                 run->previous[i]);
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

static unsigned homes(size_t connections)
{
    return (unsigned)connections - 1;
}

/* ---- How it goes well ------------------------------------------------------------------------ */

struct course {
    unsigned requests, answers[WIRE_LINES]; /* per connection */
    uint64_t sent[WIRE_LINES], received[WIRE_LINES], now;
    size_t ends[WIRE_LINES][WIRE_ASKED_MAX];
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
    for (size_t i = 0; i < WIRE_LINES; i++) {
        course->sent[i] = s.run.wire.line[i].sent;
        course->received[i] = s.run.wire.line[i].received;
    }
    finish(&s.run);
}


/* Requests are bounded by one more for each in flight, and what is asked to be sure. */
static void expect_recovery(const struct scene *s, const struct course *course, enum license license,
                            const char *when)
{
    expect_each_told_truly(s, license, when);
    expect_bounded(s, course->requests + 3 * 16, homes(s->run.config.connections) + 4 + 16, when);
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

static bool break_once(const struct break_at *b, const struct course *course)
{
    static struct scene s;
    char when[160];
    set_out(&s, b->connections, NAMES);
    s.run.config.retries = b->retries;
    begin_again(&s.run);
    s.run.wire.step = b->step;
    s.run.wire.fault = (struct wire_fault){.armed = true,
                                           .writing = b->writing,
                                           .orderly = b->orderly,
                                           .at = b->at,
                                           .connection = 1 + b->connection};
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
            break_everywhere(&b, kind == 2 ? 61 : 29);
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
    {"is the end, though all is done", {.instead = "", .done = true, .ending = WIRE_CLOSES}, NOTHING_LOST},
    {"is a reset", {.instead = "", .ending = WIRE_RESETS}, NOTHING_LOST},
    {"is a reset, though all is done", {.instead = "", .done = true, .ending = WIRE_RESETS}, NOTHING_LOST},
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

static void many_names_are_in_flight_together(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct course course;
        take_course(widths[w], &course);
        for (int i = 0; i < WIRE_LINES; i++)
            printf("w %zu line %d: %u answers, %llu sent %llu received\n", widths[w], i,
                   course.answers[i], (unsigned long long)course.sent[i],
                   (unsigned long long)course.received[i]);
        printf("%u requests %llu ms\n", course.requests, (unsigned long long)course.now);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_breaks_at_any_byte_is_told_truly),
        cmocka_unit_test(odd_answers_are_told_from_others),
        cmocka_unit_test(many_names_are_in_flight_together),
    };
    make_names();
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("pipelines", tests, NULL, NULL);
}
