#include "http/date.h"

#include "base/calendar.h"
#include "http/quoted.h"

#define SECONDS_MAX (366u * 86400u) /* longer pauses count as a year */

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

uint64_t http_retry_after(const struct http_response *response)
{
    struct slice value = field(response, SLICE("retry-after"));
    uint64_t seconds = 0;
    int64_t then, now;
    if (value.size && is_digit(value.data[0]))
        return slice_number(value, SECONDS_MAX, &seconds) ? seconds * 1000
                                                          : SECONDS_MAX * (uint64_t)1000;
    if (http_date(value, &then) && http_date(field(response, SLICE("date")), &now) && then > now)
        seconds = (uint64_t)(then - now);
    return (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * 1000;
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
