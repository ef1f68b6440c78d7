#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_tls_mbedtls.h"

#include <errno.h>
#include <string.h>

#include <mbedtls/x509.h>

#define CONNECTION_LOST (-0x0050) /* what mbedTLS's own sockets return for it */
#define DATES ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))
#define READS_A_CALL 64u /* however fast the peer talks, the caller looks at the clock in between */

/* ---- What mbedTLS reads from and writes to --------------------------------------------------- */

static int send_bytes(void *context, const unsigned char *bytes, size_t size)
{
    const struct regtag_mbedtls_session *s = context;
    ssize_t n = send(s->fd, bytes, size, MSG_NOSIGNAL);
    if (n >= 0)
        return (int)n;
    bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return later ? MBEDTLS_ERR_SSL_WANT_WRITE : CONNECTION_LOST;
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
    bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return later ? MBEDTLS_ERR_SSL_WANT_READ : CONNECTION_LOST;
}

/* ---- What went wrong ------------------------------------------------------------------------- */

static int failed(struct regtag_mbedtls_session *s, enum regtag_status status, const char *text)
{
    s->status = status;
    s->text = text;
    return REGTAG_FAILED;
}

/* mbedTLS's documentation lists its errors by number. */
static int failed_with_number(struct regtag_mbedtls_session *s, int error)
{
    static const char TEXT[] = "TLS failed, with mbedTLS's error -0x";
    static const char HEX[] = "0123456789ABCDEF";
    char *end = s->number + sizeof TEXT - 1;
    memcpy(s->number, TEXT, sizeof TEXT - 1);
    for (int shift = 12; shift >= 0; shift -= 4)
        *end++ = HEX[(unsigned)-error >> shift & 15];
    *end = '\0';
    return failed(s, REGTAG_UNTRUSTED, s->number);
}

static int failed_certificate(struct regtag_mbedtls_session *s, uint32_t flags)
{
    if (flags & MBEDTLS_X509_BADCERT_SKIP_VERIFY)
        return failed(s, REGTAG_UNTRUSTED, "its certificate was not verified: see authmode");
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return failed(s, REGTAG_UNTRUSTED, "its certificate is not signed by a CA that is trusted here");
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        return failed(s, REGTAG_UNTRUSTED, "its certificate is for other names");
    if ((flags & ~DATES) == 0)
        return failed(s, REGTAG_BAD_DATES, "nothing but the dates of its certificate is wrong");
    return failed(s, REGTAG_UNTRUSTED, "its certificate cannot be trusted");
}

static int failed_because(struct regtag_mbedtls_session *s, int error)
{
    switch (error) {
    case CONNECTION_LOST: return failed(s, REGTAG_NO_CONNECTION, "the connection was lost");
    case 0:
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return failed(s, REGTAG_NO_CONNECTION, "the connection was closed in the middle of TLS");
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return failed(s, REGTAG_OTHER, "there is not enough memory for TLS");
    default: return failed_with_number(s, error);
    }
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

/* ---- A session ------------------------------------------------------------------------------- */

static void close_session(void *context, unsigned connection)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    if (!s->in_use)
        return;
    mbedtls_ssl_close_notify(&s->ssl); /* as far as it goes without waiting */
    mbedtls_ssl_free(&s->ssl);
    s->in_use = false;
}

static int open_session(void *context, unsigned connection, int fd, const char *host)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    int error = 0;
    close_session(m, connection);
    if (!m->config[connection])
        return failed(s, REGTAG_UNTRUSTED, "TLS is not set up for this connection");
    mbedtls_ssl_init(&s->ssl);
    s->in_use = true;
    s->fd = fd;
    mbedtls_ssl_set_bio(&s->ssl, s, send_bytes, receive_bytes, NULL);
    error = mbedtls_ssl_setup(&s->ssl, m->config[connection]);
    if (error == 0)
        error = mbedtls_ssl_set_hostname(&s->ssl, host);
    return error == 0 ? 0 : failed_because(s, error);
}

static int handshake(void *context, unsigned connection, short *events)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    s->reads_left = READS_A_CALL;
    int result = mbedtls_ssl_handshake(&s->ssl);
    if (waits(result, events))
        return REGTAG_AGAIN;
    uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);
    if (result != 0 && (flags == 0 || flags == UINT32_MAX)) /* it did not come so far */
        return failed_because(s, result);
    return flags == 0 ? 0 : failed_certificate(s, flags);
}

/* What a result of reading or writing that moved no byte means. */
static ptrdiff_t nothing_moved(struct regtag_mbedtls_session *s, int result, short *events)
{
    if (waits(result, events))
        return REGTAG_AGAIN;
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return REGTAG_CLOSED;
    if (result == 0 || result == MBEDTLS_ERR_SSL_CONN_EOF)
        return REGTAG_CUT;
    return failed_because(s, result);
}

static ptrdiff_t read_session(void *context, unsigned connection, void *bytes, size_t size,
                              short *events)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    s->reads_left = READS_A_CALL;
    int result = mbedtls_ssl_read(&s->ssl, bytes, size);
    return result > 0 ? result : nothing_moved(s, result, events);
}

static ptrdiff_t write_session(void *context, unsigned connection, const void *bytes, size_t size,
                               short *events)
{
    struct regtag_mbedtls *m = context;
    struct regtag_mbedtls_session *s = &m->sessions[connection];
    s->reads_left = READS_A_CALL;
    int result = mbedtls_ssl_write(&s->ssl, bytes, size);
    return result > 0 ? result : nothing_moved(s, result, events);
}

/* What was found wrong with a certificate will be found again; the rest may be the network's doing. */
static enum regtag_status failure(void *context, unsigned connection, const char **text, bool *lasting)
{
    const struct regtag_mbedtls *m = context;
    enum regtag_status status = m->sessions[connection].status;
    *text = m->sessions[connection].text;
    *lasting = status == REGTAG_UNTRUSTED || status == REGTAG_BAD_DATES;
    return status;
}

static bool pending(void *context, unsigned connection)
{
    const struct regtag_mbedtls *m = context;
    const struct regtag_mbedtls_session *s = &m->sessions[connection];
    return s->in_use && mbedtls_ssl_check_pending(&s->ssl);
}

struct regtag_tls regtag_mbedtls_tls(struct regtag_mbedtls *m)
{
    return (struct regtag_tls){m,       open_session, handshake,    read_session, write_session,
                               failure, pending,      close_session};
}
