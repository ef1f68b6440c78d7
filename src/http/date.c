#include "http/date.h"

#include "base/calendar.h"
#include "http/quoted.h"

#define SECONDS_MAX (366u * 86400u) /* longer pauses count as a year */
#define PAUSE_MAX (SECONDS_MAX * (uint64_t)1000)

static bool take_month(struct slice *s, unsigned *month)
{
    static const char NAMES[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (*month = 1; *month <= 12; ++*month)
        if (slice_starts(*s, (struct slice){NAMES + 3 * (*month - 1), 3})) {
            *s = slice_from(*s, 3);
            return skip_char(s, ' ');
        }
    return false;
}

bool http_date(struct slice s, int64_t *seconds)
{
    struct calendar c = {.year = 0};
    slice_split(&s, ','); /* the day of the week adds nothing */
    return skip_char(&s, ' ') && take_digits(&s, 2, ' ', &c.day) && take_month(&s, &c.month) &&
           take_digits(&s, 4, ' ', &c.year) && take_digits(&s, 2, ':', &c.hour) &&
           take_digits(&s, 2, ':', &c.minute) && take_digits(&s, 2, ' ', &c.second) &&
           slice_equal(s, SLICE("GMT")) && calendar_seconds(&c, seconds);
}

static struct slice field(const struct http_response *response, struct slice name)
{
    struct slice value;
    return http_response_field(response, name, &value) ? value : SLICE("");
}

/* Seconds since 1970, from 2001 to 2096. As a pause, they would be 31 years and more. */
#define UNIX_TIME_MIN 1000000000u
#define UNIX_TIME_MAX 4000000000u

#define NUMBER_MAX ((uint64_t)UNIX_TIME_MAX * 1000) /* larger numbers count as this */

static struct slice take_run_of_digits(struct slice *s)
{
    struct slice all = *s;
    while (s->size && is_digit(s->data[0]))
        *s = slice_from(*s, 1);
    return slice_head(all, all.size - s->size);
}

/* "120", "0.5", "2s", "500ms", to milliseconds. */
static bool read_duration(struct slice s, uint64_t *milliseconds)
{
    static const struct {
        char name[4];
        uint32_t milliseconds;
    } UNITS[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
    struct slice whole = take_run_of_digits(&s), decimals = SLICE("0");
    uint64_t number = NUMBER_MAX, thousandths = 0;
    if (skip_char(&s, '.'))
        decimals = take_run_of_digits(&s);
    if (whole.size == 0 || decimals.size == 0)
        return false;
    slice_number(whole, NUMBER_MAX, &number);
    for (size_t i = 0, value = 100; i < decimals.size; i++, value /= 10)
        thousandths += (uint64_t)(decimals.data[i] - '0') * value;
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++)
        if (slice_equal(s, slice_of(UNITS[i].name))) {
            *milliseconds = number * UNITS[i].milliseconds + thousandths * UNITS[i].milliseconds / 1000;
            return true;
        }
    return false;
}

static bool is_unix_time(uint64_t seconds)
{
    return seconds >= UNIX_TIME_MIN && seconds < UNIX_TIME_MAX;
}

/* From the server's Date to a time, which is in milliseconds since 1970. */
static uint64_t until(const struct http_response *response, uint64_t then)
{
    int64_t now;
    if (!http_date(field(response, SLICE("date")), &now) || then < (uint64_t)now * 1000)
        return 0;
    return then - (uint64_t)now * 1000;
}

uint64_t http_retry_after(const struct http_response *response)
{
    struct slice value = field(response, SLICE("retry-after"));
    uint64_t pause = 0;
    int64_t then;
    if (http_date(value, &then))
        pause = until(response, (uint64_t)then * 1000);
    else if (read_duration(value, &pause)) {
        if (is_unix_time(pause / 1000000)) /* it was in milliseconds */
            pause /= 1000;
        if (is_unix_time(pause / 1000))
            pause = until(response, pause);
    }
    return pause < PAUSE_MAX ? pause : PAUSE_MAX;
}

/* "N" or "N;w=SECONDS". */
static bool read_rate(struct slice value, uint64_t *number, uint64_t *window)
{
    if (!slice_number(slice_trim(slice_split(&value, ';')), UINT32_MAX, number))
        return false;
    while (value.data) {
        struct slice parameter = slice_trim(slice_split(&value, ';'));
        struct slice name = slice_split(&parameter, '=');
        if (slice_equal_nocase(name, SLICE("w")))
            slice_number(parameter, SECONDS_MAX, window);
    }
    return true;
}

bool http_rate_limit(const struct http_response *response, uint64_t *remaining, uint64_t *window)
{
    uint64_t limit;
    *window = 0;
    if (!read_rate(field(response, SLICE("ratelimit-remaining")), remaining, window))
        return false;
    if (*window == 0)
        slice_number(field(response, SLICE("ratelimit-reset")), SECONDS_MAX, window);
    if (*window == 0)
        read_rate(field(response, SLICE("ratelimit-limit")), &limit, window);
    return *window > 0;
}
