#include "http/url.h"

#include <string.h>

/* Whether s has only characters of RFC 3986. */
static bool characters_valid(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!is_alnum(s.data[i]) && (s.data[i] == '\0' || !strchr("-._~:/?#[]@!$&'()*+,;=%", s.data[i])))
            return false;
    return s.size <= URL_MAX;
}

static bool host_valid(struct slice host, bool bracketed)
{
    if (host.size == 0 || host.size > 255)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool valid = bracketed ? hex_digit(c) >= 0 || c == ':' || c == '.'
                               : is_alnum(c) || c == '-' || c == '.' || c == '_';
        if (!valid)
            return false;
    }
    return true;
}

/* HOST[:PORT]; refuses anything else, a user for example. */
static bool parse_authority(struct url *u, struct slice text)
{
    bool bracketed = text.size && text.data[0] == '[';
    struct slice port = text;
    uint64_t number = u->tls ? 443 : 80;

    u->authority = text;
    if (bracketed) {
        port = slice_from(text, 1);
        u->host = slice_split(&port, ']');
        if (!port.data || (port.size && port.data[0] != ':'))
            return false;
        port = slice_from(port, 1);
    } else
        u->host = slice_split(&port, ':');
    if (port.size && (!slice_number(port, 65535, &number) || number == 0))
        return false;
    u->port = (unsigned)number;
    return host_valid(u->host, bracketed);
}

/* The length of the scheme and "://", or 0. */
static size_t scheme_size(struct slice text, bool *tls)
{
    *tls = slice_equal_nocase(slice_head(text, 8), SLICE("https://"));
    if (*tls)
        return 8;
    return slice_equal_nocase(slice_head(text, 7), SLICE("http://")) ? 7 : 0;
}

static struct slice without_fragment(struct slice text)
{
    return slice_head(text, slice_find(text, '#'));
}

bool url_parse(struct url *u, struct slice text)
{
    *u = (struct url){.tls = false};
    size_t scheme = scheme_size(text, &u->tls);
    if (scheme == 0 || !characters_valid(text))
        return false;

    struct slice rest = slice_from(without_fragment(text), scheme);
    size_t end = 0;
    while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?')
        end++;
    u->target = slice_from(rest, end);
    return parse_authority(u, slice_head(rest, end));
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->tls == b->tls && a->port == b->port && slice_equal_nocase(a->host, b->host);
}

void url_origin(const struct url *u, struct regtag_origin *origin)
{
    *origin = (struct regtag_origin){.tls = u->tls, .port = (uint16_t)u->port};
    memcpy(origin->host, u->host.data, u->host.size); /* fits: url_parse has checked */
}

bool origin_equal(const struct regtag_origin *a, const struct regtag_origin *b)
{
    return a->tls == b->tls && a->port == b->port &&
           slice_equal_nocase(slice_of(a->host), slice_of(b->host));
}

/* Brackets separate an IPv6 address from the port. */
static void write_host(struct writer *w, struct slice host)
{
    bool ipv6 = slice_find(host, ':') < host.size;
    write_format(w, "%s%.*s%s", ipv6 ? "[" : "", SLICE_ARG(host), ipv6 ? "]" : "");
}

void write_authority(struct writer *w, bool tls, struct slice host, unsigned port)
{
    write_host(w, host);
    if (port != (tls ? 443 : 80))
        write_format(w, ":%u", port);
}

void write_host_port(struct writer *w, const struct regtag_origin *origin)
{
    write_host(w, slice_of(origin->host));
    write_format(w, ":%u", (unsigned)origin->port);
}

void write_origin(struct writer *w, const struct regtag_origin *origin)
{
    write_text(w, origin->tls ? "https://" : "http://");
    write_authority(w, origin->tls, slice_of(origin->host), origin->port);
}

/* Removes "." and ".." from a path that begins with '/' (RFC 3986, 5.2.4), in place: writing never
 * overtakes reading. Returns the new size. */
static size_t remove_dots(char *path, size_t size)
{
    struct slice rest = {path + 1, size - 1};
    size_t used = 0;
    do {
        struct slice part = slice_split(&rest, '/');
        if (slice_equal(part, SLICE(".."))) {
            while (used > 0 && path[--used] != '/')
                ;
        } else if (!slice_equal(part, SLICE("."))) {
            path[used++] = '/';
            memmove(path + used, part.data, part.size);
            used += part.size;
            continue;
        }
        /* A path that ends in "." or ".." is a directory's. */
        if (!rest.data)
            path[used++] = '/';
    } while (rest.data);
    return used;
}

static struct slice path_of(struct slice target)
{
    return slice_head(target, slice_find(target, '?'));
}

/* The path up to its last '/', where a relative path continues. */
static struct slice directory_of(struct slice path)
{
    while (path.size && path.data[path.size - 1] != '/')
        path.size--;
    return path.size ? path : SLICE("/");
}

/* Writes the target of a reference without scheme and authority. */
static void write_target(struct writer *w, struct slice base_target, struct slice reference)
{
    struct slice path = path_of(reference), base_path = path_of(base_target);
    size_t start = w->used;

    /* The base itself. */
    if (reference.size == 0) {
        write_slice(w, base_target);
        return;
    }
    if (path.size == 0)
        write_slice(w, base_path.size ? base_path : SLICE("/"));
    else if (path.data[0] != '/')
        write_slice(w, directory_of(base_path));
    write_slice(w, path);
    if (!w->overflow)
        w->used = start + remove_dots(w->data + start, w->used - start);
    write_slice(w, slice_from(reference, path.size));
}

bool url_resolve(struct slice base, struct slice reference, struct writer *w)
{
    struct url b, absolute;
    bool tls;
    size_t start = w->used;
    reference = without_fragment(reference);
    if (!url_parse(&b, base) || !characters_valid(reference))
        return false;

    const char *scheme = b.tls ? "https:" : "http:";
    if (scheme_size(reference, &tls)) {
        scheme = tls ? "https:" : "http:";
        reference = slice_from(reference, tls ? 6 : 5);
    } else if (slice_find(path_of(reference), ':') < slice_find(path_of(reference), '/'))
        return false; /* another scheme */

    write_text(w, scheme);
    if (slice_starts(reference, SLICE("//"))) {
        size_t end = 2;
        while (end < reference.size && reference.data[end] != '/' && reference.data[end] != '?')
            end++;
        write_slice(w, slice_head(reference, end));
        b.target = SLICE("");
        reference = slice_from(reference, end);
    } else {
        write_text(w, "//");
        write_slice(w, b.authority);
    }
    write_target(w, b.target, reference);
    return !w->overflow && url_parse(&absolute, slice_from(written(w), start));
}

void write_encoded(struct writer *w, struct slice s)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        char encoded[3] = {'%', HEX[c >> 4], HEX[c & 15]};
        if (is_alnum(s.data[i]) || memchr("-._~", c, 4))
            write_char(w, s.data[i]);
        else
            write_slice(w, (struct slice){encoded, sizeof encoded});
    }
}
