#include "net/tls_pem.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "net/file.h"

/* ---- The file, byte by byte ------------------------------------------------------------------ */

/* A byte order mark, as editors on Windows write it. */
static void skip_mark(struct tls_pem *p)
{
    if (slice_starts((struct slice){p->data, p->size}, SLICE("\xef\xbb\xbf")))
        p->used = 3;
}

static ssize_t read_file(struct tls_pem *p)
{
    ssize_t n;
    do
        n = read(p->fd, p->buffer, sizeof p->buffer);
    while (n < 0 && errno == EINTR);
    return n;
}

bool tls_pem_open(struct tls_pem *p, const char *path)
{
    struct slice text;
    p->used = p->size = p->total = 0;
    p->fd = -1;
    p->problem = NULL;
    if (file_kept(path, &text)) {
        p->data = text.data;
        p->size = text.size;
        skip_mark(p);
        return true;
    }
    p->data = p->buffer;
    p->fd = file_open(path);
    if (p->fd < 0)
        return false;
    /* A directory can be opened, but not read. */
    ssize_t n = read_file(p);
    if (n < 0) {
        int problem = errno;
        close(p->fd);
        errno = problem;
        return false;
    }
    p->size = (size_t)n;
    skip_mark(p);
    return true;
}

void tls_pem_close(struct tls_pem *p)
{
    if (p->fd >= 0)
        close(p->fd);
}

/* Reads more, up to TLS_FILE_MAX. False at the end, or p->problem says why not. */
static bool fill(struct tls_pem *p)
{
    if (p->fd < 0)
        return false;
    if (p->total >= TLS_FILE_MAX) {
        p->problem = "it is larger than 16 MiB";
        return false;
    }
    ssize_t n = read_file(p);
    if (n < 0)
        p->problem = strerror(errno);
    if (n <= 0)
        return false;
    p->used = 0;
    p->size = (size_t)n;
    p->total += (size_t)n;
    return true;
}

/* The next byte, or -1. */
static int next_byte(struct tls_pem *p)
{
    return p->used == p->size && !fill(p) ? -1 : (unsigned char)p->data[p->used++];
}

/* The next line, without white space at its end; a long one is cut. False at the end of the file. */
static bool next_line(struct tls_pem *p, struct slice *line)
{
    size_t size = 0;
    int c = next_byte(p);
    if (c < 0)
        return false;
    for (; c >= 0 && c != '\n'; c = next_byte(p))
        if (size < sizeof p->line)
            p->line[size++] = (char)c;
    while (size && (p->line[size - 1] == '\r' || p->line[size - 1] == ' ' || p->line[size - 1] == '\t'))
        size--;
    *line = (struct slice){p->line, size};
    return true;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

/* Of a line, without its first dash. Not "TRUSTED CERTIFICATE", OpenSSL's own format, which has more data
 * after the certificate. */
static bool is_begin(struct slice line)
{
    return slice_equal(line, SLICE("----BEGIN CERTIFICATE-----")) ||
           slice_equal(line, SLICE("----BEGIN X509 CERTIFICATE-----"));
}

/* Decodes what was collected in p->line and appends it to p->der. */
static bool decode(struct tls_pem *p, size_t digits, size_t *size)
{
    struct slice part;
    if (!base64_decode((struct slice){p->line, digits}, p->der + *size, sizeof p->der - *size, &part))
        return false;
    *size += part.size;
    return true;
}

/* Decodes up to "-----END", whatever the length of the lines: a buffer of digits at a time, so only the
 * last one may have a number that is not a multiple of four. False if they are not valid. */
static bool read_body(struct tls_pem *p, struct slice *der)
{
    struct slice line = SLICE("");
    size_t size = 0, digits = 0;
    for (int c = next_byte(p); c >= 0; c = next_byte(p)) {
        if (c == '-') {
            bool decoded = decode(p, digits, &size);
            *der = (struct slice){p->der, size};
            if (!next_line(p, &line) || !is_begin(line))
                return decoded && size > 0 && slice_starts(line, SLICE("----END "));
            size = digits = 0; /* the previous certificate has no end */
        } else if (c != '\n' && c != '\r' && c != ' ' && c != '\t')
            p->line[digits++] = (char)c;
        if (digits == sizeof p->line) {
            if (!decode(p, digits, &size))
                return false;
            digits = 0;
        }
    }
    return false;
}

static bool read_der(struct tls_pem *p, struct slice *der)
{
    size_t size = 0;
    for (int c = next_byte(p); c >= 0; c = next_byte(p)) {
        if (size == sizeof p->der)
            return false;
        p->der[size++] = (char)c;
    }
    *der = (struct slice){p->der, size};
    return size > 0;
}

bool tls_pem_next(struct tls_pem *p, struct slice *der)
{
    struct slice line;
    /* An ASN.1 sequence that is longer than 127 bytes, which no text begins like: the file is in DER. */
    if (p->used == 0 && p->size > 1 && p->data[0] == 0x30 && (p->data[1] & 0x80))
        return read_der(p, der);
    while (next_line(p, &line))
        if (slice_starts(line, SLICE("-")) && is_begin(slice_from(line, 1)) && read_body(p, der))
            return true;
    return false;
}

/* ---- DER: just enough to find the subject ---------------------------------------------------- */

/* Takes one element off *in. */
static bool take_element(struct slice *in, unsigned char *tag, struct slice *whole,
                         struct slice *content)
{
    size_t at = 2, size;
    if (in->size < 2)
        return false;
    *tag = (unsigned char)in->data[0];
    size = (unsigned char)in->data[1];
    if (size > 0x80) {
        size_t digits = size - 0x80;
        if (digits > 3 || in->size < 2 + digits)
            return false;
        for (size = 0; digits > 0; digits--)
            size = size << 8 | (unsigned char)in->data[at++];
    } else if (size == 0x80)
        return false;
    if (size > in->size - at)
        return false;
    *whole = slice_head(*in, at + size);
    *content = slice_from(*whole, at);
    *in = slice_from(*in, at + size);
    return true;
}

struct slice tls_certificate_subject(struct slice der)
{
    /* Certificate, tbsCertificate, and in it: [0] version, serial number, algorithm, issuer, validity,
     * subject. */
    static const unsigned char TAGS[] = {0x02, 0x30, 0x30, 0x30, 0x30};
    struct slice whole = {NULL, 0}, content, rest = der;
    unsigned char tag;
    for (int i = 0; i < 2; i++) {
        if (!take_element(&rest, &tag, &whole, &content) || tag != 0x30)
            return SLICE("");
        rest = content;
    }
    if (rest.size && (unsigned char)rest.data[0] == 0xa0)
        take_element(&rest, &tag, &whole, &content);
    for (size_t i = 0; i < sizeof TAGS; i++)
        if (!take_element(&rest, &tag, &whole, &content) || tag != TAGS[i])
            return SLICE("");
    return whole;
}
