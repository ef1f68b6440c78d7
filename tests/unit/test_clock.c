/* src/net: the calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <time.h>

#include <cmocka.h>

#include "net/tls_clock.h"

#define DAY 86400
#define LAST 253402300799 /* 9999-12-31 23:59:59 */

static void assert_as_the_c_library(int64_t seconds)
{
    struct tm t;
    time_t when = (time_t)seconds;
    int parts[6];
    assert_non_null(gmtime_r(&when, &t));
    tls_clock_split(seconds, parts);
    assert_int_equal(parts[0], t.tm_year + 1900);
    assert_int_equal(parts[1], t.tm_mon + 1);
    assert_int_equal(parts[2], t.tm_mday);
    assert_int_equal(parts[3], t.tm_hour);
    assert_int_equal(parts[4], t.tm_min);
    assert_int_equal(parts[5], t.tm_sec);
}

static void test_every_day_until_9999(void **state)
{
    (void)state;
    if (sizeof(time_t) < 8)
        skip();
    for (int64_t day = 0; day <= LAST / DAY; day++)
        assert_as_the_c_library(day * DAY + day % DAY);
    assert_as_the_c_library(LAST);
}

static void test_what_is_no_date_becomes_the_nearest(void **state)
{
    int parts[6];
    (void)state;
    tls_clock_split(INT64_MIN, parts);
    assert_int_equal(parts[0], 1970);
    tls_clock_split(INT64_MAX, parts);
    assert_int_equal(parts[0], 9999);
    assert_int_equal(parts[5], 59);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_until_9999),
        cmocka_unit_test(test_what_is_no_date_becomes_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
