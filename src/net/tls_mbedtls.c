/* TLS by mbedTLS 3.6. A failed verification is a failed handshake: no byte of a request is sent before
 * the peer is trusted. */

/* For the number of an alert. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "base/sizes.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "base/wipe.h"
#include "net/random.h"
#include "net/tls_arena.h"
#include "net/tls_clock.h"
#include "net/tls_trust.h"

#define CONNECTION_LOST (-0x0050) /* what mbedTLS's own sockets return for it */
#define DATES (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)

/* Then the deadline is checked again, however fast the peer sends. */
#define READS_PER_CALL 64u

struct session {
    bool open, registry;
    bool up; /* the handshake is over */
    int fd, io_error;
    unsigned reads_left; /* in this call */
    struct regtag_origin origin;
    const struct tls_settings *settings;
    uint32_t flags;             /* what is wrong with the certificates, MBEDTLS_X509_BADCERT_* */
    mbedtls_x509_time from, to; /* of a certificate with wrong dates */
    /* The peer's certificate, if the user trusts it by itself, CA or not. */
    const mbedtls_x509_crt *named;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
};

static struct session sessions[REGTAG_CONNECTIONS];
static bool random_failed;

/* The client's certificate and key, read once. */
static struct {
    bool read;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
} client;

const char *tls_missing(void)
{
    return NULL;
}

/* ---- What mbedTLS asks of the platform ------------------------------------------------------- */

static bool random_bytes_for_tls(unsigned char *bytes, size_t size)
{
    random_failed = !random_secret(bytes, size);
    return !random_failed;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size, size_t *output_length)
{
    (void)context;
    *output_length = random_bytes_for_tls(output, output_size) ? output_size : 0;
    return *output_length == output_size ? PSA_SUCCESS : PSA_ERROR_INSUFFICIENT_ENTROPY;
}

static int random_for_tls(void *context, unsigned char *bytes, size_t size)
{
    (void)context;
    return random_bytes_for_tls(bytes, size) ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static mbedtls_time_t time_for_tls(mbedtls_time_t *result)
{
    bool floored;
    mbedtls_time_t now = (mbedtls_time_t)tls_clock_now(&floored);
    if (result)
        *result = now;
    return now;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *time, struct tm *result)
{
    struct calendar c;
    calendar_of(*time, &c);
    memset(result, 0, sizeof *result);
    result->tm_year = (int)c.year - 1900;
    result->tm_mon = (int)c.month - 1;
    result->tm_mday = (int)c.day;
    result->tm_hour = (int)c.hour;
    result->tm_min = (int)c.minute;
    result->tm_sec = (int)c.second;
    return result;
}

static int send_bytes(void *context, const unsigned char *bytes, size_t size)
{
    struct session *s = context;
    ssize_t n = send(s->fd, bytes, size, MSG_NOSIGNAL);
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    s->io_error = errno;
    /* A server that refuses our certificate sends an alert and closes. Reading that tells more than this
     * error, so pretend that the bytes were sent. */
    return s->up ? CONNECTION_LOST : (int)size;
}

static int receive_bytes(void *context, unsigned char *bytes, size_t size)
{
    struct session *s = context;
    if (s->reads_left == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    s->reads_left--;
    ssize_t n = recv(s->fd, bytes, size, 0);
    if (n >= 0)
        return (int)n;
    bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (later && !s->io_error)
        return MBEDTLS_ERR_SSL_WANT_READ;
    if (!later)
        s->io_error = errno;
    return CONNECTION_LOST;
}

/* ---- Pins ------------------------------------------------------------------------------------ */

static bool has_pins(const struct session *s)
{
    return s->registry && s->settings->pins > 0;
}

/* Whether the key of a certificate is one of the pinned ones. */
static bool key_is_pinned(const struct session *s, const mbedtls_x509_crt *certificate)
{
    unsigned char sum[32];
    if (mbedtls_sha256(certificate->pk_raw.p, certificate->pk_raw.len, sum, 0) != 0)
        return false;
    for (unsigned i = 0; i < s->settings->pins; i++)
        if (memcmp(sum, s->settings->pin[i], sizeof sum) == 0)
            return true;
    return false;
}

/* ---- The certificate's names and uses -------------------------------------------------------- */

/* Parses a numeric address into 4 or 16 bytes, and returns how many; 0: it is a name. */
static size_t address_bytes(const char *host, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, host, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, host, bytes) == 1 ? 16 : 0;
}

/* Only the subject's alternative names count (RFC 9525), while mbedTLS falls back to the common name if
 * there are none. mbedTLS has compared names; addresses are compared here. */
static bool is_for_host(const mbedtls_x509_crt *certificate, const char *host)
{
    unsigned char address[16];
    size_t size = address_bytes(host, address);
    if (!mbedtls_x509_crt_has_ext_type(certificate, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME))
        return false;
    if (size == 0)
        return true;
    for (const mbedtls_x509_sequence *n = &certificate->subject_alt_names; n; n = n->next)
        if ((n->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
            n->buf.len == size && memcmp(n->buf.p, address, size) == 0)
            return true;
    return false;
}

/* mbedTLS checks this too, but only after the callback that decides. */
static bool is_for_servers(const mbedtls_x509_crt *certificate)
{
    static const char SERVER_AUTH[] = MBEDTLS_OID_SERVER_AUTH;
    return mbedtls_x509_crt_check_extended_key_usage(certificate, SERVER_AUTH, sizeof SERVER_AUTH - 1) ==
               0 &&
           mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0;
}

/* ---- Verification ---------------------------------------------------------------------------- */

/* The flags that remain once --insecure and the pins are applied. */
static uint32_t apply_settings(const struct session *s, uint32_t flags, bool pinned)
{
    if (s->registry && s->settings->insecure)
        return 0;
    if (pinned && s->settings->pin_only)
        return 0;
    /* The clock does not matter if we know the key. */
    if (pinned && (flags & ~(uint32_t)DATES) == 0)
        return 0;
    return flags;
}

/* mbedTLS calls it for each certificate, from the root to the server's own (depth 0), which decides. */
static int verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct session *s = context;
    if ((*flags & DATES) && !(s->flags & DATES)) {
        s->from = certificate->valid_from;
        s->to = certificate->valid_to;
    }
    s->flags |= *flags;
    *flags = 0;
    if (depth > 0)
        return 0;

    bool pinned = has_pins(s) && key_is_pinned(s, certificate);
    if (!is_for_host(certificate, s->origin.host))
        s->flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (!is_for_servers(certificate))
        s->flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    /* Only if it is the server's own, not one that it merely sends along. */
    if (s->named == certificate)
        s->flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    s->flags = apply_settings(s, s->flags, pinned);
    if (has_pins(s) && !pinned)
        s->flags |= MBEDTLS_X509_BADCERT_OTHER;
    *flags = s->flags;
    return s->flags ? MBEDTLS_ERR_X509_FATAL_ERROR : 0;
}

struct candidates {
    struct session *session;
    const mbedtls_x509_crt *child;
    mbedtls_x509_crt *list;
    bool failed;
};

/* A trusted certificate whose subject is the issuer. */
static bool add_candidate(void *context, struct slice der, bool own)
{
    struct candidates *c = context;
    struct slice child = {(const char *)c->child->raw.p, c->child->raw.len};
    if (own && slice_equal(der, child))
        c->session->named = c->child;
    if (!c->list) {
        c->list = mbedtls_calloc(1, sizeof *c->list);
        c->failed = c->list == NULL;
        if (c->failed)
            return false;
        mbedtls_x509_crt_init(c->list);
    }
    /* One that cannot be parsed is skipped. */
    mbedtls_x509_crt_parse_der(c->list, (const unsigned char *)der.data, der.size);
    return true;
}

/* Loads only the certificates that may have signed this one, so that memory does not grow with the
 * number of CAs. */
static int find_issuer(void *context, mbedtls_x509_crt const *child, mbedtls_x509_crt **found)
{
    struct session *s = context;
    struct slice issuer = {(const char *)child->issuer_raw.p, child->issuer_raw.len};
    struct candidates c = {s, child, NULL, false};
    tls_trust_find(s->settings, &s->origin, issuer, add_candidate, &c);
    if (c.list && c.list->raw.p == NULL) {
        mbedtls_x509_crt_free(c.list);
        mbedtls_free(c.list);
        c.list = NULL;
    }
    *found = c.list;
    return c.failed ? MBEDTLS_ERR_X509_ALLOC_FAILED : 0;
}

/* ---- What went wrong ------------------------------------------------------------------------- */

static void explain_dates(const struct session *s, struct error *e)
{
    char text[160];
    struct writer w = writer_to(text, sizeof text - 1);
    bool floored;
    int64_t now = tls_clock_now(&floored);
    const mbedtls_x509_time *ends[] = {&s->from, &s->to};

    for (int i = 0; i < 2; i++) {
        const mbedtls_x509_time *t = ends[i];
        struct calendar c = {(unsigned)t->year, (unsigned)t->mon, (unsigned)t->day,
                             (unsigned)t->hour, (unsigned)t->min, (unsigned)t->sec};
        write_text(&w, i ? " to " : "valid from ");
        write_date(&w, &c);
    }
    write_text(&w, floored ? ", and it is at least " : ", and the clock says ");
    write_moment(&w, now);
    text[w.used] = '\0';
    error_set(e, REGTAG_BAD_DATES, "nothing but the dates of its certificate is wrong: %s; %s", text,
              s->flags & MBEDTLS_X509_BADCERT_FUTURE
                  ? "set the clock, or tell regtag a time that is over with --time-floor"
              : floored ? "the registry needs a new one, unless that time floor is wrong"
                        : "the registry needs a new one");
}

static void explain_untrusted(const struct session *s, struct error *e)
{
    char places[400];
    struct writer w = writer_to(places, sizeof places - 1);
    tls_trust_any(s->settings, &s->origin, &w);
    places[w.used] = '\0';
    error_set(
        e, REGTAG_UNTRUSTED,
        "its certificate is not signed by a CA that is trusted here (looked in %s); --cacert names one",
        places);
}

/* Explains the most serious one. */
static void explain_flags(const struct session *s, struct error *e)
{
    if (s->flags & MBEDTLS_X509_BADCERT_OTHER)
        error_set(e, REGTAG_UNTRUSTED, "its key is not the pinned one");
    else if (s->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        explain_untrusted(s, e);
    else if (s->flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        error_set(e, REGTAG_UNTRUSTED, "its certificate is for other names, not for %s", s->origin.host);
    else if (s->flags & MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)
        error_set(e, REGTAG_UNTRUSTED, "its certificate is not one for servers");
    else if ((s->flags & ~(uint32_t)DATES) == 0)
        explain_dates(s, e);
    else
        error_set(e, REGTAG_UNTRUSTED, "its certificates use a key or a hash that is too weak");
}

static const struct {
    unsigned char number;
    const char *text;
} ALERTS[] = {
    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE,
     "it knows no way to speak that is safe enough, or wants a client's certificate: --cert and --key"},
    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "it speaks neither TLS 1.2 nor 1.3"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED, "it wants a client's certificate: --cert and --key"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "it does not take the client's certificate: --cert and --key"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "it does not take the client's kind of certificate"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "the client's certificate is revoked"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "the client's certificate has expired"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "it does not take the client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "it does not know the CA of the client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "the client's certificate does not open it"},
    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, "it does not know this host name"},
};

static void explain_alert(const struct session *s, struct error *e)
{
    unsigned char number = s->ssl.in_msg ? s->ssl.in_msg[1] : 0;
    const char *text = "no reason that is known";
    for (size_t i = 0; i < sizeof ALERTS / sizeof ALERTS[0]; i++)
        if (ALERTS[i].number == number)
            text = ALERTS[i].text;
    error_set(e, REGTAG_UNTRUSTED, "the server ended TLS with alert %u: %s", (unsigned)number, text);
}

/* An error without a text of its own, written as in mbedTLS's documentation. */
static void explain_number(int result, struct error *e)
{
    bool certificate =
        (result <= -0x2080 && result >= -0x2980) || result == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
    static const char HEX[] = "0123456789ABCDEF";
    unsigned number = (unsigned)-result;
    char digits[5] = {HEX[number >> 12 & 15], HEX[number >> 8 & 15], HEX[number >> 4 & 15],
                      HEX[number & 15]};
    error_set(e, REGTAG_UNTRUSTED, "%s, with mbedTLS's error -0x%s",
              certificate ? "its certificate cannot be understood" : "TLS failed", digits);
}

static const char NO_RANDOMNESS[] =
    "TLS needs randomness, and neither getrandom nor /dev/urandom gives any";

/* Sets e by an error of mbedTLS. */
static void explain(struct session *s, int result, struct error *e)
{
    if (tls_arena_exhausted())
        error_set(e, REGTAG_OTHER,
                  "the %u bytes of memory for TLS are not enough for this server's certificates",
                  (unsigned)TLS_ARENA_SIZE);
    else if (random_failed)
        error_set(e, REGTAG_OTHER, "%s", NO_RANDOMNESS);
    else if (s->flags)
        explain_flags(s, e);
    else if (result == CONNECTION_LOST)
        error_set(e, REGTAG_NO_CONNECTION, "the connection was lost: %s", strerror(s->io_error));
    else if (result == MBEDTLS_ERR_SSL_CONN_EOF || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        error_set(e, REGTAG_NO_CONNECTION, "the connection was closed in the middle of TLS");
    else if (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
        explain_alert(s, e);
    else if (result == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION)
        error_set(e, REGTAG_UNTRUSTED, "the server speaks neither TLS 1.2 nor 1.3");
    else if (result == MBEDTLS_ERR_SSL_INVALID_RECORD || result == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE)
        error_set(
            e, REGTAG_PROTOCOL,
            "the server does not speak TLS as it should; --plain-http is for one that speaks none");
    else
        explain_number(result, e);
}

/* ---- Setting up ------------------------------------------------------------------------------ */

static bool start_once(const struct tls_settings *settings, struct error *e)
{
    static bool started;
    bool floored;
    if (started)
        return true;
    mbedtls_platform_set_time(time_for_tls);
    tls_clock_floor(settings->time_floor);
    tls_clock_now(&floored);
    if (floored && settings->trace) {
        char text[128];
        struct writer w = writer_to(text, sizeof text);
        write_text(&w, "the clock is before the time floor; certificates are held against ");
        write_moment(&w, tls_clock_now(&floored));
        settings->trace(settings->trace_context, REGTAG_TRACE_NOTE, text, w.used);
    }
    if (psa_crypto_init() != PSA_SUCCESS) {
        error_set(e, REGTAG_OTHER,
                  "TLS cannot be started: is there neither getrandom nor /dev/urandom?");
        return false;
    }
    started = true;
    return true;
}

/* Reads a file into memory of CLIENT_FILE_MAX bytes, and adds a NUL, which mbedTLS needs after PEM.
 * Returns the size with the NUL, or 0 and e set. */
static size_t read_file(const char *path, unsigned char *bytes, struct error *e)
{
    size_t size = 0;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && size < CLIENT_FILE_MAX - 1 &&
           (n = read(fd, bytes + size, CLIENT_FILE_MAX - 1 - size)) > 0)
        size += (size_t)n;
    int problem = errno;
    if (fd >= 0)
        close(fd);
    bytes[size] = '\0';
    if (n == 0)
        return size + 1;
    error_set(e, REGTAG_CREDENTIALS, "the client's certificate or key cannot be read: %s: %s", path,
              n < 0 ? strerror(problem) : "it is larger than 16 KiB");
    return 0;
}

static bool parse_client(const char *certificate, const char *key, struct error *e)
{
    static unsigned char bytes[CLIENT_FILE_MAX];
    size_t size = read_file(certificate, bytes, e);
    if (size && mbedtls_x509_crt_parse(&client.chain, bytes, size) != 0)
        error_set(e, REGTAG_CREDENTIALS, "there is no certificate in %s", certificate);
    size = e->status ? 0 : read_file(key, bytes, e);
    if (size && mbedtls_pk_parse_key(&client.key, bytes, size, NULL, 0, random_for_tls, NULL) != 0)
        error_set(e, REGTAG_CREDENTIALS, "there is no key in %s that can be used without a password",
                  key);
    if (!e->status && mbedtls_pk_check_pair(&client.chain.pk, &client.key, random_for_tls, NULL) != 0)
        error_set(e, REGTAG_CREDENTIALS, "the key in %s is not that of the certificate in %s", key,
                  certificate);
    wipe(bytes, sizeof bytes);
    return e->status == 0;
}

/* Uses the certificate of --cert, or one from the directories for the host, if there is any. */
static bool use_client(struct session *s, struct error *e)
{
    char certificate[PATH_TEXT_MAX], key[PATH_TEXT_MAX];
    const struct tls_settings *t = s->settings;
    const char *certificate_path = t->certificate;
    const char *key_path = t->key ? t->key : t->certificate;

    if (!certificate_path && tls_trust_client(&s->origin, certificate, key)) {
        certificate_path = certificate;
        key_path = key;
    }
    if (!certificate_path)
        return true;
    if (!client.read) {
        mbedtls_x509_crt_init(&client.chain);
        mbedtls_pk_init(&client.key);
        if (!parse_client(certificate_path, key_path, e))
            return false;
        client.read = true;
    }
    return mbedtls_ssl_conf_own_cert(&s->config, &client.chain, &client.key) == 0;
}

static bool check_trust(const struct session *s, struct error *e)
{
    char places[400];
    struct writer w = writer_to(places, sizeof places - 1);
    bool not_needed = s->registry && (s->settings->insecure || s->settings->pin_only);
    if (not_needed || tls_trust_any(s->settings, &s->origin, &w))
        return true;
    places[w.used] = '\0';
    error_set(e, REGTAG_UNTRUSTED, "there is no CA to trust it by: looked for %s; --cacert names one",
              places);
    return false;
}

static bool configure(struct session *s, struct error *e)
{
    bool verify_decides = s->registry && (s->settings->insecure || s->settings->pin_only);
    unsigned char address[16];
    bool is_name = address_bytes(s->origin.host, address) == 0;

    mbedtls_ssl_config_init(&s->config);
    mbedtls_ssl_init(&s->ssl);
    s->open = true;
    if (mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return false;
    /* After verify(), mbedTLS checks the certificate's uses. OPTIONAL: that does not override what
     * verify() has accepted for --insecure or --pin-only. What verify() refuses fails in either mode. */
    mbedtls_ssl_conf_authmode(&s->config, verify_decides ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                         : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_rng(&s->config, random_for_tls, NULL);
    mbedtls_ssl_conf_ca_cb(&s->config, find_issuer, s);
    mbedtls_ssl_conf_verify(&s->config, verify, s);
    if (s->registry && !use_client(s, e))
        return false;
    mbedtls_ssl_set_bio(&s->ssl, s, send_bytes, receive_bytes, NULL);
    return mbedtls_ssl_setup(&s->ssl, &s->config) == 0 &&
           mbedtls_ssl_set_hostname(&s->ssl, is_name ? s->origin.host : NULL) == 0;
}

bool tls_open(unsigned connection, int fd, const struct regtag_origin *origin,
              const struct tls_settings *settings, bool registry, struct error *e)
{
    struct session *s = &sessions[connection];
    tls_close(connection);
    memset(s, 0, sizeof *s);
    s->registry = registry;
    s->fd = fd;
    s->origin = *origin;
    s->settings = settings;
    if (!start_once(settings, e) || !check_trust(s, e))
        return false;
    if (configure(s, e))
        return true;
    if (e->status == 0)
        explain(s, MBEDTLS_ERR_SSL_INTERNAL_ERROR, e);
    tls_close(connection);
    return false;
}

void tls_close(unsigned connection)
{
    struct session *s = &sessions[connection];
    if (!s->open)
        return;
    mbedtls_ssl_close_notify(&s->ssl); /* tried once: it must not block */
    mbedtls_ssl_free(&s->ssl);
    mbedtls_ssl_config_free(&s->config);
    s->open = false;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

enum tls_progress tls_handshake(unsigned connection, struct error *e)
{
    struct session *s = &sessions[connection];
    s->reads_left = READS_PER_CALL;
    int result = mbedtls_ssl_handshake(&s->ssl);
    s->up = result == 0;
    if (s->up)
        return TLS_DONE;
    if (result == MBEDTLS_ERR_SSL_WANT_READ)
        return TLS_READ;
    if (result == MBEDTLS_ERR_SSL_WANT_WRITE)
        return TLS_WRITE;
    explain(s, result, e);
    return TLS_FAILED;
}

/* The result of a read or write that transferred nothing. */
static ptrdiff_t io_result(struct session *s, int result, enum tls_progress *wants, struct error *e)
{
    *wants = TLS_READ;
    switch (result) {
    case MBEDTLS_ERR_SSL_WANT_WRITE: *wants = TLS_WRITE; return REGTAG_AGAIN;
    case MBEDTLS_ERR_SSL_WANT_READ: return REGTAG_AGAIN;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return REGTAG_CLOSED;
    case 0:
    case MBEDTLS_ERR_SSL_CONN_EOF: return REGTAG_CUT;
    default: explain(s, result, e); return REGTAG_FAILED;
    }
}

ptrdiff_t tls_read(unsigned connection, void *bytes, size_t size, enum tls_progress *wants,
                   struct error *e)
{
    struct session *s = &sessions[connection];
    s->reads_left = READS_PER_CALL;
    int result = mbedtls_ssl_read(&s->ssl, bytes, size);
    return result > 0 ? result : io_result(s, result, wants, e);
}

ptrdiff_t tls_write(unsigned connection, const void *bytes, size_t size, enum tls_progress *wants,
                    struct error *e)
{
    struct session *s = &sessions[connection];
    s->reads_left = READS_PER_CALL;
    int result = mbedtls_ssl_write(&s->ssl, bytes, size);
    return result > 0 ? result : io_result(s, result, wants, e);
}

bool tls_pending(unsigned connection)
{
    return sessions[connection].open && mbedtls_ssl_check_pending(&sessions[connection].ssl);
}
