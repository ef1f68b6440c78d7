/* Several names in one run: each gets what happened to it, whatever happens to the others. */
#include "run.h"

static const char *const four[] = {"x", "new", "same", "y"};

/* A registry with "new" elsewhere and "same" where it should be; of Docker's kin, or not. */
static void set_out(struct run *run, bool stranger)
{
    begin(run);
    wire_push(&run->wire, "same", OCI, NEW, sizeof NEW - 1);
    run->wire.manners.stranger = stranger;
}

static void tag_all(struct run *run, const char *const *names, size_t count)
{
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, count), REGTAG_OK);
    run_on(run);
}

static void expect_four(const struct run *run)
{
    assert_int_equal(run->settled, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(run->name[i], four[i]);
    assert_int_equal(run->outcome[0], REGTAG_TAG_CREATED);
    assert_int_equal(run->outcome[1], REGTAG_TAG_MOVED);
    assert_string_equal(run->previous[1], digest_of_old());
    assert_int_equal(run->outcome[2], REGTAG_TAG_UNCHANGED);
    assert_int_equal(run->outcome[3], REGTAG_TAG_CREATED);
    for (size_t i = 0; i < 4; i++)
        assert_true(IS_NEW(run, four[i]));
}

/* ---- How they are set ------------------------------------------------------------------------ */

static void each_name_takes_a_look_and_an_upload(void **state)
{
    (void)state;
    for (unsigned stranger = 0; stranger < 2; stranger++) {
        struct run run;
        set_out(&run, stranger);
        tag_all(&run, four, 4);
        expect_end(&run, REGTAG_OK);
        expect_four(&run);
        expect_asked(&run, "GET base\nHEAD x\nHEAD new\nHEAD same\nHEAD y\nPUT x\nPUT new\nPUT y\n");
        assert_int_equal(run.wire.connections, 1);
        assert_int_equal(run.uploads, 3);
        finish(&run);
    }
}

static void each_is_announced_with_its_past(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, true);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", four, 4), REGTAG_OK);
    while (step(&run)) {
        const struct regtag_result *result = regtag_result(run.regtag);
        if (run.end != REGTAG_UPLOAD)
            continue;
        assert_false(IS_NEW(&run, result->name)); /* it is not set before that is known */
        assert_int_equal(result->outcome, REGTAG_TAG_PENDING);
        assert_string_equal(result->digest, digest_of_new());
        assert_string_equal(result->name, run.uploads == 1 ? "x" : run.uploads == 2 ? "new" : "y");
        assert_string_equal(result->previous, run.uploads == 2 ? digest_of_old() : "");
        assert_int_equal(result->before,
                         run.uploads != 2 ? REGTAG_PREVIOUS_ABSENT : REGTAG_PREVIOUS_KNOWN);
    }
    assert_int_equal(run.uploads, 3);
    finish(&run);
}

#define MANY 100

static void names_of_any_length_are_set(void **state)
{
    static char texts[MANY][130];
    static const char *many[MANY];
    (void)state;
    for (size_t length = 1; length <= 126; length += 25) {
        struct run run;
        for (size_t i = 0; i < MANY; i++) {
            memset(texts[i], 't', length);
            snprintf(texts[i] + length, sizeof texts[i] - length, "%zu", i);
            many[i] = texts[i];
        }
        set_out(&run, true);
        tag_all(&run, many, MANY);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.settled, MANY);
        for (size_t i = 0; i < MANY; i++) {
            assert_string_equal(run.name[i], many[i]);
            assert_int_equal(run.outcome[i], REGTAG_TAG_CREATED);
            assert_true(IS_NEW(&run, many[i]));
        }
        assert_int_equal(run.wire.requests, 2 * MANY + 1);
        finish(&run);
    }
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static void expect_each_is_told_truly(const struct run *run, const char *when)
{
    if (run->settled != 4)
        fail_msg("%s: %zu names are settled", when, run->settled);
    for (size_t i = 0; i < 4; i++) {
        bool is_new = IS_NEW(run, four[i]), good = is_good(run->outcome[i]);
        if (good != is_new && run->outcome[i] != REGTAG_TAG_UNCERTAIN && !(i == 2 && is_new))
            fail_msg("%s: %s is said to be %d, status %d", when, four[i], run->outcome[i],
                     run->status[i]);
        if (i == 2 && good && run->outcome[i] != REGTAG_TAG_UNCHANGED &&
            run->outcome[i] != REGTAG_TAG_SET)
            fail_msg("%s: \"same\" is said to be %d", when, run->outcome[i]);
        if (run->outcome[i] == REGTAG_TAG_MOVED &&
            (i != 1 || strcmp(run->previous[i], digest_of_old()) != 0))
            fail_msg("%s: %s is said to have moved", when, four[i]);
        if (run->outcome[i] == REGTAG_TAG_CREATED && i != 0 && i != 3)
            fail_msg("%s: %s is said to be created", when, four[i]);
    }
    if (run->wire.now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)run->wire.now);
}

static void a_fault_at_any_byte_is_told_truly_of_each(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 5 * 2; choice++) {
        unsigned kind = choice % 5, retries = choice / 5 * 2;
        bool writing = kind == 4, orderly = kind & 1, lasting = kind & 2, hit = true;
        for (uint64_t at = 0; hit; at++) {
            struct run run;
            char when[128];
            set_out(&run, at % 2);
            run.config.retries = retries;
            begin_again(&run);
            run.wire.fault = (struct wire_fault){true, writing, at, orderly, lasting};
            run.wire.seed = at % 3;
            snprintf(when, sizeof when, "%s %s %s at byte %llu, %u retries",
                     writing ? "writing" : "reading", orderly ? "ends" : "fails",
                     lasting ? "for good" : "once", (unsigned long long)at, retries);
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
        set_out(&run, choice % 3);
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

static void uploads_that_are_not_answered_are_looked_at(void **state)
{
    (void)state;
    for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
        struct run run;
        set_out(&run, true);
        run.config.stall = 1000;
        begin_again(&run);
        run.wire.manners.put_unanswered = true;
        run.wire.manners.hang_up_unanswered = hang_up;
        tag_all(&run, four, 4);
        expect_end(&run, REGTAG_OK);
        expect_four(&run);
        assert_true(run.wire.now <= TIMEOUT);
        finish(&run);
    }
}

static void nothing_is_set_behind_the_deadline(void **state)
{
    (void)state;
    for (unsigned late = 1; late <= 3; late++) {
        struct run run;
        set_out(&run, true);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", four, 4), REGTAG_OK);
        while (step(&run))
            if (run.end == REGTAG_UPLOAD && run.uploads == late)
                run.wire.now = 3 * TIMEOUT;
        expect_end(&run, REGTAG_E_TIMEOUT);
        assert_int_equal(run.wire.puts, late - 1);
        assert_int_equal(run.settled, 4);
        assert_int_equal(run.wire.now, 3 * TIMEOUT);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_takes_a_look_and_an_upload),
        cmocka_unit_test(each_is_announced_with_its_past),
        cmocka_unit_test(names_of_any_length_are_set),
        cmocka_unit_test(a_fault_at_any_byte_is_told_truly_of_each),
        cmocka_unit_test(a_failure_at_any_request_is_told_truly_of_each),
        cmocka_unit_test(uploads_that_are_not_answered_are_looked_at),
        cmocka_unit_test(nothing_is_set_behind_the_deadline),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
