#include "cli/tar_reader.h"

#include <string.h>

#include "base/writer.h"

/* Where a header says that another block of a sparse file's map follows: of an old GNU sparse file, and in such a block. */
enum { SPARSE_MORE_AT = 482, MAP_MORE_AT = 504 };

#define SIZE_MAX_HERE ((uint64_t)1 << 62)

static bool broken(struct tar_reader *t, const char *problem)
{
    t->failed = true;
    t->problem = problem;
    return false;
}

/* Reads the next block. */
static bool read_block(struct tar_reader *t)
{
    ptrdiff_t n = t->read(t->context, t->at, t->block, TAR_BLOCK);
    t->held = n < 0 ? 0 : (size_t)n;
    if (n == TAR_BLOCK) {
        t->at += TAR_BLOCK;
        return true;
    }
    return broken(t, n < 0 ? NULL : "the file is cut off");
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static struct slice field(const struct tar_reader *t, size_t at, size_t size)
{
    struct slice s = {(const char *)t->block + at, size};
    return slice_head(s, slice_find(s, '\0'));
}

/* In base 256, big-endian, after a byte 0x80. */
static bool parse_binary(const unsigned char *digits, size_t size, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        if (*number > SIZE_MAX_HERE >> 8)
            return false;
        *number = *number << 8 | digits[i];
    }
    return digits[-1] == 0x80;
}

/* Octal digits, with spaces before, and spaces or a NUL after them. */
static bool parse_octal(struct slice s, uint64_t *number)
{
    size_t i = 0;
    while (i < s.size && s.data[i] == ' ')
        i++;
    *number = 0;
    for (; i < s.size && s.data[i] >= '0' && s.data[i] <= '7'; i++)
        *number = *number << 3 | (uint64_t)(s.data[i] - '0');
    while (i < s.size && s.data[i] == ' ')
        i++;
    return i == s.size;
}

static bool parse_size(const struct tar_reader *t, uint64_t *size)
{
    return t->block[TAR_SIZE_AT] & 0x80
               ? parse_binary(t->block + TAR_SIZE_AT + 1, TAR_LARGE_NUMBER_SIZE - 1, size)
               : parse_octal(field(t, TAR_SIZE_AT, TAR_LARGE_NUMBER_SIZE), size);
}

/* Some old programs added up signed bytes. */
static bool checksum_holds(const struct tar_reader *t)
{
    uint64_t stated;
    uint32_t sum = 0, high = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        unsigned char byte =
            i >= TAR_CHECKSUM_AT && i < TAR_CHECKSUM_AT + TAR_NUMBER_SIZE ? ' ' : t->block[i];
        sum += byte;
        high += byte >> 7;
    }
    return parse_octal(field(t, TAR_CHECKSUM_AT, TAR_NUMBER_SIZE), &stated) &&
           (stated == sum || stated == (uint64_t)sum - 256 * high);
}

static bool is_empty(const struct tar_reader *t)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (t->block[i])
            return false;
    return true;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Names that are too long, or have a NUL in them, are none that matter. */
static void set_name(struct tar_entry *entry, struct slice prefix, struct slice name)
{
    char text[TAR_NAME_MAX + 2];
    struct writer w = writer_to(text, sizeof text), plain = writer_to(entry->name, TAR_NAME_MAX);
    write_slice(&w, prefix);
    write_text(&w, prefix.size ? "/" : "");
    write_slice(&w, name);
    write_slice(&plain, slice_from(written(&w), slice_starts(written(&w), SLICE("./")) ? 2 : 0));
    bool unusable = w.overflow || slice_find(name, '\0') < name.size;
    entry->name[unusable ? 0 : plain.used] = '\0';
}

static void set_header_name(const struct tar_reader *t, struct tar_entry *entry)
{
    struct slice prefix = SLICE("");
    if (memcmp(t->block + TAR_MAGIC_AT, "ustar", 6) == 0)
        prefix = field(t, TAR_PREFIX_AT, TAR_PREFIX_SIZE);
    set_name(entry, prefix, field(t, TAR_NAME_AT, TAR_NAME_MAX));
}

/* ---- Extended headers ------------------------------------------------------------------------ */

/* Reads what a pax header or a long name consists of, byte by byte. */
struct pax {
    struct tar_reader *reader;
    struct tar_entry *entry;
    uint64_t left; /* bytes of the record: as stated, then those that follow */
    size_t taken;  /* of its length and the space */
    bool in_value;
    char key[24], value[TAR_NAME_MAX + 4];
    struct writer key_writer, value_writer;
};

static void begin_record(struct pax *p)
{
    p->left = p->taken = 0;
    p->in_value = false;
    p->key_writer = writer_to(p->key, sizeof p->key);
    p->value_writer = writer_to(p->value, sizeof p->value);
}

static bool use_record(struct pax *p)
{
    struct tar_reader *t = p->reader;
    struct slice key = written(&p->key_writer), value = written(&p->value_writer);
    bool sparse = slice_starts(key, SLICE("GNU.sparse."));
    t->sparse |= sparse;
    if (slice_equal(key, SLICE("path")) || slice_equal(key, SLICE("GNU.sparse.name"))) {
        t->named = true;
        set_name(p->entry, SLICE(""), p->value_writer.overflow ? SLICE("") : value);
    } else if (slice_equal(key, SLICE("size"))) {
        t->sized = true;
        return !p->value_writer.overflow && slice_number(value, SIZE_MAX_HERE, &p->entry->size);
    }
    return true;
}

static bool take_length(struct pax *p, char c)
{
    p->taken++;
    if (c == ' ') {
        bool valid = p->left > p->taken;
        p->left -= p->taken;
        p->taken = 0;
        return valid;
    }
    p->left = p->left * 10 + (uint64_t)(c - '0');
    return is_digit(c) && p->left <= TAR_EXTENSION_MAX;
}

/* One byte of "LENGTH KEY=VALUE\n". False if it is no such record. */
static bool take_byte(struct pax *p, char c, bool *in_length)
{
    if (*in_length) {
        *in_length = c != ' ';
        return take_length(p, c);
    }
    if (--p->left == 0) {
        bool valid = c == '\n' && p->in_value && use_record(p);
        begin_record(p);
        *in_length = true;
        return valid;
    }
    if (p->in_value)
        write_char(&p->value_writer, c);
    else if (c == '=')
        p->in_value = true;
    else
        write_char(&p->key_writer, c);
    return true;
}

/* Writes the bytes of a long name, or hands those of a pax header to take_byte. */
static bool take_block(struct pax *p, size_t size, bool *in_length, bool long_name)
{
    const char *bytes = (const char *)p->reader->block;
    for (size_t i = 0; i < size; i++)
        if (long_name)
            write_char(&p->value_writer, bytes[i]);
        else if (!take_byte(p, bytes[i], in_length))
            return broken(p->reader, "an extended header is not valid");
    return true;
}

static void use_long_name(struct pax *p)
{
    struct slice name = written(&p->value_writer);
    p->reader->named = true;
    name = slice_head(name, slice_find(name, '\0'));
    set_name(p->entry, SLICE(""), p->value_writer.overflow ? SLICE("") : name);
}

/* The data of an entry that says something about the next one: a pax header ('x'), or its name ('L'). */
static bool read_extension(struct tar_reader *t, struct tar_entry *entry, uint64_t size, bool long_name)
{
    struct pax p = {.reader = t, .entry = entry};
    bool in_length = true;
    begin_record(&p);
    for (; size; size -= size < TAR_BLOCK ? size : TAR_BLOCK)
        if (!read_block(t) ||
            !take_block(&p, size < TAR_BLOCK ? (size_t)size : TAR_BLOCK, &in_length, long_name))
            return false;
    if (long_name)
        use_long_name(&p);
    return (in_length && !p.taken) || broken(t, "an extended header is not valid");
}

/* ---- Entries --------------------------------------------------------------------------------- */

static enum tar_type type_of(char type)
{
    switch (type) {
    case '\0':
    case '0':
    case '7': return TAR_FILE;
    case '1':
    case '2': return TAR_LINK;
    case 'S': return TAR_SPARSE;
    default: return TAR_OTHER;
    }
}

/* Links, devices, folders and pipes have a size at times, but never data. */
static bool has_data(char type)
{
    return type < '1' || type > '6';
}

/* The map of an old GNU sparse file that does not fit into its header. */
static bool skip_map(struct tar_reader *t)
{
    bool more = t->block[SPARSE_MORE_AT];
    while (more) {
        if (++t->headers > TAR_HEADERS_MAX)
            return broken(t, "it has too many headers");
        if (!read_block(t))
            return false;
        more = t->block[MAP_MORE_AT];
    }
    return true;
}

static void skip_data(struct tar_reader *t, uint64_t size)
{
    t->at += (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* The header is that of an entry; `size` is its size in there. */
static bool finish_entry(struct tar_reader *t, struct tar_entry *entry, uint64_t size)
{
    char type = (char)t->block[TAR_TYPE_AT];
    entry->type = t->sparse ? TAR_SPARSE : type_of(type);
    if (!t->named)
        set_header_name(t, entry);
    if (!t->sized)
        entry->size = size;
    if (!has_data(type))
        entry->size = 0;
    t->named = t->sized = t->sparse = false;
    if (type == 'S' && !skip_map(t))
        return false;
    entry->at = t->at;
    if (entry->size > SIZE_MAX_HERE - t->at)
        return broken(t, "an entry is too large");
    skip_data(t, entry->size);
    return true;
}

/* Those of the target of a link ('K'), and of all entries that follow ('g'), say nothing that matters here. */
static bool use_extension(struct tar_reader *t, struct tar_entry *entry, char type, uint64_t size)
{
    if (size > TAR_EXTENSION_MAX)
        return broken(t, "an extended header is too large");
    if (type != 'K' && type != 'g')
        return read_extension(t, entry, size, type == 'L');
    skip_data(t, size);
    return true;
}

/* A header that was read, and is not empty. Sets *done if it is that of an entry. */
static bool use_header(struct tar_reader *t, struct tar_entry *entry, bool *done)
{
    uint64_t size;
    char type = (char)t->block[TAR_TYPE_AT];
    if (++t->headers > TAR_HEADERS_MAX)
        return broken(t, "it has too many headers");
    if (!checksum_holds(t))
        return broken(t, "the checksum of a header is wrong");
    if (!parse_size(t, &size) || size > SIZE_MAX_HERE)
        return broken(t, "a size is not valid");
    if (type == 'x' || type == 'X' || type == 'L' || type == 'K' || type == 'g')
        return use_extension(t, entry, type, size);
    if (type == 'M')
        return broken(t, "it is a part of an archive in several volumes");
    *done = true;
    return finish_entry(t, entry, size);
}

/* After an empty block. */
static bool is_end(struct tar_reader *t)
{
    if (t->named || t->sized || t->sparse)
        return broken(t, "nothing follows an extended header");
    return read_block(t) && (is_empty(t) || broken(t, "an empty block is not the end"));
}

enum tar_event tar_next(struct tar_reader *t, struct tar_entry *entry)
{
    bool done = false;
    uint64_t at = t->at;
    while (!done && !t->failed) {
        at = t->at;
        if (!read_block(t))
            break;
        if (!is_empty(t))
            use_header(t, entry, &done);
        else if (is_end(t))
            return TAR_END;
    }
    if (!t->failed)
        return TAR_ENTRY;
    t->at = at;
    return TAR_BROKEN;
}
