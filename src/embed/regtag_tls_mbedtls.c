/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_tls_mbedtls.h"

#include <errno.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "regtag_address.h"
#include "regtag_chain.h"
#include "regtag_connect.h"

#define CONNECTION_LOST (-0x0050) /* what mbedTLS's own sockets return for it */
#define DATES ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))
#define WEAK_KEY ((uint32_t)(MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY))
#define NAMES_SHOWN_MAX 5u
#define NAME_SHOWN_MAX 64u
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

static void append(struct regtag_mbedtls_session *s, const char *more)
{
    regtag_text_add(s->text, sizeof s->text, more);
}

/* Text from a certificate. */
static void append_bytes(struct regtag_mbedtls_session *s, const mbedtls_x509_buf *bytes)
{
    for (size_t i = 0; i < bytes->len && i < NAME_SHOWN_MAX; i++) {
        char c[2] = {bytes->p[i] ? (char)bytes->p[i] : '?', '\0'};
        append(s, c);
    }
    if (bytes->len > NAME_SHOWN_MAX)
        append(s, "...");
}

/* Its common name, or else the last part of its subject. */
static void append_certificate(struct regtag_mbedtls_session *s, const mbedtls_x509_crt *certificate,
                               int depth)
{
    const mbedtls_x509_name *name = &certificate->subject;
    if (depth == 0) {
        append(s, "its certificate");
        return;
    }
    while (name->next && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) != 0)
        name = name->next;
    append(s, "the CA certificate \"");
    append_bytes(s, &name->val);
    append(s, "\"");
}

/* The more serious a flaw, the later it comes here. */
enum { DATED = 1, WEAK, MISUSED, CONSTRAINED, MISNAMED, UNVERIFIABLE };

/* Tells about a flaw: what stands before and after the name of a certificate. False: there is a worse
 * one. */
static bool tell(struct regtag_mbedtls_session *s, unsigned seriousness, const char *before,
                 const mbedtls_x509_crt *certificate, int depth, const char *after)
{
    if (s->seriousness >= seriousness)
        return false;
    s->seriousness = seriousness;
    s->text[0] = '\0';
    append(s, before);
    append_certificate(s, certificate, depth);
    append(s, after);
    return true;
}

static void tell_dates(struct regtag_mbedtls_session *s, const mbedtls_x509_crt *certificate, int depth)
{
    if (!tell(s, DATED, "only the dates of ", certificate, depth, " are wrong"))
        return;
    s->from = certificate->valid_from;
    s->to = certificate->valid_to;
    s->dated = depth == 0 ? REGTAG_MBEDTLS_SERVER
               : s->count ? REGTAG_MBEDTLS_BETWEEN
                          : REGTAG_MBEDTLS_ROOT;
}

static void append_address(struct regtag_mbedtls_session *s, const mbedtls_x509_buf *bytes)
{
    struct regtag_address a;
    char text[REGTAG_ADDRESS_TEXT_MAX];
    a.socket.any.sa_family = bytes->len == 4 ? AF_INET : AF_INET6;
    memcpy(bytes->len == 4 ? (void *)&a.socket.v4.sin_addr : &a.socket.v6.sin6_addr, bytes->p,
           bytes->len);
    regtag_address_text(&a, text);
    append(s, text);
}

static void tell_names(struct regtag_mbedtls_session *s, const mbedtls_x509_crt *certificate)
{
    unsigned shown = 0;
    if (!tell(s, MISNAMED, "", certificate, 0, " is not for "))
        return;
    append(s, s->origin->host);
    for (const mbedtls_x509_sequence *n = &certificate->subject_alt_names; n; n = n->next) {
        unsigned kind = (unsigned)n->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
        bool address = kind == MBEDTLS_X509_SAN_IP_ADDRESS && (n->buf.len == 4 || n->buf.len == 16);
        if (!address && kind != MBEDTLS_X509_SAN_DNS_NAME)
            continue;
        append(s, shown == NAMES_SHOWN_MAX ? " and others" : shown ? ", " : ", but for ");
        if (shown++ == NAMES_SHOWN_MAX)
            return;
        if (address)
            append_address(s, &n->buf);
        else
            append_bytes(s, &n->buf);
    }
    append(s, shown ? "" : ": it has no subject alternative names");
}

static bool is_self_issued(const mbedtls_x509_crt *c)
{
    return c->issuer_raw.len == c->subject_raw.len &&
           memcmp(c->issuer_raw.p, c->subject_raw.p, c->issuer_raw.len) == 0;
}

/* Checks the name constraints of those above it. */
static void inspect_names(struct regtag_mbedtls_session *s, const mbedtls_x509_crt *certificate,
                          int depth)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (regtag_chain_permits(s->above[i], certificate))
            continue;
        s->flags |= REGTAG_BADCERT_CONSTRAINTS;
        if (tell(s, CONSTRAINED, "the name constraints of ", s->above[i], 1, " forbid a name of "))
            append_certificate(s, certificate, depth);
    }
}

/* What is wrong with one certificate. */
static void inspect(struct regtag_mbedtls_session *s, const mbedtls_x509_crt *certificate, int depth,
                    uint32_t flags)
{
    bool self_issued = is_self_issued(certificate);
    s->flags |= flags;
    if (flags & DATES)
        tell_dates(s, certificate, depth);
    if (flags & WEAK_KEY)
        tell(s, WEAK, "", certificate, depth, " has, or is signed with, a key that is too weak");
    /* How a root is signed that the server sends along is not why it is not trusted. */
    if ((flags & MBEDTLS_X509_BADCERT_BAD_MD) && !self_issued)
        tell(s, UNVERIFIABLE, "", certificate, depth,
             " is signed with SHA-1 or another method that is not accepted");
    if (!regtag_chain_is_for_servers(certificate, depth > 0)) {
        s->flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
        tell(s, MISUSED, "", certificate, depth, " is not for servers");
    }
    /* A CA that has issued a new certificate to itself is exempt (RFC 5280, 6.1.3). */
    if (depth == 0 || !self_issued)
        inspect_names(s, certificate, depth);
    if (depth == 0 && !regtag_chain_is_for_host(certificate, s->origin->host)) {
        s->flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
        tell_names(s, certificate);
    }
}

/* mbedTLS calls it for each certificate, from the root to the server's own (depth 0), which decides. */
static int verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct regtag_mbedtls_session *s = context;
    const struct regtag_mbedtls *m = s->owner;
    inspect(s, certificate, depth, *flags);
    *flags = 0;
    if (depth > 0) {
        if (s->count < sizeof s->above / sizeof s->above[0])
            s->above[s->count++] = certificate;
        return 0;
    }
    if (m->judge)
        s->flags = m->judge(m->context, s->number, certificate);
    s->verified = true;
    *flags = s->flags;
    return s->flags ? MBEDTLS_ERR_X509_FATAL_ERROR : 0;
}

/* The same for a program that verifies by itself: mbedTLS has found no CA, and comes to the server's own at last. */
static int let_verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct regtag_mbedtls_session *s = context;
    const struct regtag_mbedtls *m = s->owner;
    *flags = 0;
    return depth > 0 ? 0 : m->verify(m->context, s->number, certificate, verify, s);
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

/* The most serious one. */
static struct regtag_failure failure_by_flags(struct regtag_mbedtls_session *s)
{
    uint32_t flags = s->flags;
    if (flags & MBEDTLS_X509_BADCERT_OTHER)
        return untrusted("its key is not the pinned one");
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) && s->seriousness < UNVERIFIABLE)
        return failure(REGTAG_E_UNTRUSTED, "its certificate is not signed by a trusted CA",
                       REGTAG_HINT_CA);
    if ((flags & ~DATES) == 0)
        return failure(REGTAG_E_BAD_DATES, s->text, REGTAG_HINT_CLOCK);
    return untrusted(s->text);
}

static const struct {
    unsigned char number;
    unsigned char hint;
    const char *text;
} ALERTS[] = {
    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, REGTAG_HINT_CERTIFICATE,
     "no cipher or kind of key in common, or it requires a client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, REGTAG_HINT_NONE, "it speaks neither TLS 1.2 nor 1.3"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED, REGTAG_HINT_CERTIFICATE, "it requires a client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, REGTAG_HINT_CERTIFICATE, "it rejects the client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, REGTAG_HINT_NONE,
     "it does not support this kind of client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, REGTAG_HINT_NONE, "the client certificate is revoked"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, REGTAG_HINT_NONE, "the client certificate has expired"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, REGTAG_HINT_NONE, "it rejects the client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, REGTAG_HINT_NONE,
     "it does not know the CA of the client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, REGTAG_HINT_NONE, "the client certificate gives no access"},
    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, REGTAG_HINT_NONE, "it does not know this host name"},
};

static struct regtag_failure failure_by_alert(struct regtag_mbedtls_session *s)
{
    /* mbedTLS 3.6 tells nobody which alert it was. */
    const unsigned char *alert = s->ssl.MBEDTLS_PRIVATE(in_msg);
    unsigned number = alert ? alert[1] : 0;
    struct regtag_failure f = untrusted(s->text);
    const char *text = "unknown reason";
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

const char *regtag_mbedtls_unusable(int error)
{
    if (error == MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE ||
        error == MBEDTLS_ERR_X509_INVALID_EXTENSIONS + MBEDTLS_ERR_ASN1_UNEXPECTED_TAG)
        return "has a critical extension that is not supported";
    if (-error >> 12 == 3) /* an error of PK */
        return "has a kind of key that is not supported: RSA with up to 4096 bits, P-256 and P-384 are";
    return (error <= -0x2080 && error >= -0x2980) || error == MBEDTLS_ERR_SSL_BAD_CERTIFICATE
               ? "cannot be understood"
               : NULL;
}

/* An error without a text of its own, written as in mbedTLS's documentation. */
static struct regtag_failure failure_by_number(struct regtag_mbedtls_session *s, int error)
{
    static const char HEX[] = "0123456789ABCDEF";
    const char *certificate = regtag_mbedtls_unusable(error);
    unsigned number = (unsigned)-error;
    const char digits[5] = {HEX[number >> 12 & 15], HEX[number >> 8 & 15], HEX[number >> 4 & 15],
                            HEX[number & 15]};
    s->text[0] = '\0';
    append(s, certificate ? "its certificate " : "TLS failed");
    append(s, certificate ? certificate : "");
    append(s, " (mbedTLS error -0x");
    append(s, digits);
    append(s, ")");
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
        return failure(REGTAG_E_NO_CONNECTION, "the TLS connection was closed unexpectedly",
                       REGTAG_HINT_NONE);
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return failure(REGTAG_E_OTHER, "not enough memory for TLS", REGTAG_HINT_NONE);
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return failure_by_alert(s);
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return untrusted("the server speaks neither TLS 1.2 nor 1.3");
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:
        return untrusted("a message in its handshake is larger than 16 KiB: "
                         "it sends too many certificates, or one that is too large");
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        /* mbedTLS 3.6 cannot change keys or authenticate anew on a connection, which TLS 1.3 allows. */
        if (s->up)
            return failure(REGTAG_E_NO_CONNECTION,
                           "the server wants to change keys in the middle of a connection",
                           REGTAG_HINT_NONE);
        return failure(REGTAG_E_PROTOCOL, "the server does not speak proper TLS",
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
    mbedtls_ssl_set_verify(&s->ssl, s->owner->verify ? let_verify : verify, s);
    return error ? error
                 : mbedtls_ssl_set_hostname(&s->ssl, regtag_chain_address(host, address) ? NULL : host);
}

static int open_session(void *context, unsigned connection, int fd, const struct regtag_origin *origin,
                        struct regtag_failure *f)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    const mbedtls_ssl_config *config = m->config;
    if (connection >= m->count) {
        *f = failure(REGTAG_E_OTHER, "no memory for its TLS session", REGTAG_HINT_NONE);
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
    /* What has to wait, mbedTLS has in its record already, and takes no more into it. But it would say that it has written all
     * of what is offered, which may be more by now. */
    size_t part = s->waiting && s->waiting < size ? s->waiting : size;
    int result = mbedtls_ssl_write(&s->ssl, bytes, part);
    s->waiting = result > 0 ? 0 : part;
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
