/* glibc's gmtime_r reads the time zone first, in memory that it allocates; musl's does not. This one stands in
 * for that of a firmware's C library, where a program is tested without malloc. */
#define _POSIX_C_SOURCE 200809L

#include <time.h>

struct tm *gmtime_r(const time_t *time, struct tm *result)
{
    long long days = *time / 86400, seconds = *time % 86400, year = 1970, month = 0, length;
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int leap;
    for (;; year++) {
        leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        length = 365 + leap;
        if (days < length)
            break;
        days -= length;
    }
    while (days >= before[month + 1] + (leap && month > 0))
        month++;
    *result = (struct tm){.tm_year = (int)year - 1900,
                          .tm_mon = (int)month,
                          .tm_mday = (int)days - before[month] - (leap && month > 1) + 1,
                          .tm_hour = (int)(seconds / 3600),
                          .tm_min = (int)(seconds / 60 % 60),
                          .tm_sec = (int)(seconds % 60)};
    return result;
}
