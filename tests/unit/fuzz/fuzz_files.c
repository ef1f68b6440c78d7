/* What the user's machine gives to the command: proxies, files of certificates, journals, lists of tags. */
#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/journal_reader.h"
#include "cli/tag_line.h"
#include "cli/undo_index.h"
#include "harness.h"
#include "net/hide.h"
#include "net/no_proxy.h"
#include "net/proxy.h"
#include "net/tls_trust.h"
#include "regtag_sockets.h"

#define TEXT_MAX 65536

/* In place of net/hide.c: what hides its memory cannot be looked at by a sanitizer either. */
void hide_memory(void)
{
}

/* Time stands still. */
uint64_t regtag_clock(void)
{
    return 0;
}

int regtag_clock_until(uint64_t then)
{
    return then > 0;
}

/* As a string, which ends with the first NUL. */
static const char *text_of(char *memory, const uint8_t *data, size_t size)
{
    size = size < TEXT_MAX - 1 ? size : TEXT_MAX - 1;
    memcpy(memory, data, size);
    memory[size] = '\0';
    return memory;
}

static struct slice slice_at(const uint8_t *data, size_t size)
{
    return (struct slice){(const char *)data, size};
}

/* A file in memory with this content; *path is where it can be opened, too. */
static int file_with(struct slice content, char path[32])
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("fuzz", 0);
    expect(fd >= 0 && ftruncate(fd, 0) == 0, "no file in memory");
    expect(pwrite(fd, content.data, content.size, 0) == (ssize_t)content.size, "it cannot be written");
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

/* ---- Proxies --------------------------------------------------------------------------------- */

static void check_proxy(const struct proxy *p, const struct error *e, bool chosen)
{
    expect(chosen == (e->status == REGTAG_OK), "result and status differ");
    expect(chosen || !p->used, "it is used though it cannot be");
    if (!p->used)
        return;
    expect(*p->origin.host && !p->origin.tls && p->origin.port > 0, "the proxy is nowhere");
    expect(p->secret == (*p->authorization != '\0'), "a secret, and none");
    expect(!p->secret || (strncmp(p->authorization, "Basic ", 6) == 0 &&
                          proxy_secret_in(p, slice_of(p->authorization))),
           "a secret that is not recognised");
}

/* A byte of choices, then the URL. */
void fuzz_proxy(const struct harness *h, const uint8_t *data, size_t size)
{
    static char url[TEXT_MAX];
    static struct proxy p;
    struct proxy_settings settings = {0};
    struct regtag_origin origin = {.tls = size && data[0] & 1, .port = 443, .host = "registry.test"};
    struct error e = {.status = REGTAG_OK};
    (void)h;
    if (size == 0)
        return;
    const char *text = text_of(url, data + 1, size - 1);
    if (data[0] & 2)
        settings.proxy = text;
    else if (data[0] & 4)
        settings.env_all = text;
    else
        settings.env_https = settings.env_http = text;
    bool chosen = proxy_choose(&p, &settings, &origin, &e);
    check_proxy(&p, &e, chosen);
    expect(!p.secret || !settings.proxy, "a secret on the command line");
    proxy_wipe(&p);
    for (size_t i = 0; i < sizeof p.authorization; i++)
        expect(p.authorization[i] == '\0', "a secret is left");
}

static bool names(const char *before, struct slice list, const char *behind,
                  const struct regtag_origin *origin)
{
    static char text[TEXT_MAX + 16];
    struct writer w = writer_to(text, sizeof text);
    write_format(&w, "%s%.*s%s", before, SLICE_ARG(list), behind);
    return no_proxy_names(written(&w), origin);
}

/* A byte for the port, the host, a newline, and the list. */
void fuzz_no_proxy(const struct harness *h, const uint8_t *data, size_t size)
{
    struct regtag_origin origin = {.port = 443};
    struct slice list = slice_at(data, size);
    (void)h;
    if (size == 0)
        return;
    origin.port = data[0] ? data[0] : 443;
    list = slice_from(slice_head(list, TEXT_MAX), 1);
    struct slice host = slice_head(slice_split(&list, '\n'), sizeof origin.host - 1);
    if (!list.data || host.size == 0)
        return;
    memcpy(origin.host, host.data, host.size);
    bool named = no_proxy_names(list, &origin);
    expect(names("", list, ",", &origin) == named && names("\t", list, " ,\n", &origin) == named,
           "separators make a difference");
    expect(names("*,", list, "", &origin), "not every host");
    expect(!named || names("x.test,", list, ",y.test", &origin), "more entries name less");
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static struct {
    struct slice subject;
    unsigned all, alike;
} found;

static bool count_certificate(void *context, struct slice der, bool own)
{
    (void)context;
    expect(own && der.size > 0 && der.size <= TLS_CERTIFICATE_MAX, "a certificate that is none");
    found.alike++;
    return true;
}

/* Reads the file once, and remembers the last subject. */
static void read_certificates(const char *path, char *subject)
{
    static struct tls_pem pem;
    struct slice der;
    memset(&found, 0, sizeof found);
    expect(tls_pem_open(&pem, path), "it cannot be opened");
    while (tls_pem_next(&pem, &der)) {
        struct slice last = tls_certificate_subject(der);
        expect(der.size > 0 && der.size <= TLS_CERTIFICATE_MAX, "a size that it cannot have");
        if (last.size == 0)
            continue;
        expect(last.data >= der.data && last.data + last.size <= der.data + der.size, "outside of it");
        found.all++;
        memcpy(subject, last.data, last.size);
        found.subject = (struct slice){subject, last.size};
    }
    tls_pem_close(&pem);
}

void fuzz_pem(const struct harness *h, const uint8_t *data, size_t size)
{
    static char subject[TLS_CERTIFICATE_MAX];
    const struct regtag_origin origin = {.tls = true, .port = 443, .host = "registry.test"};
    struct tls_settings settings = {.authorities = 1};
    char path[32];
    (void)h;
    file_with(slice_at(data, size), path);
    settings.authority[0] = path;
    read_certificates(path, subject);
    expect((tls_check_authority(path) == NULL) == (found.all > 0), "it is refused, or it is not");
    if (found.all == 0)
        return;
    tls_trust_find(&settings, &origin, found.subject, count_certificate, NULL);
    expect(found.alike > 0 && found.alike <= found.all, "it is not found again");
}

/* ---- Journals -------------------------------------------------------------------------------- */

/* What is valid can be written again, and no prefix of it is valid. */
static void check_line(struct slice text, const struct journal_line *line)
{
    char again[JOURNAL_LINE_MAX];
    struct writer w = writer_to(again, sizeof again);
    struct journal_line ignored;
    write_journal_line(&w, 0, line);
    struct slice both = written(&w);
    expect(!w.overflow && both.size == text.size + 1, "written again it is another one");
    expect(slice_equal(slice_from(slice_head(both, text.size), 20), slice_from(text, 20)),
           "other columns");
    for (size_t i = 0; i < text.size; i += 1 + text.size / 16)
        expect(journal_line_read(slice_head(text, i), &ignored) != JOURNAL_LINE, "a prefix is a line");
}

/* The line of `content` that ends at *end, without its newline; moves *end in front of it. */
static struct slice line_before(struct slice content, size_t *end)
{
    size_t last = *end;
    if (last && content.data[last - 1] == '\n')
        last--;
    size_t first = last;
    while (first && content.data[first - 1] != '\n')
        first--;
    *end = first;
    return (struct slice){content.data + first, last - first};
}

static enum journal_verdict verdict_of(struct slice text)
{
    struct journal_line line;
    return journal_line_read(text, &line);
}

static void read_journal(struct journal_reader *r, struct slice content, struct undo_index *index)
{
    size_t end = content.size;
    struct slice text;
    struct journal_line line;
    while (journal_reader_next(r, &text)) {
        expect(end > 0, "more lines than there are");
        struct slice wanted = line_before(content, &end);
        expect(verdict_of(text) == verdict_of(wanted), "another verdict");
        expect(wanted.size >= JOURNAL_LINE_MAX || slice_equal(text, wanted), "another line");
        if (journal_line_read(text, &line) != JOURNAL_LINE)
            continue;
        check_line(text, &line);
        if (undo_index_is_pending(index, &line) && !undo_index_is_simulated(index, &line))
            undo_index_simulate(index, &line);
    }
    expect(!r->problem && end == 0, "fewer lines than there are");
}

/* Two bytes for how much is in front of the lines, so that they cross the border of a block. */
void fuzz_journal(const struct harness *h, const uint8_t *data, size_t size)
{
    static char memory[2 * TEXT_MAX];
    static struct journal_reader r;
    static struct undo_index index;
    struct writer w = writer_to(memory, sizeof memory);
    char path[32];
    (void)h;
    if (size < 2)
        return;
    for (unsigned i = 0; i < data[0] + (data[1] % 64u << 8); i++)
        write_char(&w, data[1] < 128 ? '\n' : 'x');
    write_slice(&w, slice_head(slice_at(data + 2, size - 2), TEXT_MAX));
    journal_reader_begin(&r, file_with(written(&w), path), UINT64_MAX);
    undo_index_begin(&index);
    read_journal(&r, written(&w), &index);
    journal_reader_again(&r);
    read_journal(&r, written(&w), &index);
}

/* ---- Lines of tag --from --------------------------------------------------------------------- */

/* A byte for the size of the parts, then the line. */
void fuzz_tag_line(const struct harness *h, const uint8_t *data, size_t size)
{
    static struct tag_line whole, parts;
    (void)h;
    if (size == 0)
        return;
    struct slice text = slice_from(slice_at(data, size), 1);
    whole.size = parts.size = 0;
    tag_line_add(&whole, text);
    for (size_t step = 1 + data[0] % FUZZ_STEPS; text.size; text = slice_from(text, step)) {
        step = step < text.size ? step : text.size;
        tag_line_add(&parts, slice_head(text, step));
    }
    const char *problem = tag_line_split(&whole), *again = tag_line_split(&parts);
    expect((problem == NULL) == (again == NULL) && whole.count == parts.count, "the parts differ");
    for (size_t i = 0; i < whole.count; i++)
        expect(strcmp(whole.words[i], parts.words[i]) == 0 && *whole.words[i] &&
                   *whole.words[i] != '#' && whole.words[i][strcspn(whole.words[i], " \t")] == '\0',
               "a word that is none");
}
