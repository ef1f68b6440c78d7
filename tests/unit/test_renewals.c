/* A token that expires between names, and is not renewed: that is reported for the name whose request needed
 * it, and for no other. */
#include "run.h"

#define NAMES 5
static const char *const names[NAMES] = {"a1", "a2", "a3", "a4", "a5"};

static const struct refusal {
    unsigned how;
    enum regtag_status status;
} refusals[] = {{403, REGTAG_E_DENIED},
                {500, REGTAG_E_SERVER_FAILED},
                {WIRE_CUT, REGTAG_E_NO_CONNECTION},
                {WIRE_GARBAGE, REGTAG_E_PROTOCOL}};

/* When the token expires: while the client knows it, so that it renews the token by itself; or unnoticed, so
 * that it learns from a 401. */
static const char *const expiries[] = {",\"expires_in\":10", ",\"expires_in\":3600"};

static char errors[NAMES][1100];

static void set_out(struct run *run, const char *expiry, const struct refusal *refusal, unsigned times)
{
    begin(run);
    run->config.timeout = 10000000;
    begin_again(run);
    run->wire.manners.realm = "http://127.0.0.1/token";
    run->wire.manners.token_says = expiry;
    run->wire.manners.token_life = 10000;
    run->wire.manners.token_refusal = refusal->how;
    run->wire.manners.refusals = times;
}

/* From now on the token is too old, and there is no other. */
static void let_expire(struct run *run)
{
    run->wire.manners.tokens_max = run->wire.tokens;
    run->wire.now += 20000;
}

/* The token expires when so many names are settled, or announced. */
static void tag_all(struct run *run, enum regtag_event event, size_t after)
{
    size_t seen = 0;
    assert_int_equal(regtag_tag(run->regtag, "localhost/a:base", names, NAMES), REGTAG_OK);
    while (step(run)) {
        if (run->end == REGTAG_SETTLED) {
            char *error = errors[run->settled - 1];
            snprintf(error, sizeof errors[0], "%s", regtag_result(run->regtag)->error);
            if (strstr(error, "no token from ") && !run->wire.token_refused)
                fail_msg("there is a token, but of %s is said: %s", names[run->settled - 1], error);
        }
        if (run->end == event && ++seen == after)
            let_expire(run);
    }
}

/* Each name has its own result, which is true, and its own message. */
static void expect_own_results(const struct run *run, const char *when)
{
    if (run->settled != NAMES)
        fail_msg("%s: %zu names are settled", when, run->settled);
    for (size_t i = 0; i < NAMES; i++) {
        char own[32];
        snprintf(own, sizeof own, "localhost/a:%s: ", names[i]);
        assert_string_equal(run->name[i], names[i]);
        if (is_good(run->outcome[i]) != IS_NEW(run, names[i]))
            fail_msg("%s: %s is said to be %d: %s", when, names[i], run->outcome[i], errors[i]);
        if (!is_good(run->outcome[i]) && strncmp(errors[i], own, strlen(own)) != 0)
            fail_msg("%s: of %s is said: %s", when, names[i], errors[i]);
    }
}

static void expect_refused(const struct run *run, size_t i, const struct refusal *refusal,
                           const char *when)
{
    if (run->outcome[i] != REGTAG_TAG_FAILED || run->status[i] != refusal->status ||
        count_of(errors[i], "no token from ") != 1)
        fail_msg("%s: %s is said to be %d, status %d: %s", when, names[i], run->outcome[i],
                 run->status[i], errors[i]);
}

static void a_token_that_is_not_renewed_fails_the_names_that_need_it(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 2 * NAMES * COUNT(refusals); choice++) {
        const struct refusal *refusal = &refusals[choice / 4 / NAMES];
        size_t set = choice / 4 % NAMES + (choice / 2 % 2 ? 0 : 1);
        bool announced = choice / 2 % 2; /* a HEAD for the next name is then behind the PUT */
        struct run run;
        char when[100];
        snprintf(when, sizeof when, "%u after %zu names, %s, %s", refusal->how, set,
                 choice % 2 ? "unnoticed" : "known", announced ? "announced" : "settled");
        set_out(&run, expiries[choice % 2], refusal, 0);
        tag_all(&run, announced ? REGTAG_UPLOAD : REGTAG_SETTLED, announced ? set + 1 : set);
        expect_own_results(&run, when);
        for (size_t i = 0; i < NAMES; i++)
            if (i >= set)
                expect_refused(&run, i, refusal, when);
            else if (run.outcome[i] != REGTAG_TAG_CREATED)
                fail_msg("%s: %s is said to be %d: %s", when, names[i], run.outcome[i], errors[i]);
        finish(&run);
    }
}

/* A HEAD that is in flight when the token expires is answered with 401, or still with 200. */
static void a_look_in_flight_does_not_pass_the_refusal_on(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 2 * COUNT(refusals); choice++) {
        const struct refusal *refusal = &refusals[choice / 4];
        struct run run;
        char when[100];
        snprintf(when, sizeof when, "%u, %s, %s", refusal->how, choice % 2 ? "unnoticed" : "known",
                 choice / 2 % 2 ? "at once" : "slowly");
        set_out(&run, expiries[choice % 2], refusal, 0);
        run.wire.manners.delay =
            choice / 2 % 2 ? 0 : 4990; /* the first PUT is sent just before the token expires */
        tag_all(&run, REGTAG_UPLOAD, 2);
        expect_own_results(&run, when);
        assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
        for (size_t i = 1; i < NAMES; i++)
            expect_refused(&run, i, refusal, when);
        finish(&run);
    }
}

/* The server has refused once. What it said then is no reason for a name that it has given a token for. */
static void a_refusal_that_has_passed_is_not_reported_for_later_names(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 2 * (NAMES - 1) * COUNT(refusals); choice++) {
        const struct refusal *refusal = &refusals[choice / 4 / (NAMES - 1)];
        size_t set = choice / 4 % (NAMES - 1) + 1;
        unsigned times = 1 + choice / 2 % 2;
        struct run run;
        char when[100];
        snprintf(when, sizeof when, "%u after %zu names, %u times, %s", refusal->how, set, times,
                 choice % 2 ? "unnoticed" : "known");
        set_out(&run, expiries[choice % 2], refusal, times);
        tag_all(&run, REGTAG_SETTLED, set);
        expect_own_results(&run, when);
        for (size_t i = 0; i < NAMES; i++) {
            if (i < set || i >= set + times) {
                if (run.outcome[i] != REGTAG_TAG_CREATED && run.outcome[i] != REGTAG_TAG_SET)
                    fail_msg("%s: %s is said to be %d: %s", when, names[i], run.outcome[i], errors[i]);
            } else if (!is_good(run.outcome[i]))
                expect_refused(&run, i, refusal, when);
        }
        finish(&run);
    }
}

/* The answer to another request says that it is the last one: what was in flight behind it goes out again with a token that
 * is good still. */
static void what_was_lost_is_not_sent_again_with_an_expired_token(void **state)
{
    char answer[200];
    struct run run;
    (void)state;
    set_out(&run, expiries[0], &refusals[0], 0);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nConnection: close\r\nDocker-Content-Digest: %s\r\n\r\n",
             digest_of_new());
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD base", .instead = answer, .delay = 10500};
    assert_int_equal(regtag_digests(run.regtag, "localhost/a", 0), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.listed, 2);
    assert_non_null(strstr(run.wire.log.data, "HEAD /v2/a/manifests/new HTTP/1.1\r\n"));
    assert_int_equal(run.wire.tokens, 2);
    assert_int_equal(run.wire.refused_tokens, 1); /* when there was none */
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_is_not_renewed_fails_the_names_that_need_it),
        cmocka_unit_test(a_look_in_flight_does_not_pass_the_refusal_on),
        cmocka_unit_test(what_was_lost_is_not_sent_again_with_an_expired_token),
        cmocka_unit_test(a_refusal_that_has_passed_is_not_reported_for_later_names),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("renewals", tests, NULL, NULL);
}
