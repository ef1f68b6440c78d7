#include "cli/tls_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/calendar.h"
#include "net/file.h"
#include "net/hide.h"

/* ---- Dates ----------------------------------------------------------------------------------- */

/* YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ of RFC 3339. */
static bool parse_date(struct slice s, int64_t *seconds)
{
    struct calendar c = {.hour = 0};
    if (!take_digits(&s, 4, '-', &c.year) || !take_digits(&s, 2, '-', &c.month) ||
        !take_digits(&s, 2, '\0', &c.day))
        return false;
    if (s.size) {
        if (s.data[0] != 'T' && s.data[0] != 't' && s.data[0] != ' ')
            return false;
        s = slice_from(s, 1);
        if (!take_digits(&s, 2, ':', &c.hour) || !take_digits(&s, 2, ':', &c.minute) ||
            !take_digits(&s, 2, '\0', &c.second) || !slice_equal_nocase(s, SLICE("Z")))
            return false;
    }
    return calendar_seconds(&c, seconds);
}

static bool set_time_floor(struct tls_settings *t, const char *value, struct error *e)
{
    struct stat status;
    if (parse_date(slice_of(value), &t->time_floor))
        return true;
    if (stat(value, &status) != 0)
        return options_bad_value(
            e, "time-floor", value,
            "neither a date such as 2026-01-31 or 2026-01-31T12:00:00Z, nor a file");
    t->time_floor = (int64_t)status.st_mtime;
    return true;
}

/* ---- Trust ----------------------------------------------------------------------------------- */

static bool set_authorities(struct tls_settings *t, const struct option_values *files, uint64_t deadline,
                            struct error *e)
{
    for (unsigned i = 0; i < files->count; i++) {
        const char *path = files->list[i];
        const char *problem = access(path, R_OK) != 0 ? strerror(errno) : file_keep(path, deadline);
        if (!problem)
            problem = tls_check_authority(path);
        if (problem)
            return options_bad_value(e, "cacert", path, problem);
        t->authority[t->authorities++] = path;
    }
    return true;
}

/* What is wrong with the others is found when TLS needs them. */
static bool keep_pipe(const char *name, const char *path, enum regtag_status status, uint64_t deadline,
                      struct error *e)
{
    if (path && status == REGTAG_E_CREDENTIALS)
        hide_memory();
    const char *problem = path ? file_keep(path, deadline) : NULL;
    if (problem)
        error_set(e, (int)status, "%s %s: %s", name, path, problem);
    return !problem;
}

static bool keep_pipes(const struct tls_settings *t, uint64_t deadline, struct error *e)
{
    return keep_pipe("--cert", t->certificate, REGTAG_E_CREDENTIALS, deadline, e) &&
           keep_pipe("--key", t->key, REGTAG_E_CREDENTIALS, deadline, e) &&
           (t->authorities || keep_pipe("SSL_CERT_FILE", t->env_file, REGTAG_E_USAGE, deadline, e));
}

/* Written as curl does it. */
static bool parse_pin(struct slice text, unsigned char pin[32])
{
    struct slice decoded;
    return slice_starts(text, SLICE("sha256//")) &&
           base64_decode(slice_from(text, 8), (char *)pin, 32, &decoded) && decoded.size == 32;
}

static bool set_pins(struct tls_settings *t, const struct option_values *pins, struct error *e)
{
    for (unsigned i = 0; i < pins->count; i++)
        if (!parse_pin(slice_of(pins->list[i]), t->pin[t->pins++]))
            return options_bad_value(e, "pin", pins->list[i],
                                     "must be sha256// and the Base64 of a SHA-256");
    return true;
}

static bool check_combination(const struct side_options *side, struct error *e)
{
    if (side->key && !side->cert)
        return options_bad_value(e, "key", side->key,
                                 "needs --cert, the certificate that it belongs to");
    if (side->pin_only && side->pin.count == 0)
        error_set(e, REGTAG_E_USAGE, "--pin-only needs --pin");
    return e->status == 0;
}

bool tls_options(struct tls_settings *t, const struct options *o, const struct side_options *side,
                 uint64_t deadline, struct error *e)
{
    t->env_file = getenv("SSL_CERT_FILE");
    t->env_dir = getenv("SSL_CERT_DIR");
    t->certificate = side->cert;
    t->key = side->key;
    t->pin_only = side->pin_only;
    t->insecure = side->insecure;
    return check_combination(side, e) && set_pins(t, &side->pin, e) &&
           (!o->time_floor || set_time_floor(t, o->time_floor, e)) &&
           set_authorities(t, &side->cacert, deadline, e) && keep_pipes(t, deadline, e);
}
