/* Several tags by one request, where the registry knows that: PUT of the digest with ?tag=a&tag=b. */
#include "run.h"

static const char *const four[] = {"x", "new", "same", "y"};

/* A registry that sets so many tags at once, with "new" elsewhere and "same" where it should be. */
static void set_out(struct run *run, unsigned at_once)
{
    begin(run);
    wire_push(&run->wire, "same", OCI, NEW, sizeof NEW - 1);
    run->wire.manners.stranger = true;
    run->wire.manners.at_once = at_once;
}

static void tag_all(struct run *run, const char *const *names, size_t count)
{
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, count), REGTAG_OK);
    run_on(run);
}

/* Many names: t0, t1 ... */
#define MANY 100
static char texts[MANY][130];
static const char *many[MANY];

static void name_many(size_t length)
{
    for (size_t i = 0; i < MANY; i++) {
        memset(texts[i], 't', length);
        snprintf(texts[i] + length, sizeof texts[i] - length, "%zu", i);
        many[i] = texts[i];
    }
}

static void expect_four(const struct run *run)
{
    assert_int_equal(run->settled, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(run->name[i], four[i]);
    assert_int_equal(run->outcome[0], REGTAG_CREATED);
    assert_int_equal(run->outcome[1], REGTAG_MOVED);
    assert_string_equal(run->previous[1], digest_of_old());
    assert_int_equal(run->outcome[2], REGTAG_UNCHANGED);
    assert_int_equal(run->outcome[3], REGTAG_CREATED);
    for (size_t i = 0; i < 4; i++)
        assert_true(IS_NEW(run, four[i]));
}

/* ---- Where it is known ----------------------------------------------------------------------- */

static void several_tags_are_set_by_one_request(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct run run;
        char expected[512];
        set_out(&run, 32);
        run.wire.seed = seed;
        tag_all(&run, four, 4);
        expect_end(&run, REGTAG_OK);
        expect_four(&run);
        snprintf(expected, sizeof expected,
                 "GET base\nHEAD x\nHEAD new\nHEAD same\nHEAD y\nPUT %s?tag=x&tag=new&tag=y\n",
                 digest_of_new());
        expect_asked(&run, expected);
        assert_int_equal(run.wire.connections, 1);
        assert_int_equal(run.uploads, 3);
        finish(&run);
    }
}

static void each_is_announced_before_they_are_sent(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, 32);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", four, 4), REGTAG_OK);
    while (step(&run)) {
        const struct regtag_result *result = regtag_result(run.regtag);
        if (run.end != REGTAG_UPLOAD)
            continue;
        assert_int_equal(run.wire.puts, 0);
        assert_int_equal(result->outcome, REGTAG_PENDING);
        assert_string_equal(result->digest, digest_of_new());
        assert_string_equal(result->name, run.uploads == 1 ? "x" : run.uploads == 2 ? "new" : "y");
        assert_string_equal(result->previous, run.uploads == 2 ? digest_of_old() : "");
        assert_int_equal(result->absent, run.uploads != 2);
    }
    assert_int_equal(run.uploads, 3);
    finish(&run);
}

static void many_tags_take_few_requests(void **state)
{
    struct run run;
    (void)state;
    name_many(1);
    set_out(&run, 1000);
    tag_all(&run, many, MANY);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, MANY);
    assert_int_equal(run.wire.puts, (MANY + 31) / 32);
    assert_int_equal(run.wire.requests, 1 + MANY + (MANY + 31) / 32);
    for (size_t i = 0; i < MANY; i++) {
        assert_string_equal(run.name[i], many[i]);
        assert_int_equal(run.outcome[i], REGTAG_CREATED);
        assert_true(IS_NEW(&run, many[i]));
    }
    finish(&run);
}

static void names_of_any_length_fit_their_request(void **state)
{
    (void)state;
    for (size_t length = 1; length <= 126; length += 25) {
        struct run run;
        name_many(length);
        set_out(&run, 1000);
        tag_all(&run, many, MANY);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.settled, MANY);
        for (size_t i = 0; i < MANY; i++)
            assert_true(IS_NEW(&run, many[i]));
        assert_true(run.wire.puts < MANY / 2);
        for (const char *line = run.wire.log.data; (line = strstr(line, "PUT /")); line++)
            assert_true(strcspn(line, "\r") < 8192);
        finish(&run);
    }
}

static void a_name_given_twice_is_sent_once(void **state)
{
    static const char *const names[] = {"x", "y", "x", "x", "y"};
    struct run run;
    (void)state;
    set_out(&run, 32);
    tag_all(&run, names, 5);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, 2);
    assert_int_equal(run.wire.requests, 4);
    finish(&run);
}

static void two_tags_are_the_fewest(void **state)
{
    static const char *const names[] = {"new", "same"};
    struct run run;
    (void)state;
    set_out(&run, 32);
    tag_all(&run, names, 1);
    expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
    finish(&run);

    set_out(&run, 32); /* of two, one is unchanged */
    tag_all(&run, names, 2);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run, "GET base\nHEAD new\nHEAD same\nPUT new\n");
    assert_int_equal(run.outcome[0], REGTAG_MOVED);
    assert_int_equal(run.outcome[1], REGTAG_UNCHANGED);
    assert_int_equal(run.uploads, 1);
    finish(&run);
}

static void tags_set_together_are_read_back_one_by_one(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, 32);
    run.config.confirm = true;
    begin_again(&run);
    tag_all(&run, four, 4);
    expect_end(&run, REGTAG_OK);
    expect_four(&run);
    assert_int_equal(run.wire.puts, 1);
    assert_int_equal(run.wire.heads, 4 + 3);
    finish(&run);

    set_out(&run, 32);
    run.config.confirm = true;
    begin_again(&run);
    run.wire.rival = (struct wire_rival){7, "new", OCI, RIVAL};
    tag_all(&run, four, 4);
    expect_end(&run, REGTAG_NOT_CONFIRMED);
    assert_int_equal(run.outcome[1], REGTAG_NOT_SET);
    assert_int_equal(run.outcome[3], REGTAG_CREATED);
    finish(&run);
}

/* ---- Where it is not, or not quite ----------------------------------------------------------- */

static void not_to_know_it_costs_one_request(void **state)
{
    static const unsigned statuses[] = {0, 400, 404, 405, 406, 501};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct run run;
        name_many(1);
        set_out(&run, 0);
        run.wire.manners.fail_method = "PUT";
        run.wire.manners.fail = statuses[i] ? 1 : 0;
        run.wire.manners.fail_status = statuses[i];
        tag_all(&run, many, MANY);
        expect_end(&run, REGTAG_OK);
        for (size_t n = 0; n < MANY; n++)
            assert_int_equal(run.outcome[n], REGTAG_CREATED);
        /* A failure of the server's leaves a doubt, which is one look each. */
        if (statuses[i] < 500)
            assert_int_equal(run.wire.requests, 2 * MANY + 1 + 1);
        assert_int_equal(count_of(run.wire.asked.data, "?tag="), 1);
        finish(&run);
    }
}

static void distribution_is_not_asked_for_it(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, 32);
    run.wire.manners.stranger = false;
    tag_all(&run, four, 4);
    expect_end(&run, REGTAG_OK);
    expect_four(&run);
    assert_int_equal(count_of(run.wire.asked.data, "?tag="), 0);
    finish(&run);
}

static void tags_that_were_not_confirmed_go_one_by_one(void **state)
{
    (void)state;
    for (unsigned at_once = 1; at_once < 40; at_once += 3) {
        struct run run;
        name_many(1);
        set_out(&run, at_once);
        tag_all(&run, many, MANY);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.settled, MANY);
        for (size_t i = 0; i < MANY; i++) {
            assert_int_equal(run.outcome[i], REGTAG_CREATED);
            assert_true(IS_NEW(&run, many[i]));
        }
        assert_true(run.wire.requests <= 2 * MANY + 1 + 1);
        finish(&run);
    }
}

static void a_server_that_takes_less_at_once_gets_less(void **state)
{
    static const unsigned statuses[] = {414, 431};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned at_once = 1; at_once <= 32; at_once++) {
            struct run run;
            name_many(1);
            set_out(&run, at_once);
            run.wire.manners.too_long = statuses[s];
            tag_all(&run, many, MANY);
            expect_end(&run, REGTAG_OK);
            for (size_t i = 0; i < MANY; i++)
                assert_true(IS_NEW(&run, many[i]));
            assert_true(run.wire.requests <= 2 * MANY + 1 + 5);
            if (at_once >= 16) /* half of the first 32, which then went one by one */
                assert_true(run.wire.puts < MANY / 2);
            finish(&run);
        }
    }
}

static void guarded_tags_and_dry_runs_go_one_by_one(void **state)
{
    static const char *const expected[] = {"x=absent"};
    struct run run;
    (void)state;
    set_out(&run, 32);
    run.config.expected = expected;
    run.config.expected_count = 1;
    begin_again(&run);
    tag_all(&run, four, 4);
    expect_end(&run, REGTAG_OK);
    expect_four(&run);
    assert_int_equal(count_of(run.wire.asked.data, "?tag="), 0);
    finish(&run);

    set_out(&run, 32);
    run.config.dry_run = true;
    begin_again(&run);
    tag_all(&run, four, 4);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, 4);
    assert_int_equal(run.wire.puts, 0);
    assert_int_equal(run.uploads, 0);
    finish(&run);
}

static void what_is_confirmed_that_was_not_asked_for_means_nothing(void **state)
{
    static const char *const fields[] = {"OCI-Tag: z\r\n", "OCI-Tag: X\r\n", "OCI-Tag: \r\n",
                                         "OCI-Tag: x y\r\n", "OCI-Tags: x\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct run run;
        set_out(&run, 0);
        run.wire.manners.fields = fields[i];
        tag_all(&run, four, 4);
        expect_end(&run, REGTAG_OK);
        expect_four(&run);
        finish(&run);
    }
}

static void another_digest_behind_it_confirms_nothing(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, 32);
    run.wire.manners.claim_put = ZEROS;
    tag_all(&run, four, 4);
    expect_end(&run, REGTAG_NOT_CONFIRMED);
    assert_int_equal(run.outcome[0], REGTAG_NOT_SET);
    assert_int_equal(run.outcome[1], REGTAG_NOT_SET);
    assert_int_equal(run.outcome[2], REGTAG_UNCHANGED);
    finish(&run);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static void expect_each_is_told_truly(const struct run *run, const char *when)
{
    if (run->settled != 4)
        fail_msg("%s: %zu names are settled", when, run->settled);
    for (size_t i = 0; i < 4; i++) {
        bool is_new = IS_NEW(run, four[i]), good = is_good(run->outcome[i]);
        if (good != is_new && run->outcome[i] != REGTAG_MAYBE_SET && !(i == 2 && is_new))
            fail_msg("%s: %s is said to be %d, status %d", when, four[i], run->outcome[i],
                     run->status[i]);
        if (i == 2 && good && run->outcome[i] != REGTAG_UNCHANGED && run->outcome[i] != REGTAG_SET)
            fail_msg("%s: \"same\" is said to be %d", when, run->outcome[i]);
        if (run->outcome[i] == REGTAG_MOVED &&
            (i != 1 || strcmp(run->previous[i], digest_of_old()) != 0))
            fail_msg("%s: %s is said to have moved", when, four[i]);
        if (run->outcome[i] == REGTAG_CREATED && i != 0 && i != 3)
            fail_msg("%s: %s is said to be created", when, four[i]);
    }
    if (run->wire.now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)run->wire.now);
}

static void a_fault_at_any_byte_is_told_truly_of_each(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 5 * 2 * 2; choice++) {
        unsigned kind = choice % 5, at_once = choice / 5 % 2 ? 32 : 2, retries = choice / 10 * 2;
        bool writing = kind == 4, orderly = kind & 1, lasting = kind & 2, hit = true;
        for (uint64_t at = 0; hit; at++) {
            struct run run;
            char when[128];
            set_out(&run, at_once);
            run.config.retries = retries;
            begin_again(&run);
            run.wire.fault = (struct wire_fault){true, writing, at, orderly, lasting};
            run.wire.seed = at % 3;
            snprintf(when, sizeof when, "%s %s %s at byte %llu, %u at once, %u retries",
                     writing ? "writing" : "reading", orderly ? "ends" : "fails",
                     lasting ? "for good" : "once", (unsigned long long)at, at_once, retries);
            tag_all(&run, four, 4);
            expect_each_is_told_truly(&run, when);
            if (retries && !lasting && run.end != REGTAG_DONE)
                fail_msg("%s: it is not got over: %d", when, regtag_error(run.regtag, NULL));
            hit = !run.wire.fault.armed;
            finish(&run);
        }
    }
}

static void a_failure_at_any_request_is_told_truly_of_each(void **state)
{
    static const unsigned statuses[] = {0, 500, 503, 429, 403, 409, 413};
    (void)state;
    for (unsigned choice = 0; choice < 10 * 2 * 2 * 2 * COUNT(statuses); choice++) {
        unsigned after = choice % 10, retries = choice / 10 % 2 * 3, anyway = choice / 20 % 2;
        unsigned times = 1 + choice / 40 % 2, status = statuses[choice / 80];
        struct run run;
        char when[128];
        set_out(&run, choice % 3 ? 32 : 2);
        run.config.retries = retries;
        begin_again(&run);
        run.wire.manners.fail_after = after;
        run.wire.manners.fail = times;
        run.wire.manners.fail_status = status;
        run.wire.manners.stores_anyway = anyway && (status == 0 || (status >= 500 && times == 1));
        snprintf(when, sizeof when, "%u at %u, %u times, %u retries%s", status, after + 1, times,
                 retries, anyway ? ", done nevertheless" : "");
        tag_all(&run, four, 4);
        expect_each_is_told_truly(&run, when);
        finish(&run);
    }
}

static void an_unanswered_put_of_several_is_looked_at(void **state)
{
    (void)state;
    for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
        struct run run;
        set_out(&run, 32);
        run.wire.manners.put_unanswered = true;
        run.wire.manners.hang_up_unanswered = hang_up;
        tag_all(&run, four, 4);
        expect_end(&run, REGTAG_OK);
        expect_four(&run);
        assert_true(run.wire.now <= TIMEOUT);
        finish(&run);
    }
}

/* Other HEADs have been sent behind the one that is checked. */
static void a_get_between_heads_that_follow_each_other_disturbs_nothing(void **state)
{
    static const unsigned statuses[] = {400, 403, 404, 405, 406, 410, 415, 501};
    static const char *const names[] = {"new", "x", "other", "y"};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            struct run run;
            begin(&run);
            wire_push(&run.wire, "other", OCI, OLD, sizeof OLD - 1);
            run.wire.manners.stranger = true;
            run.wire.manners.at_once = COUNT(names);
            run.wire.manners.head_status = statuses[s];
            run.wire.seed = seed;
            assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
            run_on(&run);
            expect_end(&run, REGTAG_OK);
            for (size_t i = 0; i < COUNT(names); i++) {
                assert_true(IS_NEW(&run, names[i]));
                assert_int_equal(run.outcome[i],
                                 i % 2 || statuses[s] == 404 ? REGTAG_CREATED : REGTAG_MOVED);
            }
            assert_true(run.wire.connections <= 2);
            finish(&run);
        }
    }
}

static void nothing_is_set_together_behind_the_deadline(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, 32);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", four, 4), REGTAG_OK);
    while (step(&run))
        if (run.end == REGTAG_UPLOAD && run.uploads == 3)
            run.wire.now = 3 * TIMEOUT;
    expect_end(&run, REGTAG_TIMEOUT);
    assert_int_equal(run.wire.puts, 0);
    assert_int_equal(run.wire.now, 3 * TIMEOUT);
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_tags_are_set_by_one_request),
        cmocka_unit_test(each_is_announced_before_they_are_sent),
        cmocka_unit_test(many_tags_take_few_requests),
        cmocka_unit_test(names_of_any_length_fit_their_request),
        cmocka_unit_test(a_name_given_twice_is_sent_once),
        cmocka_unit_test(two_tags_are_the_fewest),
        cmocka_unit_test(tags_set_together_are_read_back_one_by_one),
        cmocka_unit_test(not_to_know_it_costs_one_request),
        cmocka_unit_test(distribution_is_not_asked_for_it),
        cmocka_unit_test(tags_that_were_not_confirmed_go_one_by_one),
        cmocka_unit_test(a_server_that_takes_less_at_once_gets_less),
        cmocka_unit_test(guarded_tags_and_dry_runs_go_one_by_one),
        cmocka_unit_test(what_is_confirmed_that_was_not_asked_for_means_nothing),
        cmocka_unit_test(another_digest_behind_it_confirms_nothing),
        cmocka_unit_test(a_fault_at_any_byte_is_told_truly_of_each),
        cmocka_unit_test(a_failure_at_any_request_is_told_truly_of_each),
        cmocka_unit_test(an_unanswered_put_of_several_is_looked_at),
        cmocka_unit_test(a_get_between_heads_that_follow_each_other_disturbs_nothing),
        cmocka_unit_test(nothing_is_set_together_behind_the_deadline),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("together", tests, NULL, NULL);
}
