#include "cli/tls_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"

static bool wrong(struct error *e, const char *option, const char *value, const char *problem)
{
    error_set(e, REGTAG_USAGE, "--%s \"%.*s\": %s", option, SLICE_ARG(slice_head(slice_of(value), 200)),
              problem);
    return false;
}

/* ---- Dates ----------------------------------------------------------------------------------- */

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    int64_t y =
        month <= 2 ? year - 1 : year; /* the year begins in March, so that its leap day is the last */
    int64_t m = month <= 2 ? month + 9 : month - 3;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap);
}

/* Takes a number of exactly `digits` digits, from `least` to `most`, and the character behind it. */
static bool take_number(struct slice *s, size_t digits, uint64_t least, uint64_t most, char behind,
                        int64_t *number)
{
    uint64_t n;
    if (!slice_number(slice_head(*s, digits), most, &n) || n < least || s->size < digits)
        return false;
    *s = slice_from(*s, digits);
    *number = (int64_t)n;
    if (behind == '\0')
        return true;
    if (s->size == 0 || s->data[0] != behind)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

/* YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ of RFC 3339. */
static bool parse_date(struct slice s, int64_t *seconds)
{
    int64_t year, month, day, hour = 0, minute = 0, second = 0;
    if (!take_number(&s, 4, 1970, 9999, '-', &year) || !take_number(&s, 2, 1, 12, '-', &month) ||
        !take_number(&s, 2, 1, 31, '\0', &day) || day > days_in(year, month))
        return false;
    if (s.size) {
        if (s.data[0] != 'T' && s.data[0] != 't' && s.data[0] != ' ')
            return false;
        s = slice_from(s, 1);
        if (!take_number(&s, 2, 0, 23, ':', &hour) || !take_number(&s, 2, 0, 59, ':', &minute) ||
            !take_number(&s, 2, 0, 60, '\0', &second))
            return false;
        if (!slice_equal_nocase(s, SLICE("Z")))
            return false;
    }
    *seconds = ((days_before(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

static bool set_time_floor(struct tls_settings *t, const char *value, struct error *e)
{
    struct stat status;
    if (parse_date(slice_of(value), &t->time_floor))
        return true;
    if (stat(value, &status) != 0)
        return wrong(e, "time-floor", value,
                     "it is neither a date like 2026-01-31 or 2026-01-31T12:00:00Z, nor a file");
    t->time_floor = (int64_t)status.st_mtime;
    return true;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static bool set_authorities(struct tls_settings *t, const struct words *files, struct error *e)
{
    for (unsigned i = 0; i < files->count; i++) {
        if (access(files->list[i], R_OK) != 0)
            return wrong(e, "cacert", files->list[i], strerror(errno));
        t->authority[t->authorities++] = files->list[i];
    }
    return true;
}

/* curl's spelling of a pin. */
static bool parse_pin(struct slice text, unsigned char pin[32])
{
    struct slice decoded;
    return slice_starts(text, SLICE("sha256//")) &&
           base64_decode(slice_from(text, 8), (char *)pin, 32, &decoded) && decoded.size == 32;
}

static bool set_pins(struct tls_settings *t, const struct words *pins, struct error *e)
{
    for (unsigned i = 0; i < pins->count; i++)
        if (!parse_pin(slice_of(pins->list[i]), t->pin[t->pins++]))
            return wrong(e, "pin", pins->list[i], "it takes sha256// and the Base64 of a SHA-256");
    return true;
}

static bool check_together(const struct options *o, struct error *e)
{
    if (o->key && !o->cert)
        return wrong(e, "key", o->key, "it needs --cert, the certificate that it belongs to");
    if (o->pin_only && o->pin.count == 0)
        error_set(e, REGTAG_USAGE, "--pin-only needs a --pin");
    return e->status == 0;
}

bool tls_options(struct tls_settings *t, const struct options *o, struct error *e)
{
    t->env_file = getenv("SSL_CERT_FILE");
    t->env_dir = getenv("SSL_CERT_DIR");
    t->certificate = o->cert;
    t->key = o->key;
    t->pin_only = o->pin_only;
    t->insecure = o->insecure;
    return check_together(o, e) && set_authorities(t, &o->cacert, e) && set_pins(t, &o->pin, e) &&
           (!o->time_floor || set_time_floor(t, o->time_floor, e));
}
