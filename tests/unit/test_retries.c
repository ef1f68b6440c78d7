/* Trying again: what is, how often, and after how long; connections that stall; tokens that expire; asking
 * the same again. */
#include "run.h"

static const char *const one_name[] = {"new"};

/* ---- Chance ---------------------------------------------------------------------------------- */

/* The same 32 bits, again and again. */
static int given_bytes(void *context, void *bytes, size_t size)
{
    const uint32_t *number = context;
    assert_int_equal(size, sizeof *number);
    memcpy(bytes, number, size);
    return 0;
}

static int no_bytes(void *context, void *bytes, size_t size)
{
    (void)context;
    memset(bytes, 0, size);
    return -1;
}

static void retry(struct run *run, unsigned retries)
{
    run->config.retries = retries;
    begin_again(run);
}

/* `times` requests of this kind fail with this status, 0 being a reset. */
static void let_fail(struct run *run, const char *method, unsigned times, unsigned status,
                     const char *fields)
{
    run->wire.manners.fail_method = method;
    run->wire.manners.fail = times;
    run->wire.manners.fail_status = status;
    run->wire.manners.fail_fields = fields;
}

/* ---- What is tried again, and how often ------------------------------------------------------ */

enum verb { TAG, DELETE, LIST, DIGEST, MANIFEST };

static void ask(struct run *run, enum verb verb)
{
    enum regtag_status status = REGTAG_E_OTHER;
    switch (verb) {
    case TAG: status = regtag_tag(run->regtag, "localhost/a:base", one_name, 1); break;
    case DELETE: status = regtag_delete(run->regtag, "localhost/a:new"); break;
    case LIST: status = regtag_list(run->regtag, "localhost/a", 0); break;
    case DIGEST: status = regtag_digest(run->regtag, "localhost/a:base"); break;
    case MANIFEST: status = regtag_manifest(run->regtag, "localhost/a:base"); break;
    }
    assert_int_equal(status, REGTAG_OK);
    run_on(run);
}

static const struct {
    enum verb verb;
    const char *method; /* of the request that matters */
} asked[] = {{TAG, "GET"},  {TAG, "PUT"},     {DELETE, "DELETE"},
             {LIST, "GET"}, {DIGEST, "HEAD"}, {MANIFEST, "GET"}};

static unsigned requests_of(const struct run *run, const char *method)
{
    char line[16];
    snprintf(line, sizeof line, "%s ", method);
    return (unsigned)count_of(run->wire.asked.data, line);
}

static void what_may_pass_is_tried_again_so_often(void **state)
{
    static const unsigned statuses[] = {0, 408, 429, 500, 502, 503, 504};
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        for (size_t s = 0; s < COUNT(statuses); s++) {
            for (unsigned retries = 0; retries < 5; retries++) {
                for (unsigned times = 0; times < 7; times++) {
                    struct run run;
                    begin(&run);
                    retry(&run, retries);
                    let_fail(&run, asked[a].method, times, statuses[s], NULL);
                    run.wire.manners.close_after_each = true; /* no connection has been used before */
                    ask(&run, asked[a].verb);
                    unsigned expected = times < retries ? times + 1 : retries + 1;
                    if ((run.end == REGTAG_DONE) != (times <= retries) ||
                        requests_of(&run, asked[a].method) != expected)
                        fail_msg("%s of %u, %u times %u, %u retries: %u requests, status %d",
                                 asked[a].method, asked[a].verb, times, statuses[s], retries,
                                 requests_of(&run, asked[a].method), regtag_error(run.regtag, NULL));
                    finish(&run);
                }
            }
        }
    }
}

/* A HEAD that is answered like this is followed by a GET, which succeeds. */
static bool is_followed_by_get(unsigned status)
{
    static const unsigned statuses[] = {400, 403, 404, 405, 406, 410, 412, 415, 423, 451, 501};
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i] == status)
            return true;
    return false;
}

static void what_would_end_the_same_is_not_tried_again(void **state)
{
    static const unsigned statuses[] = {400, 401, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414,
                                        415, 416, 422, 423, 431, 451, 501, 505, 507, 525, 526};
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        for (size_t s = 0; s < COUNT(statuses); s++) {
            struct run run;
            bool asked_by_lines = statuses[s] == 406 && strcmp(asked[a].method, "GET") == 0;
            if (asked_by_lines || (asked[a].verb == DIGEST && is_followed_by_get(statuses[s])))
                continue;
            begin(&run);
            retry(&run, 4);
            let_fail(&run, asked[a].method, 1, statuses[s], NULL);
            ask(&run, asked[a].verb);
            bool looked_at = statuses[s] >= 500 && asked[a].verb == TAG && run.wire.puts;
            if (run.end != REGTAG_ERROR || run.wire.now != 0 ||
                (requests_of(&run, asked[a].method) != 1 && !looked_at && statuses[s] != 401))
                fail_msg("%s of %u, %u: %u requests, status %d", asked[a].method, asked[a].verb,
                         statuses[s], requests_of(&run, asked[a].method),
                         regtag_error(run.regtag, NULL));
            finish(&run);
        }
    }
}

static void what_is_no_http_is_not_tried_again(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        struct run run;
        begin(&run);
        retry(&run, 4);
        run.wire.manners.garbage = true;
        ask(&run, asked[a].verb);
        expect_end(&run, asked[a].verb == DELETE ? REGTAG_E_UNCERTAIN : REGTAG_E_PROTOCOL);
        assert_int_equal(run.wire.now, 0);
        finish(&run);
    }
}

static void a_refused_connection_is_tried_again(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        for (unsigned refused = 1; refused < 7; refused++) {
            struct run run;
            begin(&run);
            retry(&run, 4);
            run.wire.refused = refused;
            ask(&run, asked[a].verb);
            if (refused <= 4)
                expect_end(&run, REGTAG_OK);
            else if (asked[a].verb != DELETE) /* whose look may fail */
                expect_end(&run, REGTAG_E_NO_CONNECTION);
            finish(&run);
        }
    }
}

static const struct regtag_failure lasting_failure = {
    .status = REGTAG_E_NO_CONNECTION, .text = "there is no such host", .lasting = true};

static void a_failure_that_lasts_is_not_tried_again(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        struct run run;
        begin(&run);
        run.wire.failure = lasting_failure;
        retry(&run, 4);
        run.wire.refused = 100;
        ask(&run, asked[a].verb);
        expect_end(&run, REGTAG_E_NO_CONNECTION);
        assert_int_equal(run.wire.now, 0);
        finish(&run);
    }
}

static void a_failure_that_lasted_once_does_not_last_for_ever(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.failure = lasting_failure;
    run.config.keep = true;
    retry(&run, 4);
    run.wire.refused = 1;
    ask(&run, DIGEST);
    expect_end(&run, REGTAG_E_NO_CONNECTION);
    run.wire.manners.fail = 1;
    run.wire.manners.fail_status = 503;
    regtag_again(run.regtag, NULL);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

static void the_last_cause_is_named(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    retry(&run, 2);
    let_fail(&run, "GET", 3, 503, NULL);
    ask(&run, MANIFEST);
    expect_end(&run, REGTAG_E_SERVER_FAILED);
    expect_text(&run, "HTTP 503");
    finish(&run);

    begin(&run);
    retry(&run, 2);
    let_fail(&run, "GET", 3, 429, NULL);
    ask(&run, MANIFEST);
    expect_end(&run, REGTAG_E_SLOW_DOWN);
    finish(&run);
}

static void every_attempt_is_told(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 3;
    take_notes(&run, false);
    let_fail(&run, "GET", 2, 503, NULL);
    ask(&run, TAG);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(count_of(run.notes, "-attempt 1 of 4 failed: "), 1);
    assert_int_equal(count_of(run.notes, "-attempt 2 of 4 failed: "), 1);
    assert_int_equal(count_of(run.notes, "-attempt "), 2);
    finish(&run);
}

/* Each name begins anew. */
static void one_name_does_not_use_up_the_retries_of_the_next(void **state)
{
    static const char *const names[] = {"x", "y", "z"};
    struct run run;
    (void)state;
    begin(&run);
    retry(&run, 1);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 3), REGTAG_OK);
    let_fail(&run, "PUT", 3, 503, NULL);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, 3);
    assert_int_equal(run.wire.puts, 6);
    finish(&run);
}

/* A 503 that comes to the HEAD behind the GET is one like any other. */
static void a_look_that_has_followed_is_tried_again_where_a_guard_needs_it(void **state)
{
    static const unsigned statuses[] = {0, 408, 429, 500, 502, 503, 504};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned times = 1; times < 4; times++) {
            struct run run;
            const char *expected[] = {digest_of_old()};
            begin(&run);
            run.config.expected = expected;
            run.config.expected_count = 1;
            retry(&run, 3);
            let_fail(&run, "HEAD", times, statuses[s], NULL);
            tag_one(&run);
            if (run.end != REGTAG_DONE)
                fail_msg("%u times %u: status %d", times, statuses[s], regtag_error(run.regtag, NULL));
            expect_outcome(&run, REGTAG_TAG_MOVED);
            finish(&run);
        }
    }
}

static void a_look_that_is_weighed_is_tried_again(void **state)
{
    static const unsigned statuses[] = {0, 429, 503};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned times = 1; times < 6; times++) {
            struct run run;
            const char *expected[] = {digest_of_old()};
            begin(&run);
            run.config.expected = expected;
            run.config.expected_count = 1;
            retry(&run, 3);
            run.wire.manners.no_head_digest = true;
            run.wire.manners.close_after_each = true; /* no connection has been used before */
            let_fail(&run, "GET", times, statuses[s], NULL);
            run.wire.manners.fail_after = 1;
            tag_one(&run);
            if (times <= 3)
                expect_end(&run, REGTAG_OK);
            else
                expect_end(&run, statuses[s] == 0     ? REGTAG_E_NO_CONNECTION
                                 : statuses[s] == 429 ? REGTAG_E_SLOW_DOWN
                                                      : REGTAG_E_SERVER_FAILED);
            finish(&run);
        }
    }
}

static void a_page_of_which_tags_were_handed_out_is_not_asked_for_again(void **state)
{
    (void)state;
    for (unsigned orderly = 0; orderly < 2; orderly++) {
        bool hit = true, went_on = false, gave_up = false;
        for (uint64_t at = 0; hit; at++) {
            struct run run;
            begin(&run);
            for (size_t i = 2; i < 20; i++) {
                char name[16];
                snprintf(name, sizeof name, "t%zu", i);
                wire_push(&run.wire, name, OCI, OLD, sizeof OLD - 1);
            }
            run.wire.manners.page = 7;
            run.wire.fault = (struct wire_fault){true, false, at, orderly, false};
            run.wire.step = (size_t)(1 + at % 7);
            retry(&run, 2);
            ask(&run, LIST);
            for (size_t i = 0; i < run.listed; i++)
                assert_string_equal(run.name[i], run.wire.tags[i].name);
            if (run.end == REGTAG_DONE)
                assert_int_equal(run.listed, 20);
            /* It has ended in a page of which a tag has been handed out, at the first try. */
            else if (!orderly && (run.listed == 0 || run.wire.requests != (run.listed - 1) / 7 + 1))
                fail_msg("a fault at byte %llu is not got over: %d", (unsigned long long)at,
                         regtag_error(run.regtag, NULL));
            hit = !run.wire.fault.armed;
            went_on = went_on || (hit && run.end == REGTAG_DONE && run.wire.now > 0);
            gave_up = gave_up || run.end == REGTAG_ERROR;
            finish(&run);
        }
        assert_true(gave_up);
        assert_true(went_on);
    }
}

/* ---- After how long -------------------------------------------------------------------------- */

/* How long it was before each request, from the one before. */
static uint64_t gap(const struct run *run, unsigned request)
{
    return run->wire.asked_at[request] - run->wire.asked_at[request - 1];
}

static void waits_double_up_to_half_a_minute(void **state)
{
    static const uint64_t longest[] = {250,   500,   1000,  2000,  4000,  8000,
                                       16000, 30000, 30000, 30000, 30000, 30000};
    static const uint32_t numbers[] = {0, 1u << 31, UINT32_MAX, 12345678};
    (void)state;
    for (size_t n = 0; n <= COUNT(numbers); n++) {
        struct run run;
        uint32_t number = n < COUNT(numbers) ? numbers[n] : UINT32_MAX;
        begin(&run);
        if (n < COUNT(numbers))
            run.config.random = (struct regtag_random){.context = &number, .bytes = given_bytes};
        run.config.timeout = 1000000;
        retry(&run, COUNT(longest));
        let_fail(&run, "HEAD", COUNT(longest), 503, NULL);
        ask(&run, DIGEST);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.requests, COUNT(longest) + 1);
        for (unsigned i = 0; i < COUNT(longest); i++) {
            uint64_t share = longest[i] * number / UINT32_MAX; /* of the whole, to a millisecond */
            if (gap(&run, i + 1) > longest[i] || gap(&run, i + 1) + 1 < share ||
                gap(&run, i + 1) > share)
                fail_msg("wait %u is %llu ms, not %llu", i + 1, (unsigned long long)gap(&run, i + 1),
                         (unsigned long long)share);
        }
        finish(&run);
    }
}

static void without_chance_waits_are_as_long_as_may_be(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.random.bytes = no_bytes;
    retry(&run, 1);
    let_fail(&run, "HEAD", 1, 503, NULL);
    ask(&run, DIGEST);
    expect_end(&run, REGTAG_OK);
    assert_true(run.wire.now >= 249 && run.wire.now <= 250);
    finish(&run);
}

static void a_look_behind_a_failed_upload_does_not_begin_the_waits_anew(void **state)
{
    (void)state;
    for (unsigned verb = TAG; verb <= DELETE; verb++) {
        struct run run;
        begin(&run);
        retry(&run, 4);
        let_fail(&run, verb == TAG ? "PUT" : "DELETE", 4, 503, NULL);
        ask(&run, verb);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.uploads, 1);
        /* 250 + 500 + 1000 + 2000, each to a millisecond */
        if (run.wire.now < 3746 || run.wire.now > 3750)
            fail_msg("it took %llu ms", (unsigned long long)run.wire.now);
        finish(&run);
    }
}

static void retry_after_is_the_least_to_wait(void **state)
{
    static const struct {
        const char *fields;
        uint64_t least, most;
    } cases[] = {
        {"Retry-After: 7\r\n", 7000, 7000},
        {"Retry-After: 0\r\n", 249, 250},
        {"retry-after:  12 \r\n", 12000, 12000},
        {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nDate: Fri, 31 Dec 1999 23:59:50 GMT\r\n", 9000,
         9000},
        {"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nRetry-After: Thu, 01 Jan 1970 00:00:31 GMT\r\n", 31000,
         31000},
        {"Retry-After: Fri, 31 Dec 1999 23:59:50 GMT\r\nDate: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 249,
         250},
        {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 249, 250},
        {"Retry-After: soon\r\n", 249, 250},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t a = 0; a < COUNT(asked); a++) {
            struct run run;
            begin(&run);
            retry(&run, 1);
            let_fail(&run, asked[a].method, 1, a % 2 ? 503 : 429, cases[i].fields);
            run.wire.manners.chunked = i % 2;
            ask(&run, asked[a].verb);
            expect_end(&run, REGTAG_OK);
            if (run.wire.now < cases[i].least || run.wire.now > cases[i].most)
                fail_msg("%s of %u, %s: %llu ms", asked[a].method, asked[a].verb, cases[i].fields,
                         (unsigned long long)run.wire.now);
            finish(&run);
        }
    }
}

static void nothing_is_waited_for_beyond_the_deadline(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } cases[] = {{429, REGTAG_E_SLOW_DOWN}, {503, REGTAG_E_SERVER_FAILED}, {0, REGTAG_E_NO_CONNECTION}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t a = 0; a < COUNT(asked); a++) {
            struct run run;
            begin(&run);
            retry(&run, 1000);
            let_fail(&run, asked[a].method, 10000, cases[i].http, NULL);
            run.wire.manners.close_after_each = true;
            ask(&run, asked[a].verb);
            bool sent = cases[i].http == 0 && (run.wire.puts || run.wire.deletes);
            expect_end(&run, sent ? REGTAG_E_UNCERTAIN : cases[i].status);
            if (run.wire.now > TIMEOUT)
                fail_msg("it took %llu ms", (unsigned long long)run.wire.now);
            assert_true(run.wire.now > TIMEOUT / 4); /* and it was tried for a while */
            finish(&run);
        }
    }
}

static void a_wait_that_would_end_behind_the_deadline_is_not_begun(void **state)
{
    static const struct {
        const char *fields;
        bool waited;
    } cases[] = {{"Retry-After: 59\r\n", true},
                 {"Retry-After: 60\r\n", false},
                 {"Retry-After: 61\r\n", false},
                 {"Retry-After: 99999999999999999999\r\n", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t a = 0; a < COUNT(asked); a++) {
            struct run run;
            begin(&run);
            retry(&run, 4);
            let_fail(&run, asked[a].method, 1, 429, cases[i].fields);
            ask(&run, asked[a].verb);
            expect_end(&run, cases[i].waited ? REGTAG_OK : REGTAG_E_SLOW_DOWN);
            assert_int_equal(run.wire.now, cases[i].waited ? 59000 : 0);
            finish(&run);
        }
    }
}

/* The registry: it answers 429 with Retry-After, resets every second connection, and comes back. */
static void a_registry_that_comes_back_is_waited_for(void **state)
{
    (void)state;
    for (unsigned down = 1; down < 8; down++) {
        struct run run;
        begin(&run);
        run.config.stall = 5000;
        retry(&run, 8);
        let_fail(&run, "PUT", down, down % 2 ? 429 : 0, "Retry-After: 3\r\n");
        run.wire.manners.close_silently = down % 3 == 0;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_truth(&run, "back");
        expect_outcome(&run, REGTAG_TAG_MOVED);
        finish(&run);
    }
}

/* ---- Stalls ---------------------------------------------------------------------------------- */

static void a_stall_ends_the_attempt_and_not_the_run(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(asked); a++) {
        struct run run;
        begin(&run);
        run.config.stall = 4000;
        retry(&run, 2);
        run.wire.manners.delay = 10 * TIMEOUT;
        if (asked[a].verb == TAG)
            assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", one_name, 1), REGTAG_OK);
        else if (asked[a].verb == LIST)
            assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
        else
            assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        while (step(&run))
            if (run.wire.connections == 2)
                run.wire.manners.delay = 0;
        expect_end(&run, REGTAG_OK);
        assert_true(run.wire.now >= 4000 && run.wire.now <= 4250);
        finish(&run);
    }
}

static void every_attempt_that_stalls_is_a_timeout(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.stall = 4000;
    retry(&run, 2);
    run.wire.manners.delay = 10 * TIMEOUT;
    ask(&run, MANIFEST);
    expect_end(&run, REGTAG_E_TIMEOUT);
    expect_text(&run, "stall");
    expect_text(&run, "4 s");
    assert_int_equal(run.wire.requests, 3);
    assert_true(run.wire.now >= 3 * 4000 + 748 && run.wire.now <= 3 * 4000 + 750);
    finish(&run);
}

static void a_connection_that_does_not_come_up_stalls_too(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.stall = 4000;
    retry(&run, 1);
    run.wire.connecting = WIRE_NEVER;
    ask(&run, MANIFEST);
    expect_end(&run, REGTAG_E_NO_CONNECTION);
    assert_true(run.wire.now >= 8249 && run.wire.now <= 8250);
    assert_int_equal(run.wire.connections, 2);
    finish(&run);
}

static void slow_is_no_stall(void **state)
{
    (void)state;
    for (uint64_t pace = 1; pace < 4; pace++) {
        struct run run;
        begin(&run);
        run.config.stall = 30;
        run.config.timeout = 10000000;
        retry(&run, 0);
        run.wire.manners.pace = pace == 3 ? 31 : 15 * pace - 1; /* 14, 29; 31 is too slow */
        ask(&run, MANIFEST);
        expect_end(&run, pace == 3 ? REGTAG_E_TIMEOUT : REGTAG_OK);
        finish(&run);
    }
}

static void without_a_stall_only_the_deadline_ends_it(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    retry(&run, 2);
    run.wire.manners.delay = 10 * TIMEOUT;
    ask(&run, MANIFEST);
    expect_end(&run, REGTAG_E_TIMEOUT);
    assert_int_equal(run.wire.now, TIMEOUT);
    finish(&run);
}

static void an_upload_that_stalls_is_looked_at(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.stall = 4000;
    retry(&run, 0);
    run.wire.manners.put_unanswered = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_int_equal(run.wire.now, 4000);
    finish(&run);
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

#define TOKEN_TAG "GET token?service=s&scope=repository%3Aa%3Apull%2Cpush\n"
#define TOKEN_PULL "GET token?service=s&scope=repository%3Aa%3Apull\n"

static void tokens(struct run *run, const char *says)
{
    run->wire.manners.realm = "http://127.0.0.1/token";
    run->wire.manners.token_says = says;
    begin_again(run);
}

static void tokens_for_guarded(struct run *run, const char *says)
{
    static const char *const absent[] = {"absent"};
    run->config.expected =
        absent; /* so that the second name is looked up behind the first one's upload */
    run->config.expected_count = 1;
    tokens(run, says);
}

/* Time passes for the program while it is told of the first name. */
static void tag_two_with_a_break(struct run *run, uint64_t pause)
{
    static const char *const names[] = {"x", "y"};
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, 2), REGTAG_OK);
    while (step(run))
        if (run->end == REGTAG_UPLOAD && run->uploads == 1) {
            run->wire.manners.close_after_each = true; /* so that no HEAD follows that is answered */
            run->wire.now += pause;
        }
}

static void a_token_is_renewed_before_it_expires(void **state)
{
    static const struct {
        const char *says;
        uint64_t good; /* milliseconds: nine tenths of it */
    } cases[] = {
        {"", 54000}, /* Docker: 60 seconds where nothing is said */
        {",\"expires_in\":100", 90000},
        {",\"expires_in\":1", 900},
        {",\"expires_in\":\"100\"", 54000},
        {",\"expires_in\":null", 54000},
        {",\"expires_in\":-5", 54000},
        {",\"expires_in\":0", 54000},
        {",\"x\":{\"expires_in\":5}", 54000},
        {",\"expires_in\":3600,\"issued_at\":\"2020-01-01T00:00:00Z\"", 3240000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned expired = 0; expired < 2; expired++) {
            struct run run;
            begin(&run);
            run.config.timeout = 100 * 3600 * 1000u;
            tokens_for_guarded(&run, cases[i].says);
            tag_two_with_a_break(&run, cases[i].good - !expired);
            expect_end(&run, REGTAG_OK);
            if (run.wire.tokens != 1 + expired)
                fail_msg("%s: %u tokens", cases[i].says, run.wire.tokens);
            finish(&run);
        }
    }
}

static void a_huge_expiry_is_no_short_one(void **state)
{
    static const char *const huge[] = {",\"expires_in\":4294967295", ",\"expires_in\":4294967296",
                                       ",\"expires_in\":99999999999999999999999999",
                                       ",\"expires_in\":18446744073709551616"};
    (void)state;
    for (size_t i = 0; i < COUNT(huge); i++) {
        struct run run;
        begin(&run);
        run.config.timeout = UINT64_MAX;
        tokens_for_guarded(&run, huge[i]);
        tag_two_with_a_break(&run, 3600u * 1000);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.tokens, 1);
        finish(&run);
    }
}

static void a_token_that_has_expired_unnoticed_is_renewed_upon_the_401(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.timeout = 10000000;
    tokens(&run, ",\"expires_in\":3600");
    run.wire.manners.token_life = 1000;
    tag_two_with_a_break(&run, 2000);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.tokens, 2);
    finish(&run);
}

/* It is asked for once, not for ever; what the registry then says counts. */
static void a_token_that_is_not_renewed_is_told(void **state)
{
    (void)state;
    for (unsigned refused = 0; refused < 2; refused++) {
        struct run run;
        begin(&run);
        run.config.timeout = 10000000;
        tokens(&run, ",\"expires_in\":10");
        run.wire.manners.token_life = 10000;
        assert_int_equal(
            regtag_tag(run.regtag, "localhost/a:base", (const char *const[]){"x", "y", "z"}, 3),
            REGTAG_OK);
        while (step(&run))
            if (run.end == REGTAG_SETTLED && run.settled == 1) {
                run.wire.manners.tokens_max = refused ? 1 : 0;
                run.wire.now += 20000;
            }
        expect_end(&run, refused ? REGTAG_E_DENIED : REGTAG_OK);
        assert_int_equal(run.settled, 3);
        assert_int_equal(run.wire.tokens, refused ? 1 : 2);
        assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
        assert_int_equal(run.outcome[1], refused ? REGTAG_TAG_FAILED : REGTAG_TAG_CREATED);
        assert_int_equal(run.outcome[2], refused ? REGTAG_TAG_FAILED : REGTAG_TAG_CREATED);
        assert_true(run.wire.requests < 20);
        finish(&run);
    }
}

#define EMPTY "Content-Length: 0\r\n\r\n"

/* The registry wants to be left alone for longer than the token is good. It had just been made for this request. */
static void a_token_that_expires_in_a_pause_is_renewed(void **state)
{
    (void)state;
    for (unsigned impatient = 0; impatient < 2; impatient++) {
        struct run run;
        begin(&run);
        run.config.timeout = 400000;
        run.impatient = impatient;
        tokens(&run, "");
        run.wire.manners.token_life = 60000;
        run.wire.quirk[0] = (struct wire_quirk){
            .request = "HEAD new", .instead = "HTTP/1.1 429 Slow down\r\nRetry-After: 150\r\n" EMPTY};
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_SET);
        assert_int_equal(run.wire.tokens, 2);
        assert_int_equal(run.wire.rushed, 0);
        finish(&run);
    }
}

/* It expires while the registry is not to be asked: one that is got then may be too old, too, when it is needed. */
static void a_token_is_not_renewed_in_a_pause(void **state)
{
    (void)state;
    for (unsigned impatient = 0; impatient < 2; impatient++) {
        struct run run;
        begin(&run);
        run.config.timeout = 400000;
        run.config.keep = true;
        run.impatient = impatient;
        tokens(&run, "");
        run.wire.manners.token_life = 60000;
        run.wire.quirk[0] =
            (struct wire_quirk){.request = "HEAD base",
                                .after = 1,
                                .instead = "HTTP/1.1 429 Slow down\r\nRetry-After: 150\r\n" EMPTY};
        ask(&run, DIGEST);
        expect_end(&run, REGTAG_E_SLOW_DOWN);
        regtag_again(run.regtag, NULL);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.tokens, 2);
        assert_int_equal(run.wire.rushed, 0);
        finish(&run);
    }
}

#define MANY 20

static void tag_many(struct run *run)
{
    static char text[MANY][8];
    const char *names[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof text[i], "n%u", i);
        names[i] = text[i];
    }
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, MANY), REGTAG_OK);
    run_on(run);
}

/* Each is good for a few requests only; some have to wait behind others with the one that was made for them. */
static void a_token_that_others_have_used_up_is_renewed(void **state)
{
    (void)state;
    for (unsigned uses = 3; uses <= 8; uses++) {
        for (uint64_t seed = 1; seed <= 40; seed++) {
            struct run run;
            begin(&run);
            run.wire.seed = seed;
            tokens(&run, "");
            run.wire.manners.token_uses = uses;
            tag_many(&run);
            if (run.end != REGTAG_DONE)
                fail_msg("%u uses, seed %llu", uses, (unsigned long long)seed);
            finish(&run);
        }
    }
}

/* The tokens are good for all others. */
static void what_no_token_allows_is_not_tried_for_ever(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct run run;
        begin(&run);
        run.wire.seed = seed;
        tokens(&run, "");
        let_fail(&run, "PUT", UINT32_MAX, 401,
                 "WWW-Authenticate: Bearer realm=\"http://127.0.0.1/token\",service=\"s\"\r\n");
        tag_many(&run);
        expect_end(&run, REGTAG_E_DENIED);
        assert_int_equal(run.settled, MANY);
        assert_true(run.wire.tokens <= 1 + 2 * MANY);
        finish(&run);
    }
}

static void a_token_is_not_renewed_for_nothing(void **state)
{
    (void)state;
    for (unsigned verb = TAG; verb <= DELETE; verb++) {
        struct run run;
        begin(&run);
        run.config.timeout = 10000000;
        tokens(&run, ",\"expires_in\":10");
        if (verb == TAG)
            assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", one_name, 1), REGTAG_OK);
        else
            assert_int_equal(regtag_delete(run.regtag, "localhost/a:new"), REGTAG_OK);
        while (step(&run))
            if (run.end == REGTAG_SETTLED)
                run.wire.now += 20000;
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.tokens, 1);
        finish(&run);
    }
}

static void a_token_server_is_tried_again(void **state)
{
    static const unsigned statuses[] = {0, 429, 500, 503};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned times = 1; times < 5; times++) {
            struct run run;
            begin(&run);
            run.config.retries = 3;
            tokens(&run, "");
            let_fail(&run, "GET", times, statuses[s], NULL);
            run.wire.manners.fail_after = 1; /* the GET that is challenged */
            ask(&run, MANIFEST);
            if ((run.end == REGTAG_DONE) != (times <= 3))
                fail_msg("%u times %u: status %d", times, statuses[s], regtag_error(run.regtag, NULL));
            assert_int_equal(run.wire.tokens, times <= 3);
            finish(&run);
        }
    }
}

/* ---- Asking again ---------------------------------------------------------------------------- */

static void keep(struct run *run)
{
    run->config.keep = true;
    begin_again(run);
    assert_int_equal(regtag_digest(run->regtag, "localhost/a:new"), REGTAG_OK);
    run_on(run);
}

static void ask_again(struct run *run, const char *known)
{
    run->wire.now += 600000;
    regtag_again(run->regtag, known);
    run_on(run);
}

static void the_same_is_asked_again_over_the_same_connection(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    for (unsigned i = 0; i < 100; i++) {
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_old());
        ask_again(&run, NULL);
    }
    wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
    ask_again(&run, NULL);
    assert_string_equal(run.digest, digest_of_new());
    assert_int_equal(run.wire.connections, 1);
    assert_int_equal(run.wire.requests, 102);
    assert_true(run.wire.line[0].open);
    assert_null(strstr(run.wire.log.data, "If-None-Match"));
    finish(&run);
}

static void without_keep_the_connection_is_closed(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
    run_on(&run);
    assert_false(run.wire.line[0].open);
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.connections, 2);
    finish(&run);
}

static void what_is_known_need_not_be_repeated(void **state)
{
    (void)state;
    for (unsigned conditional = 0; conditional < 2; conditional++) {
        struct run run;
        char expected[80];
        begin(&run);
        run.wire.manners.conditional = conditional;
        take_notes(&run, true);
        keep(&run);
        ask_again(&run, run.digest);
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_old());
        snprintf(expected, sizeof expected, "\"%s\"", digest_of_old());
        assert_string_equal(run.wire.condition, expected);
        assert_int_equal(count_of(run.notes, "<HTTP/1.1 304 "), conditional);
        wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
        ask_again(&run, digest_of_old());
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_new());
        ask_again(&run, NULL);
        assert_string_equal(run.wire.condition, "");
        assert_string_equal(run.digest, digest_of_new());
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

static void what_is_no_digest_is_not_asked_with(void **state)
{
    static const char *const known[] = {
        NULL,        "",
        "x",         "absent",
        "sha256:00", "sha256:0000000000000000000000000000000000000000000000000000000000000000\r\nX: y"};
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        struct run run;
        begin(&run);
        keep(&run);
        ask_again(&run, known[i]);
        expect_end(&run, REGTAG_OK);
        assert_null(strstr(run.wire.log.data, "If-None-Match"));
        finish(&run);
    }
}

static void a_304_to_what_was_not_asked_is_no_answer(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.head_status = 304;
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_PROTOCOL);
    finish(&run);
}

static void an_error_is_not_the_end_of_asking(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    wire_delete(&run.wire, "new");
    ask_again(&run, digest_of_old());
    expect_end(&run, REGTAG_E_NOT_FOUND);
    ask_again(&run, digest_of_old());
    expect_end(&run, REGTAG_E_NOT_FOUND);
    wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
    ask_again(&run, digest_of_old());
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    assert_int_equal(run.wire.connections, 1);

    run.wire.manners.garbage = true;
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_E_PROTOCOL);
    run.wire.manners.garbage = false;
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_OK);

    run.wire.manners.head_unanswered = true;
    uint64_t before = run.wire.now + 600000;
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_E_TIMEOUT);
    assert_int_equal(run.wire.now - before, TIMEOUT);
    run.wire.manners.head_unanswered = false;
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_OK);

    run.wire.refused = 1;
    run.wire.line[0].ended = true; /* the server has closed meanwhile */
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_E_NO_CONNECTION);
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    finish(&run);
}

static void a_connection_that_was_closed_meanwhile_is_opened_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    run.wire.manners.close_silently = true;
    for (unsigned i = 0; i < 5; i++) {
        ask_again(&run, NULL);
        expect_end(&run, REGTAG_OK);
    }
    assert_int_equal(run.wire.requests, 6);
    finish(&run);
}

static void a_token_is_kept_until_it_expires(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    tokens(&run, ",\"expires_in\":3600");
    run.wire.manners.token_life = 3600 * 1000;
    keep(&run);
    for (unsigned i = 0; i < 20; i++) { /* ten minutes each; renewed behind the fifth */
        ask_again(&run, NULL);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.tokens, 1 + (i + 1) / 6);
    }
    /* There was no 401 but the first. */
    assert_int_equal(run.wire.requests, 21 + 1 + run.wire.tokens);
    finish(&run);
}

static void a_token_that_is_not_to_be_had_is_asked_for_the_next_time(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    tokens(&run, ",\"expires_in\":60");
    run.wire.manners.token_life = 60000;
    keep(&run);
    run.wire.manners.tokens_max = 1;
    for (unsigned i = 0; i < 3; i++) {
        ask_again(&run, NULL);
        expect_end(&run, REGTAG_E_DENIED);
    }
    run.wire.manners.tokens_max = 0;
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_old());
    finish(&run);
}

static void where_head_does_not_tell_get_is_asked_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.no_head_digest = true;
    run.wire.manners.no_digest = true;
    run.wire.manners.conditional = true;
    keep(&run);
    expect_end(&run, REGTAG_OK);
    run.wire.manners.conditional = false;
    ask_again(&run, digest_of_old());
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_old());
    wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
    ask_again(&run, digest_of_old());
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    finish(&run);
}

/* What is left of an answer that was refused must not be taken for the next one. */
static void the_rest_of_a_refused_answer_is_not_the_next_one(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct run run;
        begin(&run);
        run.wire.manners.head_status = 405; /* so that it is got */
        run.wire.seed = seed;
        run.wire.step = seed % 5 == 0 ? 100 : 0;
        wire_push(&run.wire, "new", "text/html", OLD, sizeof OLD - 1);
        keep(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
        ask_again(&run, NULL);
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_new());
        finish(&run);
    }
}

/* ---- When to ask again ----------------------------------------------------------------------- */

static uint64_t pause_after(struct run *run, const char *fields)
{
    run->wire.manners.fields = fields;
    ask_again(run, NULL);
    return regtag_pause(run->regtag);
}

static void the_registry_says_when_to_ask_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    assert_int_equal(regtag_pause(run.regtag), 0);
    assert_int_equal(pause_after(&run, "Retry-After: 30\r\n"), 30000);
    assert_int_equal(pause_after(&run, NULL), 0);
    assert_int_equal(pause_after(&run, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
                                       "Date: Fri, 31 Dec 1999 23:59:49 GMT\r\n"),
                     10000);
    finish(&run);
}

/* If it gets less twice in a row, requests count. */
static void what_is_left_of_a_rate_is_made_to_last(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 99;w=1000\r\n"), 0);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 99;w=1000\r\n"), 0);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 98;w=1000\r\n"), 1000000 / 99);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 1;w=1000\r\n"), 500000);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 0;w=1000\r\n"), 1000000);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 0;w=1000\r\n"), 0); /* it did not count */
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 100;w=1000\r\n"), 0);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 9;w=1000\r\nRetry-After: 5\r\n"), 100000);
    assert_int_equal(pause_after(&run, "RateLimit-Remaining: 8;w=9\r\nRetry-After: 5\r\n"), 5000);
    finish(&run);
}

/* Docker Hub's HEADs are; others behind the same address use up what is left. */
static void requests_that_are_free_need_no_pause(void **state)
{
    static const unsigned left[][12] = {{0}, {5, 0}, {2, 2, 2, 1, 1, 0, 0, 0, 100, 100, 100, 3}};
    (void)state;
    for (size_t l = 0; l < COUNT(left); l++) {
        struct run run;
        begin(&run);
        keep(&run);
        for (size_t i = 0; i < COUNT(left[l]); i++) {
            char fields[64];
            snprintf(fields, sizeof fields, "RateLimit-Remaining: %u;w=21600\r\n", left[l][i]);
            assert_int_equal(pause_after(&run, fields), 0);
        }
        finish(&run);
    }
}

static void the_limit_is_obeyed_once_a_request_is_refused(void **state)
{
    static const char none[] = "RateLimit-Remaining: 0;w=1000\r\n";
    (void)state;
    for (unsigned status = 429; status <= 503; status += 503 - 429) {
        struct run run;
        begin(&run);
        keep(&run);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(pause_after(&run, none), 0);
        let_fail(&run, "HEAD", 1, status, none);
        assert_int_equal(pause_after(&run, NULL), 1000000);
        assert_int_equal(pause_after(&run, "RateLimit-Remaining: 99;w=1000\r\n"), 0);
        assert_int_equal(pause_after(&run, "RateLimit-Remaining: 98;w=1000\r\n"), 1000000 / 99);
        finish(&run);
    }
}

static void is_told_to_wait(struct run *run)
{
    expect_end(run, REGTAG_E_SLOW_DOWN);
    assert_int_equal(regtag_pause(run->regtag), 1000);
}

/* The first query, too, and the first one of the next operation. */
static void who_polls_waits_for_as_long_as_the_registry_wants(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 1;
    let_fail(&run, "HEAD", 1, 429, "Retry-After: 1\r\n");
    keep(&run);
    is_told_to_wait(&run);
    let_fail(&run, "HEAD", 1, 429, "Retry-After: 1\r\n");
    ask_again(&run, NULL);
    is_told_to_wait(&run);
    let_fail(&run, "HEAD", 1, 429, "Retry-After: 1\r\n");
    assert_true(regtag_next(run.regtag, &run.config));
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
    run_on(&run);
    is_told_to_wait(&run);
    let_fail(&run, "HEAD", 1, 503, NULL);
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

static void a_429_says_so_too(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    let_fail(&run, "HEAD", 1, 429, "Retry-After: 77\r\n");
    ask_again(&run, NULL);
    expect_end(&run, REGTAG_E_SLOW_DOWN);
    assert_int_equal(regtag_pause(run.regtag), 77000);
    finish(&run);
}

/* A look that is not needed gets a quarter of the time; with 429, the upload would have to wait, too. */
static void a_look_does_not_wait_for_long(void **state)
{
    static const struct {
        const char *answer;
        uint64_t least, most;
        enum regtag_outcome outcome;
    } cases[] = {
        {"HTTP/1.1 503 Later\r\nRetry-After: 14\r\n" EMPTY, 14000, 14000, REGTAG_TAG_MOVED},
        {"HTTP/1.1 503 Later\r\nRetry-After: 15\r\n" EMPTY, 0, 0, REGTAG_TAG_SET},
        {"HTTP/1.1 429 Slow down\r\nRetry-After: 40\r\n" EMPTY, 40000, 40000, REGTAG_TAG_MOVED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        retry(&run, 3);
        run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD new", .instead = cases[i].answer};
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, cases[i].outcome);
        assert_in_range(run.wire.now, cases[i].least, cases[i].most);
        finish(&run);
    }
}

/* Of two answers that came together, the second one says less, or nothing. */
static void a_pause_is_not_cut_short(void **state)
{
    static const char *const names[] = {"x", "y"};
    static const char *const later[] = {"HTTP/1.1 429 Slow down\r\n" EMPTY,
                                        "HTTP/1.1 429 Slow down\r\nRetry-After: 2\r\n" EMPTY};
    (void)state;
    for (size_t i = 0; i < COUNT(later); i++) {
        struct run run;
        begin(&run);
        retry(&run, 1);
        run.wire.quirk[0] =
            (struct wire_quirk){.request = "PUT x",
                                .delay = 10, /* so that both are in flight */
                                .instead = "HTTP/1.1 429 Slow down\r\nRetry-After: 30\r\n" EMPTY};
        run.wire.quirk[1] = (struct wire_quirk){.request = "PUT y", .instead = later[i]};
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.requests, 9);
        for (unsigned at = 5; at < 9; at++)
            assert_true(run.wire.asked_at[at] >= 30000);
        finish(&run);
    }
}

/* It goes on for longer than there is time: nothing is sent. */
static void a_pause_may_outlast_the_next_operation(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    let_fail(&run, "HEAD", 1, 429, "Retry-After: 40\r\n");
    keep(&run);
    expect_end(&run, REGTAG_E_SLOW_DOWN);
    run.config.timeout = 10000;
    assert_true(regtag_next(run.regtag, &run.config));
    for (unsigned at = 0; at <= 40; at += 10) {
        unsigned before = run.wire.requests;
        uint64_t now = run.wire.now;
        if (at)
            regtag_again(run.regtag, NULL);
        else
            assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, at < 40 ? REGTAG_E_SLOW_DOWN : REGTAG_OK);
        assert_int_equal(run.wire.requests, before + (at == 40));
        assert_int_equal(run.wire.now, now);
        assert_int_equal(regtag_pause(run.regtag), 40000 - at * 1000);
        run.wire.now += 10000;
    }
    finish(&run);
}

/* What the registry has said is not forgotten when it leads to another server, which may ask for more. */
static void a_pause_outlasts_a_redirect(void **state)
{
    static const struct {
        const char *fields;
        uint64_t pause;
    } cases[] = {{NULL, 30000}, {"Retry-After: 20\r\n", 30000}, {"Retry-After: 50\r\n", 50000}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        keep(&run);
        run.wire.quirk[0] = (struct wire_quirk){
            .request = "HEAD new",
            .instead = "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:9000/v2/a/manifests/new\r\n"
                       "Retry-After: 30\r\n" EMPTY};
        assert_int_equal(pause_after(&run, cases[i].fields), cases[i].pause);
        expect_end(&run, REGTAG_OK);
        finish(&run);
    }
}

/* Of an answer that is cut short because it is long, nothing is left on the connection. */
static void behind_a_long_error_there_is_another_attempt(void **state)
{
    static char answer[80000];
    struct run run;
    (void)state;
    int used = snprintf(answer, sizeof answer, "HTTP/1.1 503 Later\r\nContent-Length: 1000000\r\n\r\n");
    memset(answer + used, 'x', sizeof answer - 1 - (size_t)used);
    begin(&run);
    run.config.retries = 1;
    begin_again(&run);
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET base", .instead = answer};
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.connections, 2);
    assert_true(run.wire.now < TIMEOUT);
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_pass_is_tried_again_so_often),
        cmocka_unit_test(what_would_end_the_same_is_not_tried_again),
        cmocka_unit_test(what_is_no_http_is_not_tried_again),
        cmocka_unit_test(a_refused_connection_is_tried_again),
        cmocka_unit_test(a_failure_that_lasts_is_not_tried_again),
        cmocka_unit_test(a_failure_that_lasted_once_does_not_last_for_ever),
        cmocka_unit_test(the_last_cause_is_named),
        cmocka_unit_test(every_attempt_is_told),
        cmocka_unit_test(one_name_does_not_use_up_the_retries_of_the_next),
        cmocka_unit_test(a_look_that_has_followed_is_tried_again_where_a_guard_needs_it),
        cmocka_unit_test(a_look_that_is_weighed_is_tried_again),
        cmocka_unit_test(a_page_of_which_tags_were_handed_out_is_not_asked_for_again),
        cmocka_unit_test(waits_double_up_to_half_a_minute),
        cmocka_unit_test(without_chance_waits_are_as_long_as_may_be),
        cmocka_unit_test(a_look_behind_a_failed_upload_does_not_begin_the_waits_anew),
        cmocka_unit_test(retry_after_is_the_least_to_wait),
        cmocka_unit_test(nothing_is_waited_for_beyond_the_deadline),
        cmocka_unit_test(a_wait_that_would_end_behind_the_deadline_is_not_begun),
        cmocka_unit_test(a_registry_that_comes_back_is_waited_for),
        cmocka_unit_test(a_stall_ends_the_attempt_and_not_the_run),
        cmocka_unit_test(every_attempt_that_stalls_is_a_timeout),
        cmocka_unit_test(a_connection_that_does_not_come_up_stalls_too),
        cmocka_unit_test(slow_is_no_stall),
        cmocka_unit_test(without_a_stall_only_the_deadline_ends_it),
        cmocka_unit_test(an_upload_that_stalls_is_looked_at),
        cmocka_unit_test(a_token_is_renewed_before_it_expires),
        cmocka_unit_test(a_huge_expiry_is_no_short_one),
        cmocka_unit_test(a_token_that_has_expired_unnoticed_is_renewed_upon_the_401),
        cmocka_unit_test(a_token_that_is_not_renewed_is_told),
        cmocka_unit_test(a_token_that_expires_in_a_pause_is_renewed),
        cmocka_unit_test(a_token_is_not_renewed_in_a_pause),
        cmocka_unit_test(a_token_that_others_have_used_up_is_renewed),
        cmocka_unit_test(what_no_token_allows_is_not_tried_for_ever),
        cmocka_unit_test(a_token_is_not_renewed_for_nothing),
        cmocka_unit_test(a_token_server_is_tried_again),
        cmocka_unit_test(the_same_is_asked_again_over_the_same_connection),
        cmocka_unit_test(without_keep_the_connection_is_closed),
        cmocka_unit_test(what_is_known_need_not_be_repeated),
        cmocka_unit_test(what_is_no_digest_is_not_asked_with),
        cmocka_unit_test(a_304_to_what_was_not_asked_is_no_answer),
        cmocka_unit_test(an_error_is_not_the_end_of_asking),
        cmocka_unit_test(a_connection_that_was_closed_meanwhile_is_opened_again),
        cmocka_unit_test(a_token_is_kept_until_it_expires),
        cmocka_unit_test(a_token_that_is_not_to_be_had_is_asked_for_the_next_time),
        cmocka_unit_test(where_head_does_not_tell_get_is_asked_again),
        cmocka_unit_test(the_rest_of_a_refused_answer_is_not_the_next_one),
        cmocka_unit_test(the_registry_says_when_to_ask_again),
        cmocka_unit_test(what_is_left_of_a_rate_is_made_to_last),
        cmocka_unit_test(requests_that_are_free_need_no_pause),
        cmocka_unit_test(the_limit_is_obeyed_once_a_request_is_refused),
        cmocka_unit_test(who_polls_waits_for_as_long_as_the_registry_wants),
        cmocka_unit_test(a_429_says_so_too),
        cmocka_unit_test(a_look_does_not_wait_for_long),
        cmocka_unit_test(behind_a_long_error_there_is_another_attempt),
        cmocka_unit_test(a_pause_is_not_cut_short),
        cmocka_unit_test(a_pause_may_outlast_the_next_operation),
        cmocka_unit_test(a_pause_outlasts_a_redirect),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("retries", tests, NULL, NULL);
}
