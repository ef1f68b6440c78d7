#include "net/tls_trust.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "http/url.h"
#include "net/file.h"

/* ---- Places ---------------------------------------------------------------------------------- */

/* Systems' CA bundles. The first that can be read is used. */
static const char *const SYSTEM[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, OpenWrt, buildroot */
    "/etc/ssl/cert.pem",                                 /* Alpine, musl systems, OpenWrt */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, newer */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/ssl/certs",
};

/* Docker's and podman's certificates for registries, in a directory for each host. */
static const char *const HOSTS[] = {"/etc/docker/certs.d", "/etc/containers/certs.d"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Writes "DIRECTORY/NAME" and a NUL. False when it is too long. */
static bool join(char text[PATH_TEXT_MAX], const char *directory, const char *name)
{
    struct writer w = writer_to(text, PATH_TEXT_MAX - 1);
    write_format(&w, "%s/%s", directory, name);
    text[w.used] = '\0';
    return !w.overflow;
}

/* The directory for a host: HOST:PORT; without the port only if that is 443. */
static bool host_directory(char text[PATH_TEXT_MAX], const char *base,
                           const struct regtag_origin *origin, bool with_port)
{
    struct writer w = writer_to(text, PATH_TEXT_MAX - 1);
    if (!with_port && origin->port != 443)
        return false;
    write_format(&w, "%s/", base);
    if (with_port)
        write_host_port(&w, origin);
    else
        write_authority(&w, true, slice_of(origin->host), 443);
    text[w.used] = '\0';
    return !w.overflow;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t size = strlen(name), end = strlen(ending);
    return size > end && strcmp(name + size - end, ending) == 0;
}

/* ---- Searching ------------------------------------------------------------------------------- */

struct search {
    struct slice subject; /* without data: any */
    tls_trust_visit *visit;
    void *context;
    bool own; /* the user chose the place */
    bool over;
    const char *problem; /* why the last place could not be read, or not to its end; or NULL */
    struct tls_unread unread;
};

/* Static, since 12 KB are too much for the stack of a small board; one file is read at a time. */
static struct tls_pem pem;

/* Returns whether the file could be read. */
static bool search_file(struct search *s, const char *path)
{
    struct slice der, subject;
    if (!tls_pem_open(&pem, path))
        return false;
    while (!s->over && tls_pem_next(&pem, &der)) {
        subject = tls_certificate_subject(der);
        if (s->subject.data ? slice_equal(subject, s->subject) : subject.size > 0)
            s->over = !s->visit(s->context, der, s->own);
    }
    tls_pem_close(&pem);
    s->problem = pem.problem;
    return true;
}

/* Searches the files with this ending; "": all files. Returns whether the directory could be read. */
static bool search_directory(struct search *s, const char *path, const char *ending)
{
    char file[PATH_TEXT_MAX];
    struct dirent *entry;
    DIR *directory = opendir(path);
    if (!directory)
        return false;
    while (!s->over && (entry = readdir(directory)) != NULL)
        if ((*ending == '\0' || ends_with(entry->d_name, ending)) && join(file, path, entry->d_name))
            search_file(s, file);
    closedir(directory);
    return true;
}

/* Says in s->problem why not; what else is in a directory does not matter. */
static bool search_place(struct search *s, const char *path)
{
    if (search_file(s, path))
        return true;
    bool found = errno == EISDIR && search_directory(s, path, "");
    s->problem = found ? NULL : strerror(errno);
    return found;
}

/* Returns whether there is a directory for the host. */
static bool search_host(struct search *s, const struct regtag_origin *origin)
{
    char path[PATH_TEXT_MAX];
    bool any = false;
    for (size_t i = 0; i < COUNT(HOSTS); i++)
        for (int with_port = 1; with_port >= 0; with_port--)
            if (host_directory(path, HOSTS[i], origin, with_port) && search_directory(s, path, ".crt"))
                any = true;
    return any;
}

static bool is_set(const char *text)
{
    return text && *text;
}

/* Returns whether any place could be read. */
static bool search_all(struct search *s, const struct tls_settings *settings,
                       const struct regtag_origin *origin)
{
    bool any = false;
    s->own = true;
    for (unsigned i = 0; i < settings->authorities; i++) {
        any = search_place(s, settings->authority[i]) || any;
        if (s->problem)
            s->unread = (struct tls_unread){settings->authority[i], s->problem};
    }
    if (settings->authorities)
        return any;

    any = search_host(s, origin);
    if (is_set(settings->env_file))
        any = search_file(s, settings->env_file) || any;
    if (is_set(settings->env_dir))
        any = search_directory(s, settings->env_dir, "") || any;
    if (is_set(settings->env_file) || is_set(settings->env_dir))
        return any;

    s->own = false;
    for (size_t i = 0; i < COUNT(SYSTEM); i++)
        if (search_place(s, SYSTEM[i]))
            return true;
    return any;
}

/* Goes on, so that the file is read to its end. */
static bool note_any(void *context, struct slice der, bool own)
{
    (void)der, (void)own;
    *(bool *)context = true;
    return true;
}

const char *tls_check_authority(const char *path)
{
    bool any = false;
    struct search s = {.visit = note_any, .context = &any, .own = true};
    if (search_file(&s, path)) {
        if (pem.problem)
            return pem.problem;
    } else if (errno != EISDIR || !search_directory(&s, path, ""))
        return strerror(errno);
    return any ? NULL : "it contains no certificate";
}

struct tls_unread tls_trust_find(const struct tls_settings *settings, const struct regtag_origin *origin,
                                 struct slice subject, tls_trust_visit *visit, void *context)
{
    struct search s = {.subject = subject, .visit = visit, .context = context};
    search_all(&s, settings, origin);
    return s.unread;
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* A file, or those in a directory; depth 2: and in the directories in it. */
static void stamp_place(const char *path, int depth, uint64_t *stamp)
{
    char file[PATH_TEXT_MAX];
    struct dirent *entry;
    DIR *directory;
    if (!path || file_stamp(path, stamp) || depth == 0 || !(directory = opendir(path)))
        return;
    while ((entry = readdir(directory)) != NULL)
        if ((depth == 1 || entry->d_name[0] != '.') && join(file, path, entry->d_name))
            stamp_place(file, depth - 1, stamp);
    closedir(directory);
}

void tls_stamp(const struct tls_settings *settings, uint64_t *stamp)
{
    for (unsigned i = 0; i < settings->authorities; i++)
        stamp_place(settings->authority[i], 1, stamp);
    /* Of all hosts: a token server's count as well, and there are few. */
    for (size_t i = 0; i < COUNT(HOSTS); i++)
        stamp_place(HOSTS[i], 2, stamp);
    for (size_t i = 0; i < COUNT(SYSTEM); i++)
        file_stamp(SYSTEM[i], stamp);
    stamp_place(settings->env_file, 0, stamp);
    stamp_place(settings->env_dir, 1, stamp);
    stamp_place(settings->certificate, 0, stamp);
    stamp_place(settings->key, 0, stamp);
}

/* ---- Whether there is anything to search ----------------------------------------------------- */

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

/* Adds the place to those that were tried; returns whether it can be read. */
static bool try_place(struct writer *w, const char *path)
{
    write_format(w, "%s%s", w->used ? ", " : "", path);
    return readable(path);
}

static bool try_hosts(struct writer *w, const struct regtag_origin *origin)
{
    char path[PATH_TEXT_MAX];
    for (size_t i = 0; i < COUNT(HOSTS); i++)
        for (int with_port = 1; with_port >= 0; with_port--)
            if (host_directory(path, HOSTS[i], origin, with_port) && try_place(w, path))
                return true;
    return false;
}

bool tls_trust_any(const struct tls_settings *settings, const struct regtag_origin *origin,
                   struct writer *w)
{
    bool any = false;
    for (unsigned i = 0; i < settings->authorities; i++)
        any = try_place(w, settings->authority[i]) || any;
    if (settings->authorities)
        return any;
    any = try_hosts(w, origin);
    if (is_set(settings->env_file))
        any = try_place(w, settings->env_file) || any;
    if (is_set(settings->env_dir))
        any = try_place(w, settings->env_dir) || any;
    if (is_set(settings->env_file) || is_set(settings->env_dir))
        return any;
    for (size_t i = 0; i < COUNT(SYSTEM) && !any; i++)
        any = try_place(w, SYSTEM[i]);
    return any;
}

/* ---- The client's certificate ---------------------------------------------------------------- */

/* The first NAME.cert in a directory that has a NAME.key beside it. */
static bool find_pair(const char *path, char *certificate, char *key)
{
    struct dirent *entry;
    DIR *directory = opendir(path);
    bool found = false;
    while (directory && !found && (entry = readdir(directory)) != NULL) {
        if (!ends_with(entry->d_name, ".cert") || !join(certificate, path, entry->d_name))
            continue;
        memcpy(key, certificate, PATH_TEXT_MAX);
        memcpy(key + strlen(key) - 5, ".key", 5);
        found = readable(certificate) && readable(key);
    }
    if (directory)
        closedir(directory);
    return found;
}

bool tls_trust_client(const struct regtag_origin *origin, char *certificate, char *key)
{
    char path[PATH_TEXT_MAX];
    for (size_t i = 0; i < COUNT(HOSTS); i++)
        for (int with_port = 1; with_port >= 0; with_port--)
            if (host_directory(path, HOSTS[i], origin, with_port) && find_pair(path, certificate, key))
                return true;
    return false;
}
