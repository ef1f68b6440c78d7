/* Whom to trust: the command's decisions for the sessions of regtag_tls_mbedtls.h. */
#include "net/tls.h"

#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/x509_crt.h>

#include "net/tls_arena.h"
#include "net/tls_clock.h"
#include "net/tls_identity.h"
#include "net/tls_library.h"
#include "net/tls_platform.h"
#include "net/tls_trust.h"
#include "regtag_sha256.h"
#include "regtag_tls_mbedtls.h"
#include "regtag_x509.h"

#define DATES ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))

struct peer {
    const struct regtag_origin *origin;
    const struct tls_settings *settings; /* for its side */
    /* The peer's certificate, if the user trusts it by itself, CA or not. */
    const mbedtls_x509_crt *named;
    /* Why a CA that has the issuer's name could not be used: an error of mbedTLS, or 0. */
    int unusable;
    bool identified; /* it shows the client's certificate */
    struct tls_unread unread;
    mbedtls_ssl_config config;
    struct error error;
};

static const struct tls_settings *both_sides;
static struct peer peers[REGTAG_CONNECTIONS_MAX];
static struct regtag_mbedtls_session sessions[REGTAG_CONNECTIONS_MAX];
static struct regtag_mbedtls tls;

/* ---- Trust ----------------------------------------------------------------------------------- */

static struct slice slice_of_raw(const mbedtls_x509_crt *certificate)
{
    return (struct slice){(const char *)certificate->raw.p, certificate->raw.len};
}

/* How well a CA fits a certificate that names it as its issuer. */
enum fit { NOT_ISSUER, ISSUER_OUT_OF_DATE, ISSUER };

struct candidate {
    struct peer *peer;
    const mbedtls_x509_crt *child;
    mbedtls_x509_crt *best; /* or NULL */
};

static void release_certificate(mbedtls_x509_crt *certificate)
{
    if (certificate)
        mbedtls_x509_crt_free(certificate);
    mbedtls_free(certificate);
}

/* NULL: it cannot be parsed, or there is no memory. */
static mbedtls_x509_crt *parse_certificate(struct peer *p, struct slice der)
{
    mbedtls_x509_crt *certificate = mbedtls_calloc(1, sizeof *certificate);
    if (!certificate)
        return NULL;
    mbedtls_x509_crt_init(certificate);
    int error = regtag_x509_parse(certificate, (const unsigned char *)der.data, der.size, 1);
    if (error == 0)
        return certificate;
    p->unusable = error;
    release_certificate(certificate);
    return NULL;
}

static enum fit fit(const mbedtls_x509_crt *child, mbedtls_x509_crt *issuer)
{
    mbedtls_x509_crt alone = *child;
    uint32_t flags;
    alone.next = NULL; /* not by way of others that the server sends */
    mbedtls_x509_crt_verify(&alone, issuer, NULL, NULL, &flags, NULL, NULL);
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return NOT_ISSUER;
    return flags & DATES ? ISSUER_OUT_OF_DATE : ISSUER;
}

/* A trusted certificate whose subject is the issuer. Several may have that name, so keep only the best one:
 * memory must not depend on how many there are. */
static bool add_candidate(void *context, struct slice der, bool own)
{
    struct candidate *c = context;
    enum fit best = NOT_ISSUER;
    if (own && slice_equal(der, slice_of_raw(c->child)))
        c->peer->named = c->child;
    if (c->best && slice_equal(der, slice_of_raw(c->best)))
        return true;
    if (c->best)
        best = fit(c->child, c->best);
    if (best == ISSUER)
        return false;
    if (best == NOT_ISSUER) {
        release_certificate(c->best);
        c->best = parse_certificate(c->peer, der);
        return true;
    }
    mbedtls_x509_crt *other = parse_certificate(c->peer, der);
    if (other && fit(c->child, other) == ISSUER) {
        mbedtls_x509_crt *late = c->best;
        c->best = other;
        other = late;
    }
    release_certificate(other);
    return true;
}

/* Loads only the certificate that may have signed this one, so that memory does not grow with the number
 * of CAs. */
static int find_issuer(void *context, mbedtls_x509_crt const *child, mbedtls_x509_crt **found)
{
    struct peer *p = context;
    struct slice issuer = {(const char *)child->issuer_raw.p, child->issuer_raw.len};
    struct candidate c = {p, child, NULL};
    struct tls_unread unread = tls_trust_find(p->settings, p->origin, issuer, add_candidate, &c);
    if (unread.path)
        p->unread = unread;
    *found = c.best;
    return 0;
}

/* ---- Pins ------------------------------------------------------------------------------------ */

static bool has_pins(const struct peer *p)
{
    return p->origin->registry && p->settings->pins > 0;
}

/* Whether the key of a certificate is one of the pinned ones. */
static bool key_is_pinned(const struct tls_settings *settings, const mbedtls_x509_crt *certificate)
{
    unsigned char sum[32];
    struct regtag_sha256_context sha256;
    struct regtag_hash hash = regtag_sha256(&sha256);
    if (hash.start(hash.context) != 0 ||
        hash.update(hash.context, certificate->pk_raw.p, certificate->pk_raw.len) != 0 ||
        hash.finish(hash.context, sum) != 0)
        return false;
    for (unsigned i = 0; i < settings->pins; i++)
        if (memcmp(sum, settings->pin[i], sizeof sum) == 0)
            return true;
    return false;
}

/* The flags that remain once --insecure and the pins are applied. */
static uint32_t apply_settings(const struct peer *p, uint32_t flags, bool pinned)
{
    if (p->origin->registry && p->settings->insecure)
        return 0;
    if (pinned && p->settings->pin_only)
        return 0;
    /* The clock does not matter if we know the key. */
    if (pinned && (flags & ~DATES) == 0)
        return 0;
    return flags;
}

static uint32_t judge(void *context, unsigned connection, const mbedtls_x509_crt *certificate)
{
    const struct peer *p = &peers[connection];
    uint32_t flags = sessions[connection].flags;
    bool pinned = has_pins(p) && key_is_pinned(p->settings, certificate);
    (void)context;
    /* Only if it is the server's own, not one that it merely sends along. */
    if (p->named == certificate)
        flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_NOT_TRUSTED | MBEDTLS_X509_BADCERT_BAD_MD);
    flags = apply_settings(p, flags, pinned);
    return has_pins(p) && !pinned ? flags | MBEDTLS_X509_BADCERT_OTHER : flags;
}

/* ---- What went wrong ------------------------------------------------------------------------- */

static void describe(struct peer *p, struct regtag_failure *f)
{
    f->status = (enum regtag_status)p->error.status;
    f->text = p->error.text;
    if (p->error.hint)
        f->hint = (enum regtag_hint)p->error.hint;
}

static void write_validity(struct writer *w, const struct regtag_mbedtls_session *s)
{
    const mbedtls_x509_time *ends[] = {&s->from, &s->to};
    for (int i = 0; i < 2; i++) {
        const mbedtls_x509_time *t = ends[i];
        struct calendar c = {(unsigned)t->year, (unsigned)t->mon, (unsigned)t->day,
                             (unsigned)t->hour, (unsigned)t->min, (unsigned)t->sec};
        write_text(w, i ? " to " : "valid from ");
        write_date(w, &c);
    }
}

static void explain_dates(struct peer *p, const struct regtag_mbedtls_session *s,
                          struct regtag_failure *f)
{
    static const char *const REMEDIES[] = {
        [REGTAG_MBEDTLS_SERVER] = "; the registry needs a new one",
        [REGTAG_MBEDTLS_BETWEEN] = "; the registry must send a new one along with its own",
        [REGTAG_MBEDTLS_ROOT] = "; replace it among the CAs trusted here",
    };
    char text[160];
    struct writer w = writer_to(text, sizeof text - 1);
    bool floored, future = s->flags & MBEDTLS_X509_BADCERT_FUTURE;
    int64_t now = tls_clock_now(&floored);
    write_validity(&w, s);
    write_text(&w, floored ? ", but it is at least " : ", but the clock says ");
    write_moment(&w, now);
    text[w.used] = '\0';
    error_set(&p->error, REGTAG_E_BAD_DATES, "%s: %s%s%s", f->text, text,
              future ? "" : REMEDIES[s->dated],
              floored && !future ? ", unless that time floor is wrong" : "");
    f->hint = future ? REGTAG_HINT_CLOCK : REGTAG_HINT_NONE;
}

/* Tells about a certificate that might have made the difference, if it could be used. */
static void explain_unusable(struct writer *w, int unusable)
{
    const struct regtag_x509_skipped *s = &regtag_x509_skipped;
    const char *words = regtag_mbedtls_unusable(s->number ? s->error : unusable);
    if (s->number)
        write_format(w, "; certificate %u that it sent %s", s->number, words ? words : "");
    else if (unusable)
        write_format(w, "; the trusted CA of that name %s", words ? words : "");
}

static void explain_untrusted(struct peer *p, struct regtag_failure *f)
{
    char places[400], unusable[160];
    if (p->unread.path) {
        error_set(&p->error, REGTAG_E_USAGE, "cannot read %s, which --cacert names: %s", p->unread.path,
                  p->unread.problem);
        f->hint = REGTAG_HINT_NONE;
        return;
    }
    struct writer w = writer_to(places, sizeof places - 1);
    tls_trust_any(p->settings, p->origin, &w);
    places[w.used] = '\0';
    w = writer_to(unusable, sizeof unusable - 1);
    explain_unusable(&w, p->unusable);
    unusable[w.used] = '\0';
    error_set(&p->error, REGTAG_E_UNTRUSTED, "%s (looked in %s)%s", f->text, places, unusable);
}

/* Whether it is not the peer's fault: mbedTLS reports a lack of memory or randomness under other errors,
 * whose hints would mislead. */
static bool explain_shortage(struct peer *p, struct regtag_failure *f)
{
    bool exhausted = tls_arena_exhausted();
    if (!exhausted && !tls_library_random_failed())
        return false;
    error_clear(&p->error);
    if (exhausted)
        error_set(&p->error, REGTAG_E_OTHER,
                  "the %u bytes of memory for TLS are not enough for this server's certificates",
                  (unsigned)tls_arena_size());
    else
        error_set(&p->error, REGTAG_E_OTHER,
                  "TLS needs randomness, and neither getrandom nor /dev/urandom provides any");
    describe(p, f);
    f->hint = REGTAG_HINT_NONE;
    return true;
}

static void explain(void *context, unsigned connection, int error, struct regtag_failure *f)
{
    struct peer *p = &peers[connection];
    const struct regtag_mbedtls_session *s = &sessions[connection];
    (void)context;
    (void)error;
    if (explain_shortage(p, f))
        return;
    error_clear(&p->error);
    if (f->status == REGTAG_E_BAD_DATES)
        explain_dates(p, s, f);
    else if (f->hint == REGTAG_HINT_CA)
        explain_untrusted(p, f);
    if (p->error.status)
        describe(p, f);
}

/* ---- Setting up ------------------------------------------------------------------------------ */

/* Whether the certificate is trusted by other means than a CA. */
static bool needs_no_authority(const struct peer *p)
{
    return p->origin->registry && (p->settings->insecure || p->settings->pin_only);
}

static bool check_trust(struct peer *p, struct regtag_failure *f)
{
    char places[400];
    struct writer w = writer_to(places, sizeof places - 1);
    if (needs_no_authority(p) || tls_trust_any(p->settings, p->origin, &w))
        return true;
    places[w.used] = '\0';
    error_set(&p->error, REGTAG_E_UNTRUSTED, "no trusted CA: looked for %s", places);
    f->hint = REGTAG_HINT_CA;
    return false;
}

/* OPTIONAL: after judge(), mbedTLS checks the certificate's uses, which must not override what judge() has
 * accepted for --insecure or --pin-only. What judge() refuses fails in either mode. */
static bool set_up(struct peer *p, unsigned connection)
{
    mbedtls_ssl_config_init(&p->config);
    if (mbedtls_ssl_config_defaults(&p->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        error_set(&p->error, REGTAG_E_OTHER, "TLS cannot be configured");
        return false;
    }
    mbedtls_ssl_conf_authmode(&p->config, needs_no_authority(p) ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                                : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_rng(&p->config, tls_platform_random, NULL);
    tls_library_trust(&tls, connection, &p->config, find_issuer, p);
    return !p->origin->registry ||
           tls_identity_use(&p->config, p->origin, p->settings, &p->identified, &p->error);
}

static void release(void *context, unsigned connection)
{
    struct peer *p = &peers[connection];
    (void)context;
    if (p->identified)
        tls_identity_release(p->origin);
    mbedtls_ssl_config_free(&p->config);
}

static const mbedtls_ssl_config *configure(void *context, unsigned connection,
                                           const struct regtag_origin *origin, struct regtag_failure *f)
{
    struct peer *p = &peers[connection];
    p->origin = origin;
    p->settings = &both_sides[origin->target];
    p->named = NULL;
    p->unusable = 0;
    p->identified = false;
    p->unread.path = NULL;
    error_clear(&p->error);
    if (tls_platform_start(p->settings, &p->error) && check_trust(p, f)) {
        if (set_up(p, connection))
            return &p->config;
        release(context, connection);
        if (explain_shortage(p, f))
            return NULL;
    }
    describe(p, f);
    return NULL;
}

struct regtag_tls tls_hooks(const struct tls_settings settings[2], unsigned connections)
{
    tls_arena_set_connections(connections);
    both_sides = settings;
    tls.sessions = sessions;
    tls.count = REGTAG_CONNECTIONS_MAX;
    tls.configure = configure;
    tls.release = release;
    tls.judge = judge;
    tls.explain = explain;
    return regtag_mbedtls_tls(&tls);
}
