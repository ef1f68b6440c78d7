/* src/base: the calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <time.h>

#include <cmocka.h>

#include "base/calendar.h"
#include "skip.h"

#define DAY 86400
#define LAST 253402300799 /* 9999-12-31 23:59:59 */

static void assert_as_the_c_library(int64_t seconds)
{
    struct tm t;
    time_t when = (time_t)seconds;
    struct calendar c;
    assert_non_null(gmtime_r(&when, &t));
    calendar_of(seconds, &c);
    assert_int_equal(c.year, t.tm_year + 1900);
    assert_int_equal(c.month, t.tm_mon + 1);
    assert_int_equal(c.day, t.tm_mday);
    assert_int_equal(c.hour, t.tm_hour);
    assert_int_equal(c.minute, t.tm_min);
    assert_int_equal(c.second, t.tm_sec);
}

static void test_every_day_until_9999(void **state)
{
    (void)state;
    if (sizeof(time_t) < 8)
        SKIP("time_t has 32 bits");
    for (int64_t day = 0; day <= LAST / DAY; day++)
        assert_as_the_c_library(day * DAY + day % DAY);
    assert_as_the_c_library(LAST);
}

static void test_what_is_no_date_becomes_the_nearest(void **state)
{
    struct calendar c;
    (void)state;
    calendar_of(INT64_MIN, &c);
    assert_int_equal(c.year, 1970);
    calendar_of(INT64_MAX, &c);
    assert_int_equal(c.year, 9999);
    assert_int_equal(c.second, 59);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_until_9999),
        cmocka_unit_test(test_what_is_no_date_becomes_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
