#include "oci/reference.h"

#include "oci/digest.h"
#include "regtag.h"

#define HOST_MAX 255

bool tag_valid(struct slice s)
{
    return s.size <= TAG_MAX && slice_is_word(s, "_.-") && s.data[0] != '.' && s.data[0] != '-';
}

static bool is_word_char(char c)
{
    return is_lower(c) || is_digit(c);
}

/* The length of the separator that s, which is not empty, starts with: one '.', one or two '_', any number of '-'. */
static size_t separator_size(struct slice s)
{
    size_t n = 0;
    if (s.data[0] == '.')
        return 1;
    while (n < s.size && n < 2 && s.data[n] == '_')
        n++;
    if (n == 0)
        while (n < s.size && s.data[n] == '-')
            n++;
    return n;
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool component_valid(struct slice s)
{
    for (;;) {
        size_t word = 0;
        while (word < s.size && is_word_char(s.data[word]))
            word++;
        if (word == 0)
            return false;
        s = slice_from(s, word);
        if (s.size == 0)
            return true;
        s = slice_from(s, separator_size(s));
    }
}

static bool repository_valid(struct slice s)
{
    do {
        if (!component_valid(slice_split(&s, '/')))
            return false;
    } while (s.data);
    return true;
}

/* One label of a domain: letters, digits, and '-', except at either end. */
static bool label_valid(struct slice s)
{
    return slice_is_word(s, "-") && s.data[0] != '-' && s.data[s.size - 1] != '-';
}

static bool domain_valid(struct slice s)
{
    do {
        if (!label_valid(slice_split(&s, '.')))
            return false;
    } while (s.data);
    return true;
}

/* The text between the brackets. Connecting to it decides whether it really is an address. */
static bool ipv6_valid(struct slice s)
{
    size_t colons = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == ':')
            colons++;
        else if (hex_digit(s.data[i]) < 0)
            return false;
    }
    return colons >= 2 && s.size <= 39;
}

/* Neither it nor the port is empty: see empty_part. */
static bool host_parse(struct reference *r, struct slice text)
{
    uint64_t port = 0;
    struct slice rest = text;

    if (text.data[0] == '[') {
        rest = slice_from(text, 1);
        size_t end = slice_find(rest, ']');
        r->host = slice_head(rest, end);
        if (end == rest.size || !ipv6_valid(r->host))
            return false;
        rest = slice_from(rest, end + 1);
        if (rest.size && rest.data[0] != ':')
            return false;
        rest = rest.size ? slice_from(text, end + 3) : (struct slice){NULL, 0};
    } else {
        r->host = slice_split(&rest, ':');
        if (!domain_valid(r->host) || r->host.size > HOST_MAX)
            return false;
    }
    if (rest.size && (!slice_number(rest, 65535, &port) || port == 0))
        return false;
    r->port = (unsigned)port;
    return true;
}

/* Docker's rule: is the first component a host, or a part of the name? */
static bool is_host(struct slice first)
{
    if (slice_equal(first, SLICE("localhost")))
        return true;
    for (size_t i = 0; i < first.size; i++) {
        char c = first.data[i];
        if (c == '.' || c == ':' || (c >= 'A' && c <= 'Z'))
            return true;
    }
    return false;
}

static bool is_docker_hub(const struct reference *r)
{
    return r->port == 0 &&
           (slice_equal(r->host, SLICE("docker.io")) || slice_equal(r->host, SLICE("index.docker.io")));
}

/* Docker Hub's API has a host name of its own. */
static void set_docker_hub(struct reference *r)
{
    r->registry = SLICE("docker.io");
    r->host = SLICE("registry-1.docker.io");
    r->library = slice_find(r->repository, '/') == r->repository.size;
}

/* Parses "[HOST[:PORT]/]REPOSITORY". Returns what is wrong with it, or NULL. */
static const char *name_parse(struct reference *r, struct slice name)
{
    size_t slash = slice_find(name, '/');
    struct slice first = slice_head(name, slash);
    bool hosted = slash < name.size && is_host(first);

    r->name = name;
    r->repository = hosted ? slice_from(name, slash + 1) : name;
    if (hosted && !host_parse(r, first))
        return "HOST[:PORT] before the first '/' is not a host and a port from 1 to 65535";
    r->registry = first;
    if (!hosted || is_docker_hub(r))
        set_docker_hub(r);

    if (!repository_valid(r->repository))
        return "a repository is lower-case letters and digits, with single '.', '_', '__' or '-'s "
               "between them, in parts separated by '/'";
    if (r->repository.size + (r->library ? 8 : 0) > REPOSITORY_MAX)
        return "the repository's name is longer than 255 bytes";
    return NULL;
}

/* The tag follows the last ':', if that comes after the last '/'. Takes it off *text. */
static bool split_tag(struct slice *text, struct slice *tag)
{
    for (size_t i = text->size; i > 0 && text->data[i - 1] != '/'; i--) {
        if (text->data[i - 1] == ':') {
            *tag = slice_from(*text, i);
            *text = slice_head(*text, i - 1);
            return true;
        }
    }
    return false;
}

/* Docker's image IDs are 64 hexadecimal digits. */
static bool is_image_id(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_digit(text.data[i]) && (text.data[i] < 'a' || text.data[i] > 'f'))
            return false;
    return text.size == 64;
}

/* "SCHEME://" in front of the text, or "TRANSPORT:" in front of a host; empty if there is neither. */
static struct slice find_scheme(struct slice text)
{
    size_t size = 0;
    while (size < text.size &&
           (is_alnum(text.data[size]) || slice_find(SLICE("+-."), text.data[size]) < 3))
        size++;
    struct slice rest = slice_from(text, size), host = slice_from(rest, 1);
    if (slice_starts(rest, SLICE("://")))
        return slice_head(text, size + 3);
    size_t slash = slice_find(host, '/');
    bool found = slash < host.size && rest.data[0] == ':' && is_host(slice_head(host, slash));
    return slice_head(text, found ? size + 1 : 0);
}

static bool has_scheme(struct slice text, struct error *e)
{
    struct slice scheme = find_scheme(text);
    bool http = slice_starts(scheme, SLICE("http:")) || slice_starts(scheme, SLICE("https:"));
    if (scheme.size)
        error_set(error_hint(e, http ? REGTAG_HINT_SCHEME : REGTAG_HINT_NONE), REGTAG_E_USAGE,
                  "\"%.*s\" is not a reference: leave out the \"%.*s\"",
                  SLICE_ARG(slice_head(text, 400)), SLICE_ARG(slice_head(scheme, 100)));
    return scheme.size != 0;
}

/* The part that is empty, or NULL. Between two colons, as in an IPv6 address, there is none. */
static const char *empty_part(struct slice text)
{
    char left = '\0';
    for (size_t i = 0; i <= text.size; i++) {
        char right = i < text.size ? text.data[i] : '\0';
        bool ends = !right || right == '/' || right == ':' || right == '@';
        if (ends && !left && slice_find(text, '/') < text.size)
            return "the host";
        if (ends && (!left || left == '/'))
            return "the repository";
        if (ends && left == '@')
            return "the digest";
        if (ends && left == ':' && right != ':')
            return right == '/' ? "the port" : "the tag";
        left = right;
    }
    return NULL;
}

static const char *parse(struct reference *r, struct slice text)
{
    size_t at = slice_find(text, '@');
    bool digested = at < text.size;

    r->digest = slice_from(text, at + 1);
    text = slice_head(text, at);
    if (!digested && is_image_id(text))
        return "64 hexadecimal digits are an image's ID, not its name";
    bool tagged = split_tag(&text, &r->tag);

    if (digested && !digest_valid(r->digest))
        return "'@' must be followed by sha256: and 64 lower-case hexadecimal digits, or sha512: and "
               "128";
    if (tagged && !tag_valid(r->tag))
        return "a tag is 1 to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'";
    return name_parse(r, text);
}

bool reference_parse(struct reference *r, struct slice text, struct error *e)
{
    *r = (struct reference){.port = 0};
    if (has_scheme(text, e))
        return false;
    const char *problem = empty_part(text), *more = problem ? " is empty; is a variable unset?" : "";
    if (!problem)
        problem = parse(r, text);
    if (problem)
        error_set(e, REGTAG_E_USAGE, "\"%.*s\" is not a reference: %s%s",
                  SLICE_ARG(slice_head(text, 400)), problem, more);
    return problem == NULL;
}

struct slice reference_tag(const struct reference *r)
{
    return r->tag.size || r->digest.size ? r->tag : SLICE("latest");
}

void write_repository(struct writer *w, const struct reference *r)
{
    if (r->library)
        write_text(w, "library/");
    write_slice(w, r->repository);
}

static bool is_ipv4_loopback(struct slice host)
{
    uint64_t number;
    int parts = 0;
    if (!slice_starts(host, SLICE("127.")))
        return false;
    do {
        if (!slice_number(slice_split(&host, '.'), 255, &number))
            return false;
        parts++;
    } while (host.data);
    return parts == 4;
}

/* ::1 in any spelling: zeros and colons only, then a 1. */
static bool is_ipv6_loopback(struct slice host)
{
    if (host.size < 3 || slice_find(host, ':') == host.size || host.data[host.size - 1] != '1')
        return false;
    for (size_t i = 0; i + 1 < host.size; i++)
        if (host.data[i] != ':' && host.data[i] != '0')
            return false;
    return true;
}

bool host_is_loopback(struct slice host)
{
    return slice_equal_nocase(host, SLICE("localhost")) || is_ipv4_loopback(host) ||
           is_ipv6_loopback(host);
}
