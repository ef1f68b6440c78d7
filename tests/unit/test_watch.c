/* src/cli: when watch polls again, and when an outage is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/outage.h"
#include "cli/schedule.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MINUTE ((uint64_t)60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define LONGEST_INTERVAL (366 * DAY)

/* ---- Waits without failures ------------------------------------------------------------------ */

static void a_wait_is_the_interval_and_its_jitter(void **state)
{
    struct schedule s = {.interval = MINUTE, .jitter = 10};
    (void)state;
    assert_int_equal(schedule_wait(&s, 0, 0), 54000);
    assert_int_equal(schedule_wait(&s, 0, UINT16_MAX), 66000);
    for (unsigned random = 0; random <= UINT16_MAX; random++)
        assert_in_range(schedule_wait(&s, 0, (uint16_t)random), 54000, 66000);
}

static void without_jitter_a_wait_is_exact(void **state)
{
    struct schedule s = {.interval = 1000, .jitter = 0};
    (void)state;
    assert_int_equal(schedule_wait(&s, 0, 0), 1000);
    assert_int_equal(schedule_wait(&s, 0, UINT16_MAX), 1000);
}

static void the_longest_interval_does_not_overflow(void **state)
{
    struct schedule s = {.interval = LONGEST_INTERVAL, .jitter = 100};
    (void)state;
    assert_int_equal(schedule_wait(&s, 0, 0), 0);
    assert_int_equal(schedule_wait(&s, 0, UINT16_MAX), 2 * LONGEST_INTERVAL);
    s.failures = UINT32_MAX;
    s.jitter = 0;
    assert_int_equal(schedule_wait(&s, 0, 0), LONGEST_INTERVAL);
}

/* ---- Failures -------------------------------------------------------------------------------- */

struct backoff_case {
    uint64_t interval;
    bool answered;
    uint64_t waits[9];
};

static const struct backoff_case BACKOFFS[] = {
    {1000, false, {1000, 2000, 4000, 8000, 16000, 16000, 16000, 16000, 16000}},
    {1000, true, {1000, 2000, 4000, 8000, 16000, 16000, 16000, 16000, 16000}},
    {MINUTE,
     false,
     {15000, 30000, MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE}},
    {MINUTE,
     true,
     {MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE,
      15 * MINUTE}},
    {HOUR,
     false,
     {15000, 30000, MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, 32 * MINUTE, HOUR}},
    {HOUR, true, {HOUR, HOUR, HOUR, HOUR, HOUR, HOUR, HOUR, HOUR, HOUR}},
};

static void failures_make_waits_longer_up_to_a_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(BACKOFFS); i++) {
        struct schedule s = {.interval = BACKOFFS[i].interval, .answered = BACKOFFS[i].answered};
        for (size_t n = 0; n < COUNT(BACKOFFS[i].waits); n++) {
            schedule_on_failure(&s);
            assert_int_equal(schedule_wait(&s, 0, 0), BACKOFFS[i].waits[n]);
        }
        schedule_on_answer(&s, 0);
        assert_int_equal(schedule_wait(&s, 0, 0), s.interval);
    }
}

static void failures_have_jitter_as_well(void **state)
{
    struct schedule s = {.interval = MINUTE, .jitter = 50, .answered = true};
    (void)state;
    schedule_on_failure(&s);
    schedule_on_failure(&s);
    assert_int_equal(schedule_wait(&s, 0, 0), MINUTE);
    assert_int_equal(schedule_wait(&s, 0, UINT16_MAX), 3 * MINUTE);
}

static void between_failures_a_poll_is_one_request(void **state)
{
    struct schedule s = {.interval = MINUTE, .answered = true};
    (void)state;
    assert_int_equal(schedule_retries(&s, 4), 2);
    assert_int_equal(schedule_retries(&s, 1), 1);
    schedule_on_failure(&s);
    assert_int_equal(schedule_retries(&s, 4), 0);
    schedule_on_answer(&s, 0);
    assert_int_equal(schedule_retries(&s, 4), 2);
    assert_int_equal(schedule_retries_if(false, 4), 2);
    assert_int_equal(schedule_retries_if(false, 1), 1);
    assert_int_equal(schedule_retries_if(true, 4), 0);
}

/* ---- In step --------------------------------------------------------------------------------- */

static void scattered(const struct schedule *s, uint64_t wait)
{
    assert_int_equal(schedule_wait(s, 0, 0), wait / 2);
    assert_int_equal(schedule_wait(s, 0, UINT16_MAX), wait / 2 * 3);
}

static void devices_that_may_be_in_step_scatter(void **state)
{
    struct schedule s = {.interval = MINUTE, .jitter = 10};
    (void)state;
    schedule_on_failure(&s);
    scattered(&s, 15000);
    schedule_on_answer(&s, 0);
    scattered(&s, MINUTE); /* the first answer, and the first after a failure */
    schedule_on_answer(&s, 6000);
    assert_int_equal(schedule_wait(&s, 0, 0), 54000);
    schedule_on_answer(&s, 6001);
    scattered(&s, MINUTE);
    s.jitter = 60;
    assert_int_equal(schedule_wait(&s, 0, 0), 24000);
    s.jitter = 0;
    assert_int_equal(schedule_wait(&s, 0, UINT16_MAX), MINUTE);
}

/* ---- What the registry wants ----------------------------------------------------------------- */

static void a_pause_is_a_minimum(void **state)
{
    struct schedule s = {.interval = MINUTE, .jitter = 10};
    (void)state;
    assert_int_equal(schedule_wait(&s, 1000, 0), 54000);
    assert_int_equal(schedule_wait(&s, 10 * MINUTE, 0), 10 * MINUTE);
    for (unsigned random = 0; random <= UINT16_MAX; random++)
        assert_in_range(schedule_wait(&s, 58000, (uint16_t)random), 58000, 66000);
}

static void devices_do_not_come_back_from_a_pause_together(void **state)
{
    struct schedule s = {.interval = MINUTE, .jitter = 10};
    (void)state;
    assert_int_equal(schedule_wait(&s, 10 * MINUTE, 0), 10 * MINUTE);
    assert_int_equal(schedule_wait(&s, 10 * MINUTE, UINT16_MAX), 11 * MINUTE);
    assert_int_equal(schedule_wait(&s, MINUTE, UINT16_MAX), MINUTE + 6000);
    schedule_on_failure(&s); /* the wait would be 15 seconds */
    assert_int_equal(schedule_wait(&s, 30000, 0), 30000);
    assert_int_equal(schedule_wait(&s, 30000, UINT16_MAX), 30000 + MINUTE);
    s.jitter = 0;
    assert_int_equal(schedule_wait(&s, 10 * MINUTE, UINT16_MAX), 10 * MINUTE);
}

static void a_pause_is_a_day_at_most(void **state)
{
    struct schedule s = {.interval = 1000, .jitter = 0};
    (void)state;
    assert_int_equal(schedule_wait(&s, UINT64_MAX, 0), DAY);
}

/* ---- Words ----------------------------------------------------------------------------------- */

struct duration_case {
    uint64_t milliseconds;
    const char *text;
};

static const struct duration_case DURATIONS[] = {
    {0, "0 s"},
    {499, "0 s"},
    {500, "1 s"},
    {59499, "59 s"},
    {59500, "1 min"},
    {61000, "1 min 1 s"},
    {MINUTE * 59 + 59000, "59 min 59 s"},
    {HOUR, "1 h"},
    {HOUR + 59000, "1 h"},
    {2 * HOUR + 5 * MINUTE, "2 h 5 min"},
    {DAY, "1 d"},
    {DAY + 59 * MINUTE, "1 d"},
    {3 * DAY + 4 * HOUR + 5 * MINUTE, "3 d 4 h"},
    {LONGEST_INTERVAL, "366 d"},
};

static void durations_are_told_in_two_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(DURATIONS); i++) {
        char text[40];
        struct writer w = writer_to(text, sizeof text - 1);
        write_duration(&w, DURATIONS[i].milliseconds);
        text[w.used] = '\0';
        assert_string_equal(text, DURATIONS[i].text);
    }
}

static void an_outage_is_reported_when_it_changes(void **state)
{
    struct outage o = {.failures = 0};
    (void)state;
    assert_true(outage_on_failure(&o, 5));
    assert_false(outage_on_failure(&o, 5));
    assert_true(outage_on_failure(&o, 17));
    assert_true(outage_on_failure(&o, 5));
    assert_int_equal(o.failures, 4);
    outage_on_success(&o, "it", "is well", true);
    assert_int_equal(o.failures, 0);
    assert_true(outage_on_failure(&o, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_is_the_interval_and_its_jitter),
        cmocka_unit_test(without_jitter_a_wait_is_exact),
        cmocka_unit_test(the_longest_interval_does_not_overflow),
        cmocka_unit_test(failures_make_waits_longer_up_to_a_limit),
        cmocka_unit_test(failures_have_jitter_as_well),
        cmocka_unit_test(between_failures_a_poll_is_one_request),
        cmocka_unit_test(devices_that_may_be_in_step_scatter),
        cmocka_unit_test(a_pause_is_a_minimum),
        cmocka_unit_test(devices_do_not_come_back_from_a_pause_together),
        cmocka_unit_test(a_pause_is_a_day_at_most),
        cmocka_unit_test(durations_are_told_in_two_units),
        cmocka_unit_test(an_outage_is_reported_when_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
