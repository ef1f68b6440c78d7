#include "base/base64.h"

/* The value of a digit of either alphabet, or -1. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (is_lower(c))
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Padding completes the last group of four. */
static struct slice without_padding(struct slice s)
{
    if (s.size % 4 != 0)
        return s;
    for (int i = 0; i < 2 && s.size && s.data[s.size - 1] == '='; i++)
        s.size--;
    return s;
}

bool base64_decode(struct slice s, char *memory, size_t max, struct slice *decoded)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t used = 0;

    s = without_padding(s);
    for (size_t i = 0; i < s.size; i++) {
        int value = digit_value(s.data[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            if (used == max)
                return false;
            count -= 8;
            memory[used++] = (char)(bits >> count & 0xff);
        }
    }
    *decoded = (struct slice){memory, used};
    /* The bits left over must be fewer than a digit has, and zero. */
    return count < 6 && (bits & ((1u << count) - 1)) == 0;
}

/* Four digits for the one to three bytes of a group, padded with '='. */
static void write_group(struct writer *w, struct base64 *b)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char group[4];
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < b->size ? b->group[i] : 0u);
    for (size_t i = 0; i < 4; i++)
        group[i] = i <= b->size ? DIGITS[bits >> (18 - 6 * i) & 63] : '=';
    write_slice(w, (struct slice){group, sizeof group});
    b->size = 0;
}

void base64_add(struct base64 *b, struct slice part, struct writer *w)
{
    for (size_t i = 0; i < part.size; i++) {
        b->group[b->size++] = (unsigned char)part.data[i];
        if (b->size == sizeof b->group)
            write_group(w, b);
    }
}

void base64_end(struct base64 *b, struct writer *w)
{
    if (b->size)
        write_group(w, b);
}

void write_base64(struct writer *w, struct slice s)
{
    struct base64 b = {.size = 0};
    base64_add(&b, s, w);
    base64_end(&b, w);
}
