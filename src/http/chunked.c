#include "http/chunked.h"

#include "base/debug.h"

#define SIZE_LINE_MAX 18 /* the digits of any size, and the line end */

enum state { SIZE, PADDING, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, ENDED };

static enum chunked_progress broken(struct http_chunked *c, const char *problem)
{
    c->problem = problem;
    return CHUNKED_BROKEN;
}

/* After a size of 0 comes the trailer, else the chunk's data. */
static enum chunked_progress on_size(struct http_chunked *c)
{
    c->state = c->size ? DATA : TRAILER;
    c->digits = false;
    c->line = 0;
    return CHUNKED_MORE;
}

/* What may follow the digits: white space, an extension, the end of the line. */
static enum chunked_progress size_end(struct http_chunked *c, char byte)
{
    if (byte == '\r')
        c->state = SIZE_LF;
    else if (byte == ';')
        c->state = EXTENSION;
    else if (byte == ' ' || byte == '\t')
        c->state = PADDING;
    else
        return broken(c, "a chunk's size is not a hexadecimal number");
    return CHUNKED_MORE;
}

static enum chunked_progress size_digit(struct http_chunked *c, char byte)
{
    int digit = hex_digit(byte);
    if (digit < 0)
        return c->digits ? size_end(c, byte) : broken(c, "a chunk has no size");
    if (c->size >> 60)
        return broken(c, "a chunk's size is too large");
    c->size = c->size << 4 | (uint64_t)digit;
    c->digits = true;
    return CHUNKED_MORE;
}

static enum chunked_progress extension(struct http_chunked *c, char byte)
{
    if (byte == '\n' || byte == '\0')
        return broken(c, "a chunk extension contains a bare LF or a NUL");
    if (byte == '\r')
        c->state = SIZE_LF;
    return CHUNKED_MORE;
}

/* Whether the byte belongs to an extension, or to more zeros or padding than a server that writes sizes
 * of a fixed width sends. */
static bool is_extra(const struct http_chunked *c)
{
    return c->state == EXTENSION || c->line > SIZE_LINE_MAX;
}

/* One byte that is neither data nor trailer. */
static enum chunked_progress frame(struct http_chunked *c, char byte)
{
    if (++c->line > CHUNK_LINE_MAX)
        return broken(c, "a chunk's first line is too long");
    if (is_extra(c) && ++c->extra > EXTENSIONS_MAX)
        return broken(c, "its chunk extensions are longer than 16 KiB in total");
    switch (c->state) {
    case SIZE: return size_digit(c, byte);
    case PADDING: return size_end(c, byte);
    case EXTENSION: return extension(c, byte);
    case SIZE_LF:
        return byte == '\n' ? on_size(c) : broken(c, "a chunk's first line contains a bare CR");
    case DATA_CR:
        c->state = DATA_LF;
        return byte == '\r' ? CHUNKED_MORE : broken(c, "a chunk is longer than its size");
    default:
        c->state = SIZE;
        c->line = 0;
        return byte == '\n' ? CHUNKED_MORE : broken(c, "a chunk is longer than its size");
    }
}

static enum chunked_progress data_part(struct http_chunked *c, struct slice *in, struct slice *data)
{
    size_t part = c->size < in->size ? (size_t)c->size : in->size;
    *data = slice_head(*in, part);
    *in = slice_from(*in, part);
    c->size -= part;
    if (c->size == 0)
        c->state = DATA_CR;
    return CHUNKED_DATA;
}

static enum chunked_progress trailer(struct http_chunked *c, struct slice *in)
{
    size_t before = in->size;
    enum fields_progress progress = http_fields_take(&c->fields, in);
    c->trailer += before - in->size;
    if (c->trailer > TRAILER_MAX)
        return broken(c, "the trailer is longer than 32 KiB");
    if (progress == FIELDS_BROKEN)
        return broken(c, c->fields.problem);
    if (progress == FIELDS_END)
        c->state = ENDED;
    return CHUNKED_MORE;
}

enum chunked_progress http_chunked_take(struct http_chunked *c, struct slice *in, struct slice *data)
{
    enum chunked_progress progress = CHUNKED_MORE;
    REQUIRE(!c->problem);
    while (progress == CHUNKED_MORE && c->state != ENDED && in->size) {
        if (c->state == DATA)
            progress = data_part(c, in, data);
        else if (c->state == TRAILER)
            progress = trailer(c, in);
        else {
            char byte = in->data[0];
            *in = slice_from(*in, 1);
            progress = frame(c, byte);
        }
    }
    return progress == CHUNKED_MORE && c->state == ENDED ? CHUNKED_END : progress;
}
