#include "base/slice.h"

#include <string.h>

struct slice slice_of(const char *text)
{
    struct slice s = {text, text ? strlen(text) : 0};
    return s;
}

struct slice slice_from(struct slice s, size_t start)
{
    if (start > s.size)
        start = s.size;
    if (start == 0)
        return s;
    return (struct slice){s.data + start, s.size - start};
}

struct slice slice_head(struct slice s, size_t size)
{
    return (struct slice){s.data, size < s.size ? size : s.size};
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (to_lower(a.data[i]) != to_lower(b.data[i]))
            return false;
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size && slice_equal(slice_head(s, prefix.size), prefix);
}

bool slice_contains(struct slice s, struct slice part)
{
    for (; s.size >= part.size; s = slice_from(s, 1))
        if (slice_starts(s, part))
            return true;
    return false;
}

size_t slice_find(struct slice s, char c)
{
    const char *found = s.size ? memchr(s.data, c, s.size) : NULL;
    return found ? (size_t)(found - s.data) : s.size;
}

bool slice_is_word(struct slice s, const char *others)
{
    for (size_t i = 0; i < s.size; i++)
        if (!is_alnum(s.data[i]) && (s.data[i] == '\0' || !strchr(others, s.data[i])))
            return false;
    return s.size > 0;
}

struct slice slice_trim(struct slice s)
{
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

struct slice slice_split(struct slice *rest, char separator)
{
    size_t end = slice_find(*rest, separator);
    struct slice part = slice_head(*rest, end);
    *rest = end < rest->size ? slice_from(*rest, end + 1) : (struct slice){NULL, 0};
    return part;
}

uint64_t slice_hash(uint64_t hash, struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 0x100000001b3u;
    return hash;
}

bool slice_number(struct slice s, uint64_t max, uint64_t *number)
{
    uint64_t n = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!is_digit(s.data[i]))
            return false;
        uint64_t digit = (uint64_t)(s.data[i] - '0');
        if (digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *number = n;
    return true;
}

int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

bool is_alnum(char c)
{
    return is_digit(c) || is_lower(to_lower(c));
}

char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}
