#include "base/writer.h"

#include <string.h>

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

/* Writes one conversion; `format` is what follows the '%'. Returns the rest of the format. */
static const char *write_conversion(struct writer *w, const char *format, va_list *arguments)
{
    if (strncmp(format, ".*s", 3) == 0) {
        int size = va_arg(*arguments, int);
        const char *data = va_arg(*arguments, const char *);
        write_cut(w, (struct slice){data, size > 0 ? (size_t)size : 0});
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
        write_cut(w, slice_of(va_arg(*arguments, const char *)));
    else if (*format == 'u')
        write_number(w, va_arg(*arguments, unsigned));
    else
        write_char(w, *format);
    return format + 1;
}

void write_arguments(struct writer *w, const char *format, va_list arguments)
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
            format = write_conversion(w, format + 1, &rest);
    }
    va_end(rest);
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

void write_json_string(struct writer *w, struct slice s)
{
    write_char(w, '"');
    for (size_t i = 0; i < s.size; i++) {
        bool printable = is_printable(s.data[i]);
        if (!printable || s.data[i] == '"' || s.data[i] == '\\')
            write_char(w, '\\');
        if (printable)
            write_char(w, s.data[i]);
        else
            write_hex_escape(w, s.data[i]);
    }
    write_char(w, '"');
}
