/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

/* For the number of an alert. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "regtag_tls_mbedtls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "regtag_connect.h"

#define CONNECTION_LOST (-0x0050) /* what mbedTLS's own sockets return for it */
#define DATES ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))
#define READS_PER_CALL 64u /* then the caller looks at the clock, however fast the peer sends */

/* ---- What mbedTLS reads from and writes to --------------------------------------------------- */

static bool is_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int send_bytes(void *context, const unsigned char *bytes, size_t size)
{
    struct regtag_mbedtls_session *s = context;
    ssize_t n = send(s->fd, bytes, size, MSG_NOSIGNAL);
    if (n >= 0)
        return (int)n;
    if (is_later())
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    s->io_error = errno;
    /* A server that refuses our certificate sends an alert and closes. Reading that tells more than this
     * error, so pretend that the bytes were sent. */
    return s->up ? CONNECTION_LOST : (int)size;
}

static int receive_bytes(void *context, unsigned char *bytes, size_t size)
{
    struct regtag_mbedtls_session *s = context;
    if (s->reads_left == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    s->reads_left--;
    ssize_t n = recv(s->fd, bytes, size, 0);
    if (n >= 0)
        return (int)n;
    if (is_later() && !s->io_error)
        return MBEDTLS_ERR_SSL_WANT_READ;
    if (!is_later())
        s->io_error = errno;
    return CONNECTION_LOST;
}

/* ---- Verification ---------------------------------------------------------------------------- */

/* Parses a numeric address into 4 or 16 bytes, and returns how many; 0: it is a name. */
static size_t address_bytes(const char *host, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, host, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, host, bytes) == 1 ? 16 : 0;
}

/* mbedTLS falls back to the common name if there are no alternative names. It has compared names;
 * addresses are compared here. */
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

/* mbedTLS calls it for each certificate, from the root to the server's own (depth 0), which decides. */
static int verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct regtag_mbedtls_session *s = context;
    const struct regtag_mbedtls *m = s->owner;
    if ((*flags & DATES) && !(s->flags & DATES)) {
        s->from = certificate->valid_from;
        s->to = certificate->valid_to;
    }
    s->flags |= *flags;
    *flags = 0;
    if (depth > 0)
        return 0;
    if (!is_for_host(certificate, s->origin->host))
        s->flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (!is_for_servers(certificate))
        s->flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    if (m->judge)
        s->flags = m->judge(m->context, s->number, certificate);
    s->verified = true;
    *flags = s->flags;
    return s->flags ? MBEDTLS_ERR_X509_FATAL_ERROR : 0;
}

/* ---- What went wrong ------------------------------------------------------------------------- */

static struct regtag_failure failure(enum regtag_status status, const char *text, enum regtag_hint hint)
{
    struct regtag_failure f;
    memset(&f, 0, sizeof f);
    f.status = status;
    f.text = text;
    f.hint = hint;
    f.lasting = status == REGTAG_E_UNTRUSTED || status == REGTAG_E_BAD_DATES;
    return f;
}

static struct regtag_failure untrusted(const char *text)
{
    return failure(REGTAG_E_UNTRUSTED, text, REGTAG_HINT_NONE);
}

static void append(struct regtag_mbedtls_session *s, const char *more)
{
    regtag_text_add(s->text, sizeof s->text, more);
}

static struct regtag_failure failure_by_name(struct regtag_mbedtls_session *s)
{
    s->text[0] = '\0';
    append(s, "its certificate is for other names, not for ");
    append(s, s->origin->host);
    return untrusted(s->text);
}

/* The most serious one. */
static struct regtag_failure failure_by_flags(struct regtag_mbedtls_session *s)
{
    uint32_t flags = s->flags;
    if (flags & MBEDTLS_X509_BADCERT_OTHER)
        return untrusted("its key is not the pinned one");
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return failure(REGTAG_E_UNTRUSTED, "its certificate is not signed by a CA that is trusted here",
                       REGTAG_HINT_CA);
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        return failure_by_name(s);
    if (flags & MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)
        return untrusted("its certificate is not one for servers");
    if ((flags & ~DATES) == 0)
        return failure(REGTAG_E_BAD_DATES, "nothing but the dates of its certificate is wrong",
                       REGTAG_HINT_CLOCK);
    return untrusted("its certificates use a key or a hash that is too weak");
}

static const struct {
    unsigned char number;
    unsigned char hint;
    const char *text;
} ALERTS[] = {
    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, REGTAG_HINT_CERTIFICATE,
     "it knows no way to speak that is safe enough, or wants a client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, REGTAG_HINT_NONE, "it speaks neither TLS 1.2 nor 1.3"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED, REGTAG_HINT_CERTIFICATE, "it wants a client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, REGTAG_HINT_CERTIFICATE,
     "it does not take the client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, REGTAG_HINT_NONE,
     "it does not take the client's kind of certificate"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, REGTAG_HINT_NONE, "the client's certificate is revoked"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, REGTAG_HINT_NONE, "the client's certificate has expired"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, REGTAG_HINT_NONE, "it does not take the client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, REGTAG_HINT_NONE,
     "it does not know the CA of the client's certificate"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, REGTAG_HINT_NONE, "the client's certificate does not open it"},
    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, REGTAG_HINT_NONE, "it does not know this host name"},
};

static struct regtag_failure failure_by_alert(struct regtag_mbedtls_session *s)
{
    unsigned number = s->ssl.in_msg ? s->ssl.in_msg[1] : 0;
    struct regtag_failure f = untrusted(s->text);
    const char *text = "no reason that is known";
    for (size_t i = 0; i < sizeof ALERTS / sizeof ALERTS[0]; i++)
        if (ALERTS[i].number == number) {
            text = ALERTS[i].text;
            f.hint = (enum regtag_hint)ALERTS[i].hint;
        }
    s->text[0] = '\0';
    append(s, "the server ended TLS with alert ");
    regtag_text_add_number(s->text, sizeof s->text, number);
    append(s, ": ");
    append(s, text);
    return f;
}

/* An error without a text of its own, written as in mbedTLS's documentation. */
static struct regtag_failure failure_by_number(struct regtag_mbedtls_session *s, int error)
{
    static const char HEX[] = "0123456789ABCDEF";
    bool certificate =
        (error <= -0x2080 && error >= -0x2980) || error == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
    unsigned number = (unsigned)-error;
    const char digits[5] = {HEX[number >> 12 & 15], HEX[number >> 8 & 15], HEX[number >> 4 & 15],
                            HEX[number & 15]};
    s->text[0] = '\0';
    append(s, certificate ? "its certificate cannot be understood" : "TLS failed");
    append(s, ", with mbedTLS's error -0x");
    append(s, digits);
    return untrusted(s->text);
}

static struct regtag_failure failure_by_loss(struct regtag_mbedtls_session *s)
{
    regtag_text_loss(s->text, sizeof s->text, s->io_error);
    return failure(REGTAG_E_NO_CONNECTION, s->text, REGTAG_HINT_NONE);
}

static struct regtag_failure failure_by_error(struct regtag_mbedtls_session *s, int error)
{
    switch (error) {
    case CONNECTION_LOST: return failure_by_loss(s);
    case 0:
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return failure(REGTAG_E_NO_CONNECTION, "the connection was closed in the middle of TLS",
                       REGTAG_HINT_NONE);
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return failure(REGTAG_E_OTHER, "there is not enough memory for TLS", REGTAG_HINT_NONE);
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return failure_by_alert(s);
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return untrusted("the server speaks neither TLS 1.2 nor 1.3");
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        return failure(REGTAG_E_PROTOCOL, "the server does not speak TLS as it should",
                       REGTAG_HINT_SCHEME_PLAIN);
    default: return failure_by_number(s, error);
    }
}

static int fail(struct regtag_mbedtls_session *s, int error, struct regtag_failure *f)
{
    const struct regtag_mbedtls *m = s->owner;
    *f = s->flags ? failure_by_flags(s) : failure_by_error(s, error);
    if (m->explain)
        m->explain(m->context, s->number, s->flags ? 0 : error, f);
    return REGTAG_IO_FAILED;
}

/* ---- A session ------------------------------------------------------------------------------- */

static void close_session(void *context, unsigned connection)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    if (!s->in_use)
        return;
    mbedtls_ssl_close_notify(&s->ssl); /* tried once: it must not block */
    mbedtls_ssl_free(&s->ssl);
    s->in_use = false;
    if (m->release)
        m->release(m->context, connection);
}

static int set_up(struct regtag_mbedtls_session *s, const mbedtls_ssl_config *config)
{
    unsigned char address[16];
    const char *host = s->origin->host;
    int error = mbedtls_ssl_setup(&s->ssl, config);
    mbedtls_ssl_set_bio(&s->ssl, s, send_bytes, receive_bytes, NULL);
    mbedtls_ssl_set_verify(&s->ssl, verify, s);
    return error ? error : mbedtls_ssl_set_hostname(&s->ssl, address_bytes(host, address) ? NULL : host);
}

static int open_session(void *context, unsigned connection, int fd, const struct regtag_origin *origin,
                        struct regtag_failure *f)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    const mbedtls_ssl_config *config = m->config;
    if (connection >= m->count) {
        *f = failure(REGTAG_E_OTHER, "there is no memory for its TLS session", REGTAG_HINT_NONE);
        return REGTAG_IO_FAILED;
    }
    close_session(m, connection);
    memset(s, 0, sizeof *s);
    s->owner = m;
    s->number = connection;
    s->fd = fd;
    s->origin = origin;
    if (m->configure)
        config = m->configure(m->context, connection, origin, f);
    else if (!config)
        *f = untrusted("TLS is not set up for this connection");
    if (!config)
        return REGTAG_IO_FAILED;
    mbedtls_ssl_init(&s->ssl);
    s->in_use = true;
    int error = set_up(s, config);
    if (error == 0)
        return 0;
    fail(s, error, f);
    close_session(m, connection);
    return REGTAG_IO_FAILED;
}

/* Whether the same call may be made again later; *events is what is waited for until then. */
static bool waits(int result, short *events)
{
    switch (result) {
    case MBEDTLS_ERR_SSL_WANT_READ: *events = POLLIN; return true;
    case MBEDTLS_ERR_SSL_WANT_WRITE: *events = POLLOUT; return true;
    case MBEDTLS_ERR_SSL_ASYNC_IN_PROGRESS:
    case MBEDTLS_ERR_SSL_CRYPTO_IN_PROGRESS:
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET: *events = 0; return true;
    default: return false;
    }
}

/* `verified`: an authmode that does not verify must not pass for trust. */
static int handshake(void *context, unsigned connection, short *events, struct regtag_failure *f)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    s->reads_left = READS_PER_CALL;
    int result = mbedtls_ssl_handshake(&s->ssl);
    if (waits(result, events))
        return REGTAG_IO_AGAIN;
    s->up = result == 0 && s->verified && s->flags == 0;
    if (s->up)
        return 0;
    if (result != 0 || s->flags)
        return fail(s, result, f);
    *f = untrusted("its certificate was not verified: see authmode");
    return REGTAG_IO_FAILED;
}

/* The result of a read or write that transferred nothing. */
static ptrdiff_t nothing_moved(struct regtag_mbedtls_session *s, int result, short *events,
                               struct regtag_failure *f)
{
    if (waits(result, events))
        return REGTAG_IO_AGAIN;
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return REGTAG_IO_CLOSED;
    if (result == 0 || result == MBEDTLS_ERR_SSL_CONN_EOF)
        return REGTAG_IO_CUT;
    return fail(s, result, f);
}

static ptrdiff_t read_session(void *context, unsigned connection, void *bytes, size_t size,
                              short *events, struct regtag_failure *f)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    s->reads_left = READS_PER_CALL;
    int result = mbedtls_ssl_read(&s->ssl, bytes, size);
    return result > 0 ? result : nothing_moved(s, result, events, f);
}

static ptrdiff_t write_session(void *context, unsigned connection, const void *bytes, size_t size,
                               short *events, struct regtag_failure *f)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    s->reads_left = READS_PER_CALL;
    int result = mbedtls_ssl_write(&s->ssl, bytes, size);
    return result > 0 ? result : nothing_moved(s, result, events, f);
}

static bool pending(void *context, unsigned connection)
{
    const struct regtag_mbedtls *m = context;
    const struct regtag_mbedtls_session *s = &m->sessions[connection];
    return s->in_use && mbedtls_ssl_check_pending(&s->ssl);
}

struct regtag_tls regtag_mbedtls_tls(struct regtag_mbedtls *m)
{
    struct regtag_tls tls;
    memset(&tls, 0, sizeof tls);
    tls.context = m;
    tls.open = open_session;
    tls.handshake = handshake;
    tls.read = read_session;
    tls.write = write_session;
    tls.pending = pending;
    tls.close = close_session;
    return tls;
}
