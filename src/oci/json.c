#include "oci/json.h"

enum state {
    VALUE,       /* a value must come */
    FIRST_VALUE, /* a value or ']' */
    FIRST_KEY,   /* a key or '}' */
    KEY,         /* a key must come */
    COLON,
    AFTER_VALUE, /* ',' or the end of the container; at the top level only white space */
    STRING,
    ESCAPE, /* after the backslash */
    HEX,
    LITERAL,
    MINUS, /* from here on: inside a number */
    ZERO,
    INTEGER,
    POINT,
    FRACTION,
    EXPONENT_SIGN,
    EXPONENT_FIRST,
    EXPONENT
};

static enum json_event broken(struct json *j, const char *problem)
{
    j->problem = problem;
    return JSON_BROKEN;
}

static void take(struct json *j, struct slice *in, size_t size)
{
    if (size == 0)
        return;
    in->data += size;
    in->size -= size;
    j->offset += size;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_spaces(struct json *j, struct slice *in)
{
    size_t n = 0;
    while (n < in->size && is_space(in->data[n]))
        n++;
    take(j, in, n);
}

static bool innermost_is_object(const struct json *j)
{
    return j->objects & 1;
}

static enum json_event open_container(struct json *j, bool object)
{
    if (j->depth == JSON_DEPTH_MAX)
        return broken(j, "it is nested deeper than 64 levels");
    j->objects = j->objects << 1 | object;
    j->depth++;
    j->state = object ? FIRST_KEY : FIRST_VALUE;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_event close_container(struct json *j)
{
    j->objects >>= 1;
    j->depth--;
    j->state = AFTER_VALUE;
    return JSON_CLOSE;
}

static enum json_event begin_scalar(struct json *j, char c)
{
    j->scalar = c;
    j->whole = is_digit(c) ? (uint32_t)(c - '0') : 0;
    if (c == '-')
        j->state = MINUS;
    else if (is_digit(c))
        j->state = c == '0' ? ZERO : INTEGER;
    else {
        j->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
        j->state = LITERAL;
    }
    return JSON_SCALAR;
}

static void begin_string(struct json *j, bool key)
{
    j->in_key = key;
    j->state = STRING;
}

/* The first character of a value. JSON_MORE: taken, but there is no event yet. */
static enum json_event begin_value(struct json *j, char c)
{
    if (c == '{' || c == '[')
        return open_container(j, c == '{');
    if (c == ']' && j->state == FIRST_VALUE)
        return close_container(j);
    if (c == '"') {
        begin_string(j, false);
        return JSON_MORE;
    }
    if (c == '-' || is_digit(c) || c == 't' || c == 'f' || c == 'n')
        return begin_scalar(j, c);
    return broken(j, "a value is missing");
}

/* The characters between values. */
static enum json_event structure(struct json *j, char c)
{
    switch (j->state) {
    case FIRST_KEY:
        if (c == '}')
            return close_container(j);
        /* fall through */
    case KEY:
        if (c != '"')
            return broken(j, "a key is missing");
        begin_string(j, true);
        return JSON_MORE;
    case COLON:
        if (c != ':')
            return broken(j, "a ':' is missing after a key");
        j->state = VALUE;
        return JSON_MORE;
    case AFTER_VALUE:
        if (j->depth == 0)
            return broken(j, "something follows the end of the document");
        if (c == (innermost_is_object(j) ? '}' : ']'))
            return close_container(j);
        if (c != ',')
            return broken(j, "a ',' or the end of an object or array is missing");
        j->state = innermost_is_object(j) ? KEY : VALUE;
        return JSON_MORE;
    default: return begin_value(j, c);
    }
}

static enum json_event literal(struct json *j, char c)
{
    if (c != *j->literal)
        return broken(j, "a value is not valid");
    if (*++j->literal == '\0')
        j->state = AFTER_VALUE;
    return JSON_MORE;
}

/* The state that follows s in a number at character c; VALUE (0): c does not belong to it. */
static unsigned char number_state(unsigned char s, char c)
{
    bool digit = is_digit(c);
    switch (s) {
    case MINUS: return !digit ? VALUE : c == '0' ? ZERO : INTEGER;
    case INTEGER:
        if (digit)
            return INTEGER;
        /* fall through */
    case ZERO: return c == '.' ? POINT : c == 'e' || c == 'E' ? EXPONENT_SIGN : VALUE;
    case POINT: return digit ? FRACTION : VALUE;
    case FRACTION: return digit ? FRACTION : c == 'e' || c == 'E' ? EXPONENT_SIGN : VALUE;
    case EXPONENT_SIGN: return c == '+' || c == '-' ? EXPONENT_FIRST : digit ? EXPONENT : VALUE;
    default: return digit ? EXPONENT : VALUE;
    }
}

static bool number_may_end(unsigned char s)
{
    return s == ZERO || s == INTEGER || s == FRACTION || s == EXPONENT;
}

/* Takes the characters of a number. */
static enum json_event number(struct json *j, struct slice *in)
{
    while (in->size) {
        unsigned char next = number_state(j->state, in->data[0]);
        if (next == VALUE) {
            if (!number_may_end(j->state))
                return broken(j, "a number is not complete");
            j->state = AFTER_VALUE;
            break;
        }
        j->state = next;
        if (next == INTEGER && j->whole < 100000000)
            j->whole = j->whole * 10 + (uint32_t)(in->data[0] - '0');
        take(j, in, 1);
    }
    return JSON_MORE;
}

/* The first byte of a multi-byte character: how many follow, and the range of the first of these, which
 * excludes overlong forms, surrogates and what is beyond U+10FFFF (RFC 3629, 4). */
static bool begin_utf8(struct json *j, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4)
        return false;
    j->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    j->utf8_min = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    j->utf8_max = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return true;
}

/* Whether the byte may come next in a string. */
static bool string_byte(struct json *j, unsigned char c)
{
    if (j->utf8_left == 0)
        return c < 0x80 ? c >= 0x20 : begin_utf8(j, c);
    if (c < j->utf8_min || c > j->utf8_max)
        return false;
    j->utf8_left--;
    j->utf8_min = 0x80;
    j->utf8_max = 0xbf;
    return true;
}

/* Inside a string, up to its end, an escape, or the end of the input. */
static enum json_event string(struct json *j, struct slice *in, struct slice *text)
{
    size_t n = 0;
    for (; n < in->size; n++) {
        unsigned char c = (unsigned char)in->data[n];
        if (j->utf8_left == 0) {
            if (c == '"' || c == '\\')
                break;
            if (c >= 0x20 && c < 0x80)
                continue;
        }
        if (!string_byte(j, c)) {
            j->offset += n;
            return broken(j, c < 0x20 ? "a string contains a raw control character"
                                      : "a string is not valid UTF-8");
        }
    }
    if (n > 0) {
        *text = slice_head(*in, n);
        take(j, in, n);
        return JSON_TEXT;
    }
    bool ends = in->data[0] == '"';
    take(j, in, 1);
    if (!ends) {
        j->state = ESCAPE;
        return JSON_MORE;
    }
    j->state = j->in_key ? COLON : AFTER_VALUE;
    return JSON_STRING;
}

/* The character that a one-letter escape stands for, or 0. */
static char escaped_character(char c)
{
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '"':
    case '\\':
    case '/': return c;
    default: return 0;
    }
}

static enum json_event escape(struct json *j, char c, struct slice *text)
{
    if (c == 'u') {
        j->state = HEX;
        j->hex_left = 4;
        j->unit = 0;
        return JSON_MORE;
    }
    j->decoded[0] = escaped_character(c);
    if (j->decoded[0] == 0)
        return broken(j, "a string contains an unknown escape");
    *text = (struct slice){j->decoded, 1};
    j->state = STRING;
    return JSON_TEXT;
}

/* Writes one UTF-16 unit as UTF-8 and returns its size. */
static size_t encode_unit(uint16_t unit, char out[3])
{
    if (unit < 0x80) {
        out[0] = (char)unit;
        return 1;
    }
    if (unit < 0x800) {
        out[0] = (char)(0xc0 | unit >> 6);
        out[1] = (char)(0x80 | (unit & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | unit >> 12);
    out[1] = (char)(0x80 | (unit >> 6 & 0x3f));
    out[2] = (char)(0x80 | (unit & 0x3f));
    return 3;
}

static enum json_event hex(struct json *j, char c, struct slice *text)
{
    int digit = hex_digit(c);
    if (digit < 0)
        return broken(j, "\\u is not followed by four hexadecimal digits");
    j->unit = (uint16_t)(j->unit << 4 | digit);
    if (--j->hex_left > 0)
        return JSON_MORE;
    *text = (struct slice){j->decoded, encode_unit(j->unit, j->decoded)};
    j->state = STRING;
    return JSON_TEXT;
}

/* Takes one character that is not part of a number, nor plain text of a string. */
static enum json_event character(struct json *j, struct slice *in, struct slice *text)
{
    enum json_event event;
    char c = in->data[0];
    switch (j->state) {
    case LITERAL: event = literal(j, c); break;
    case ESCAPE: event = escape(j, c, text); break;
    case HEX: event = hex(j, c, text); break;
    default: event = structure(j, c); break;
    }
    if (event != JSON_BROKEN)
        take(j, in, 1);
    return event;
}

enum json_event json_next(struct json *j, struct slice *in, struct slice *text)
{
    enum json_event event = JSON_MORE;
    if (j->problem)
        return JSON_BROKEN;
    while (event == JSON_MORE) {
        if (j->state <= AFTER_VALUE)
            skip_spaces(j, in);
        if (in->size == 0)
            break;
        if (j->state == STRING)
            event = string(j, in, text);
        else if (j->state >= MINUS)
            event = number(j, in);
        else
            event = character(j, in, text);
    }
    return event;
}

bool json_end(struct json *j)
{
    if (j->problem)
        return false;
    if (j->depth == 0 && (j->state == AFTER_VALUE || number_may_end(j->state)))
        return true;
    j->problem = "it ends too early";
    return false;
}

/* Takes the four digits after \u. */
static uint32_t take_unit(struct slice *raw)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++)
        unit = unit << 4 | (uint32_t)hex_digit(raw->data[i]);
    *raw = slice_from(*raw, 4);
    return unit;
}

static uint32_t take_escape(struct slice *raw)
{
    char c = raw->data[0];
    *raw = slice_from(*raw, 1);
    if (c != 'u')
        return (uint32_t)escaped_character(c);

    uint32_t unit = take_unit(raw);
    if (unit < 0xd800 || unit > 0xdbff || !slice_starts(*raw, SLICE("\\u")))
        return unit;
    struct slice after = slice_from(*raw, 2);
    uint32_t low = take_unit(&after);
    if (low < 0xdc00 || low > 0xdfff)
        return unit;
    *raw = after;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

bool json_character(struct slice *raw, uint32_t *code)
{
    if (raw->size == 0)
        return false;
    uint32_t c = (unsigned char)raw->data[0];
    raw->data++;
    raw->size--;
    if (c == '\\') {
        *code = take_escape(raw);
        return true;
    }
    if (c >= 0x80) {
        unsigned follow = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        c &= 0x3fu >> follow;
        for (; follow > 0; follow--) {
            c = c << 6 | ((unsigned char)raw->data[0] & 0x3fu);
            raw->data++;
            raw->size--;
        }
    }
    *code = c;
    return true;
}
