/* A connection that has been used before may close at any time. What only asks is sent again at once; what
 * changes something, and was sent whole, never without a look at the tag. */
#include "run.h"

static const char *const one_name[] = {"new"};

static enum regtag_status status_of(const struct run *run)
{
    return regtag_error(run->regtag, NULL);
}

/* ---- What changes something ------------------------------------------------------------------ */

/* How the request ends with its connection. */
enum loss { LOST, CLOSED, CLOSED_DONE, RESET, RESET_DONE, LOSSES };
static const char *const losses[] = {"lost", "not answered", "done and not answered", "cut off",
                                     "done and cut off"};

/* What somebody else does right before the first look that comes after it. */
enum other { NOBODY, MOVES, DELETES, SETS_THE_SAME, OTHERS };
static const char *const others[] = {"nobody acts", "moved", "deleted", "set to the same"};

struct change {
    bool delete, guarded, absent, confirm;
    enum loss loss;
    enum other other;
    unsigned retries;
    size_t step;
};

/* A guarded tag is absent only if a GET says so as well. */
static bool is_confirmed(const struct change *c)
{
    return c->guarded && c->absent;
}

static void lose(struct run *run, const struct change *c)
{
    static const enum wire_ending endings[] = {WIRE_LEAVES, WIRE_CLOSES, WIRE_CLOSES, WIRE_RESETS,
                                               WIRE_RESETS};
    bool lost = c->loss == LOST;
    run->wire.quirk[0] = (struct wire_quirk){
        .request = lost        ? is_confirmed(c) ? "GET new" : "HEAD new"
                   : c->delete ? "DELETE new"
                               : "PUT new",
        .instead = lost ? NULL : "",
        .done = c->loss == CLOSED_DONE || c->loss == RESET_DONE,
        .ending = endings[c->loss],
    };
}

static void let_other_act(struct run *run, const struct change *c)
{
    unsigned look = (c->delete ? 2u : 3u) + is_confirmed(c) + (c->loss != LOST);
    const char *manifest = c->other == MOVES ? RIVAL : c->other == SETS_THE_SAME ? NEW : NULL;
    if (c->other != NOBODY)
        run->wire.rival = (struct wire_rival){look, "new", OCI, manifest};
}

static void set_out(struct run *run, const struct change *c, const char **expected)
{
    begin(run);
    if (c->absent)
        wire_delete(&run->wire, "new");
    run->wire.watched = "new";
    run->wire.step = c->step;
    lose(run, c);
    let_other_act(run, c);
    *expected = c->absent ? "absent" : digest_of_old();
    run->config.expected = expected;
    run->config.expected_count = c->guarded;
    run->config.confirm = c->confirm;
    run->config.retries = c->retries;
    begin_again(run);
}

/* The line behind this one, or NULL. */
static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end && end[1] ? end + 1 : NULL;
}

static bool is_line(const char *line, const char *method, const char *name)
{
    char text[160];
    snprintf(text, sizeof text, "%s %s\n", method, name);
    return strncmp(line, text, strlen(text)) == 0;
}

/* Between two requests that change a tag there is a look at it. */
static void expect_look_between(const struct run *run, const char *method, const char *name,
                                const char *when)
{
    bool sent = false;
    char lost[16];
    snprintf(lost, sizeof lost, "lost %s", method);
    for (const char *line = run->wire.history.data; line; line = next_line(line)) {
        bool change = is_line(line, method, name) || is_line(line, lost, name);
        if (change && sent)
            fail_msg("%s: %s %s is sent again without a look:\n%s", when, method, name,
                     run->wire.history.data);
        sent = change || (sent && !is_line(line, "HEAD", name) && !is_line(line, "GET", name));
    }
}

/* Where the tag points is what is told of it. */
static void expect_truth_of(const struct run *run, const struct change *c, const char *when)
{
    bool there = wire_find(&run->wire, "new") != NULL, done = c->delete ? !there : IS_NEW(run, "new");
    enum regtag_outcome outcome = run->outcome[0];
    if (run->settled != 1)
        fail_msg("%s: %zu names are settled", when, run->settled);
    if (is_good(outcome) && !done)
        fail_msg("%s: it is said to be done (%d), and is not", when, outcome);
    if (outcome == REGTAG_TAG_FAILED && done && c->other == NOBODY)
        fail_msg("%s: it is said not to be done (%d), and is", when, run->status[0]);
    if (c->other == NOBODY && outcome == REGTAG_TAG_CREATED && !c->absent)
        fail_msg("%s: it is said to be created", when);
    if (c->other == NOBODY && outcome == REGTAG_TAG_MOVED && c->absent)
        fail_msg("%s: it is said to have moved", when);
    if ((run->end == REGTAG_DONE) != is_good(outcome))
        fail_msg("%s: the end is %d, the outcome %d", when, run->end, outcome);
}

/* What somebody else has done is not overwritten against a guard, nor told to have been nothing. */
static void expect_respect(const struct run *run, const struct change *c, const char *when)
{
    const char *last = run->wire.changes ? run->wire.upon[run->wire.changes - 1] : "absent";
    if (run->outcome[0] == REGTAG_TAG_CREATED && strcmp(last, "absent") != 0)
        fail_msg("%s: it is said to be created, upon %s", when, last);
    if (c->guarded && c->other == MOVES && !points_at(run, "new", RIVAL))
        fail_msg("%s: what somebody else has done is overwritten", when);
    if (c->guarded && c->other == MOVES && is_good(run->outcome[0]))
        fail_msg("%s: it is said to be done (%d)", when, run->outcome[0]);
    if (c->guarded && c->other == DELETES && !c->delete &&!c->absent && wire_find(&run->wire, "new"))
        fail_msg("%s: it is set again, though it was guarded", when);
}

static void lose_change(const struct change *c)
{
    struct run run;
    const char *expected;
    char when[200];
    set_out(&run, c, &expected);
    snprintf(when, sizeof when, "%s%s%s%s: %s, then %s; %u retries, step %zu",
             c->delete ? "delete" : "tag", c->guarded ? ", guarded" : "", c->absent ? ", new" : "",
             c->confirm ? ", confirmed" : "", losses[c->loss], others[c->other], c->retries, c->step);
    if (c->delete)
        delete_one(&run);
    else
        tag_one(&run);
    assert_int_equal(run.wire.quirks, 1);
    expect_look_between(&run, c->delete ? "DELETE" : "PUT", "new", when);
    expect_truth_of(&run, c, when);
    expect_respect(&run, c, when);
    if (c->other == NOBODY && c->retries && !is_good(run.outcome[0]))
        fail_msg("%s: it is not got over: %d", when, run.status[0]);
    /* Where absence decides, each look takes a GET as well. */
    unsigned looks = c->absent || c->other == DELETES ? 4 : 3;
    if (run.wire.requests > looks + looks * (1 + c->retries) || run.wire.now > TIMEOUT)
        fail_msg("%s: %u requests, %llu ms", when, run.wire.requests, (unsigned long long)run.wire.now);
    finish(&run);
}

static void a_change_that_was_lost_is_looked_at_before_it_is_sent_again(void **state)
{
    static const unsigned retries[] = {0, 1, 4};
    (void)state;
    for (unsigned choice = 0; choice < 3 * 2 * LOSSES * OTHERS * 16; choice++) {
        unsigned flags = choice / (3 * 2 * LOSSES * OTHERS);
        struct change c = {
            .delete = flags & 1,
            .guarded = flags & 2,
            .absent = (flags & 4) && !(flags & 1),
            .confirm = (flags & 8) && !(flags & 1),
            .loss = (enum loss)(choice % LOSSES),
            .other = (enum other)(choice / LOSSES % OTHERS),
            .retries = retries[choice / LOSSES / OTHERS % 3],
            .step = choice / LOSSES / OTHERS / 3 % 2,
        };
        lose_change(&c);
    }
}

/* Another client moves the tag while an unguarded upload is lost: that is seen before it is overwritten. */
static void a_lost_upload_is_not_sent_again_blindly(void **state)
{
    (void)state;
    for (unsigned guarded = 0; guarded < 2; guarded++) {
        struct change c = {.absent = true, .guarded = guarded, .other = MOVES, .retries = 4};
        struct run run;
        const char *expected;
        set_out(&run, &c, &expected);
        tag_one(&run);
        assert_int_equal(strncmp(run.wire.history.data, "GET base\nHEAD new\n", 18), 0);
        const char *rest = strstr(run.wire.history.data, "lost PUT new\n");
        assert_non_null(rest);
        assert_int_equal(strncmp(rest, "lost PUT new\nHEAD new\n", 22), 0);
        assert_int_not_equal(run.outcome[0], REGTAG_TAG_CREATED);
        finish(&run);
    }
}

/* Each connection closes behind each answer, and that is seen too late. */
static void lose_several(unsigned choice)
{
    static const char *const names[] = {"x", "new", "same", "y"};
    struct run run;
    begin(&run);
    wire_push(&run.wire, "same", OCI, NEW, sizeof NEW - 1);
    run.wire.manners.close_late = true;
    run.config.retries = choice & 1 ? 4 : 0;
    run.config.confirm = choice & 2;
    run.wire.step = choice & 4 ? 1 : 0;
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    assert_int_equal(run.settled, COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        expect_look_between(&run, "PUT", names[i], names[i]);
        if (is_good(run.outcome[i]) != IS_NEW(&run, names[i]) && run.outcome[i] != REGTAG_TAG_UNCERTAIN)
            fail_msg("%s, choice %u: the outcome is %d", names[i], choice, run.outcome[i]);
    }
    assert_int_equal(run.outcome[2], REGTAG_TAG_UNCHANGED);
    assert_true(run.wire.connections <= 60 && run.wire.now <= TIMEOUT);
    finish(&run);
}

static void several_uploads_that_are_lost_are_each_looked_at(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 8; choice++)
        lose_several(choice);
}

/* What was not sent whole cannot have been taken: it may be sent again, and is never uncertain. */
static void a_change_that_was_not_sent_whole_is_no_doubt(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 4; choice++) {
        bool delete = choice & 1;
        uint64_t begins = 0, ends = 1;
        for (uint64_t at = 0; at < ends; at++) {
            struct run run;
            char when[80];
            begin(&run);
            run.config.retries = choice & 2 ? 4 : 0;
            begin_again(&run);
            run.wire.fault = (struct wire_fault){at > 0, true, begins + at, false, false};
            snprintf(when, sizeof when, "choice %u, byte %llu", choice, (unsigned long long)at);
            if (delete)
                delete_one(&run);
            else
                tag_one(&run);
            if (at == 0) { /* nothing breaks yet */
                const char *change = strstr(run.wire.log.data, delete ? "DELETE /" : "PUT /");
                begins = (uint64_t)(change - run.wire.log.data);
                ends =
                    (uint64_t)(strstr(change, "\r\n\r\n") + 4 - change) + (delete ? 0 : sizeof NEW - 1);
            }
            if (run.outcome[0] == REGTAG_TAG_UNCERTAIN)
                fail_msg("%s: it is said to be uncertain", when);
            if (run.config.retries && run.end != REGTAG_DONE)
                fail_msg("%s: it is not got over: %d", when, status_of(&run));
            bool done = delete ? !wire_find(&run.wire, "new") : IS_NEW(&run, "new");
            assert_int_equal(is_good(run.outcome[0]), done);
            finish(&run);
        }
    }
}

/* ---- What only asks -------------------------------------------------------------------------- */

enum verb { TAG, DELETE, DIGEST, MANIFEST, LIST };

static void ask(struct run *run, enum verb verb)
{
    enum regtag_status status = REGTAG_E_OTHER;
    switch (verb) {
    case TAG: status = regtag_tag(run->regtag, "localhost/a:base", one_name, 1); break;
    case DELETE: status = regtag_delete(run->regtag, "localhost/a:new"); break;
    case DIGEST: status = regtag_digest(run->regtag, "localhost/a:base"); break;
    case MANIFEST: status = regtag_manifest(run->regtag, "localhost/a:base"); break;
    case LIST: status = regtag_list(run->regtag, "localhost/a", 0); break;
    }
    assert_int_equal(status, REGTAG_OK);
    run_on(run);
}

/* Behind the answer to `before` the connection closes, or on it the GET or HEAD that is `lost` is. */
static const struct question {
    const char *label;
    enum verb verb;
    const char *before, *lost;
    unsigned after; /* requests like the lost one, that go well before it */
    bool confirm;
    struct wire_manners manners;
} questions[] = {
    {"what is read back", TAG, "PUT new", "HEAD new", 1, true, {0}},
    {"the look behind a deletion", DELETE, "DELETE new", "HEAD new", 1, false, {0}},
    {"the next page", LIST, "GET list", "GET list", 1, false, {.page = 1}},
    {"GET behind HEAD", DIGEST, "HEAD base", "GET base", 0, false, {.no_head_digest = true}},
    {"GET behind a token",
     MANIFEST,
     "GET base",
     "GET base",
     1,
     false,
     {.realm = "http://127.0.0.1/token"}},
    {"GET behind a token of the same host",
     MANIFEST,
     "GET token",
     "GET base",
     1,
     false,
     {.realm = "http://localhost/token"}},
    {"HEAD behind a token",
     DIGEST,
     "HEAD base",
     "HEAD base",
     1,
     false,
     {.realm = "http://127.0.0.1/token"}},
    {"GET of a token", MANIFEST, "GET base", "GET token", 0, false, {.realm = "http://localhost/token"}},
    {"what a redirect leads to",
     MANIFEST,
     "GET base",
     "GET elsewhere",
     0,
     false,
     {.location = "http://localhost/v2/a/manifests/elsewhere"}},
};

static void set_question(struct run *run, const struct question *q)
{
    begin(run);
    wire_push(&run->wire, "elsewhere", OCI, NEW, sizeof NEW - 1);
    run->config.confirm = q->confirm;
    begin_again(run);
    run->wire.manners = q->manners;
}

static unsigned requests_of(const struct question *q)
{
    struct run run;
    set_question(&run, q);
    ask(&run, q->verb);
    expect_end(&run, REGTAG_OK);
    unsigned requests = run.wire.requests;
    finish(&run);
    return requests;
}

static void lose_question(const struct question *q, struct wire_quirk quirk, unsigned requests)
{
    struct run run;
    set_question(&run, q);
    run.wire.quirk[0] = quirk;
    ask(&run, q->verb);
    if (run.wire.quirks != 1)
        fail_msg("%s, ending %d: it never comes", q->label, quirk.ending);
    if (run.end != REGTAG_DONE)
        fail_msg("%s, ending %d: status %d", q->label, quirk.ending, status_of(&run));
    if (run.wire.now != 0)
        fail_msg("%s, ending %d: it has waited", q->label, quirk.ending);
    if (run.wire.requests != requests)
        fail_msg("%s, ending %d: %u requests instead of %u:\n%s", q->label, quirk.ending,
                 run.wire.requests, requests, run.wire.history.data);
    finish(&run);
}

/* Without retries: that is none. */
static void what_only_asks_is_sent_again_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(questions); i++) {
        const struct question *q = &questions[i];
        struct wire_quirk quirk = {.request = q->before};
        unsigned requests = requests_of(q);
        for (unsigned ending = WIRE_CLOSES; ending <= WIRE_LEAVES; ending++) {
            quirk.ending = (enum wire_ending)ending;
            if (ending != WIRE_RESETS) /* which takes the answer along */
                lose_question(q, quirk, requests);
        }
        quirk = (struct wire_quirk){.request = q->lost, .after = q->after, .instead = ""};
        quirk.ending = WIRE_CLOSES;
        lose_question(q, quirk, requests + 1);
        quirk.ending = WIRE_RESETS;
        lose_question(q, quirk, requests + 1);
    }
}

static void what_is_asked_once_more_is_sent_again_at_once(void **state)
{
    (void)state;
    for (unsigned ending = WIRE_CLOSES; ending <= WIRE_LEAVES; ending++) {
        struct run run;
        begin(&run);
        run.config.keep = true;
        begin_again(&run);
        ask(&run, DIGEST);
        run.wire.line[0].ended = ending != WIRE_LEAVES;
        run.wire.line[0].dead = ending == WIRE_RESETS;
        run.wire.line[0].stale = ending == WIRE_LEAVES;
        regtag_again(run.regtag, NULL);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.requests, 2);
        assert_int_equal(run.wire.connections, 2);
        assert_int_equal(run.wire.now, 0);
        finish(&run);
    }
}

/* A connection that has never been used and closes instead of answering is a failed attempt. */
static void a_fresh_connection_that_closes_is_an_attempt(void **state)
{
    (void)state;
    for (unsigned retries = 0; retries < 2; retries++) {
        struct run run;
        begin(&run);
        run.config.retries = retries;
        begin_again(&run);
        run.wire.quirk[0] =
            (struct wire_quirk){.request = "HEAD base", .instead = "", .ending = WIRE_CLOSES};
        ask(&run, DIGEST);
        expect_end(&run, retries ? REGTAG_OK : REGTAG_E_NO_CONNECTION);
        assert_int_equal(run.wire.requests, 1 + retries);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_that_was_lost_is_looked_at_before_it_is_sent_again),
        cmocka_unit_test(a_lost_upload_is_not_sent_again_blindly),
        cmocka_unit_test(several_uploads_that_are_lost_are_each_looked_at),
        cmocka_unit_test(a_change_that_was_not_sent_whole_is_no_doubt),
        cmocka_unit_test(what_only_asks_is_sent_again_at_once),
        cmocka_unit_test(what_is_asked_once_more_is_sent_again_at_once),
        cmocka_unit_test(a_fresh_connection_that_closes_is_an_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
