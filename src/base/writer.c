#include "base/writer.h"

#include <string.h>

#include "base/debug.h"

struct writer writer_to(void *memory, size_t size)
{
    return (struct writer){.data = memory, .size = size};
}

struct slice written(const struct writer *w)
{
    return (struct slice){w->data, w->used};
}

void write_slice(struct writer *w, struct slice s)
{
    if (w->overflow || s.size > w->size - w->used) {
        w->overflow = true;
        return;
    }
    if (s.size)
        memcpy(w->data + w->used, s.data, s.size);
    w->used += s.size;
}

void write_text(struct writer *w, const char *text)
{
    write_slice(w, slice_of(text));
}

void write_char(struct writer *w, char c)
{
    write_slice(w, (struct slice){&c, 1});
}

void write_number(struct writer *w, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    write_slice(w, (struct slice){digits + at, sizeof digits - at});
}

/* Writes as much of s as fits. */
static void write_cut(struct writer *w, struct slice s)
{
    size_t room = w->overflow ? 0 : w->size - w->used;
    write_slice(w, slice_head(s, room));
    if (s.size > room)
        w->overflow = true;
}

static void write_argument(struct writer *w, size_t most, struct slice s)
{
    write_cut(w, slice_head(s, most));
    if (s.size > most)
        write_text(w, "...");
}

/* Writes one conversion; `format` is what follows the '%'. Returns the rest of the format. */
static const char *write_conversion(struct writer *w, size_t most, const char *format,
                                    va_list *arguments)
{
    if (strncmp(format, ".*s", 3) == 0) {
        int size = va_arg(*arguments, int);
        const char *data = va_arg(*arguments, const char *);
        write_argument(w, most, (struct slice){data, size > 0 ? (size_t)size : 0});
        return format + 3;
    }
    if (strncmp(format, "llu", 3) == 0) {
        write_number(w, va_arg(*arguments, unsigned long long));
        return format + 3;
    }
    if (strncmp(format, "zu", 2) == 0) {
        write_number(w, va_arg(*arguments, size_t));
        return format + 2;
    }
    if (*format == 's')
        write_argument(w, most, slice_of(va_arg(*arguments, const char *)));
    else if (*format == 'u')
        write_number(w, va_arg(*arguments, unsigned));
    else {
        REQUIRE(*format == '%');
        write_char(w, *format);
    }
    return format + 1;
}

void write_arguments_cut(struct writer *w, size_t most, const char *format, va_list arguments)
{
    va_list rest;
    va_copy(rest, arguments);
    while (*format) {
        size_t plain = 0;
        while (format[plain] && format[plain] != '%')
            plain++;
        write_cut(w, (struct slice){format, plain});
        format += plain;
        if (*format == '%')
            format = write_conversion(w, most, format + 1, &rest);
    }
    va_end(rest);
}

void write_arguments(struct writer *w, const char *format, va_list arguments)
{
    write_arguments_cut(w, SIZE_MAX, format, arguments);
}

void write_format(struct writer *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_arguments(w, format, arguments);
    va_end(arguments);
}

static const char HEX[] = "0123456789abcdef";

static void write_hex_escape(struct writer *w, char c)
{
    unsigned char byte = (unsigned char)c;
    char escape[4] = {'\\', 'x', HEX[byte >> 4], HEX[byte & 15]};
    write_slice(w, (struct slice){escape, sizeof escape});
}

static bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

void write_escaped(struct writer *w, struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!is_printable(s.data[i]) || s.data[i] == '\\')
            write_hex_escape(w, s.data[i]);
        else
            write_char(w, s.data[i]);
    }
}

/* The size of the character of UTF-8 that s begins with, if it has more than one byte (RFC 3629, 4); else 0. */
static size_t utf8_size(struct slice s)
{
    unsigned char first = (unsigned char)s.data[0];
    unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || s.size < size)
        return 0;
    for (size_t i = 1; i < size; i++, least = 0x80, most = 0xbf)
        if ((unsigned char)s.data[i] < least || (unsigned char)s.data[i] > most)
            return 0;
    return size;
}

static void write_json(struct writer *w, struct slice s, bool keep_utf8)
{
    write_char(w, '"');
    while (s.size) {
        size_t utf8 = keep_utf8 ? utf8_size(s) : 0;
        bool printable = is_printable(s.data[0]);
        if (utf8)
            write_slice(w, slice_head(s, utf8));
        else if (!printable || s.data[0] == '"' || s.data[0] == '\\')
            write_char(w, '\\');
        if (printable)
            write_char(w, s.data[0]);
        else if (!utf8)
            write_hex_escape(w, s.data[0]);
        s = slice_from(s, utf8 ? utf8 : 1);
    }
    write_char(w, '"');
}

void write_json_string(struct writer *w, struct slice s)
{
    write_json(w, s, false);
}

void write_json_path(struct writer *w, struct slice s)
{
    write_json(w, s, true);
}
