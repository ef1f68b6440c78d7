#include "cli/journal_reader.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void journal_reader_begin(struct journal_reader *r, int fd)
{
    struct stat s;
    r->fd = fd;
    r->problem = fstat(fd, &s) == 0 ? 0 : errno;
    r->at = r->problem ? 0 : s.st_size;
}

/* Reads exactly `size` bytes of the file into text. */
static bool read_at(struct journal_reader *r, size_t size, off_t from)
{
    size_t used = 0;
    while (used < size) {
        ssize_t n = pread(r->fd, r->text + used, size - used, from + (off_t)used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r->problem = n < 0 ? errno : EIO; /* at the end: it was truncated */
            return false;
        }
        used += (size_t)n;
    }
    return true;
}

/* Reads what precedes `at`, as much as fits. */
static bool read_before(struct journal_reader *r, struct slice *s)
{
    size_t size = r->at < (off_t)sizeof r->text ? (size_t)r->at : sizeof r->text;
    *s = (struct slice){r->text, size};
    return read_at(r, size, r->at - (off_t)size);
}

/* How many bytes of s follow its last newline. */
static size_t tail_size(struct slice s)
{
    size_t size = 0;
    while (size < s.size && s.data[s.size - 1 - size] != '\n')
        size++;
    return size;
}

/* Skips a line that does not fit. Keeps one byte of what it is: a NUL if it has any, which makes it a
 * torn line. */
static bool skip_long(struct journal_reader *r, struct slice *line)
{
    struct slice s = {NULL, 0};
    size_t tail;
    bool hole = false;
    do {
        if (!read_before(r, &s))
            return false;
        tail = tail_size(s);
        hole = hole || slice_find(slice_from(s, s.size - tail), '\0') < tail;
        r->at -= (off_t)tail;
    } while (tail == s.size && r->at > 0);
    r->text[0] = hole ? '\0' : '?';
    *line = (struct slice){r->text, sizeof r->text};
    return true;
}

bool journal_reader_next(struct journal_reader *r, struct slice *line)
{
    struct slice s;
    if (r->problem || r->at == 0 || !read_before(r, &s))
        return false;
    /* Only the last line of the file may have no newline. */
    if (s.data[s.size - 1] == '\n') {
        s.size--;
        r->at--;
    }
    size_t tail = tail_size(s);
    if (tail == s.size && r->at > (off_t)tail)
        return skip_long(r, line);
    *line = slice_from(s, s.size - tail);
    r->at -= (off_t)tail;
    return true;
}

uint64_t journal_reader_number(struct journal_reader *r)
{
    uint64_t number = 1;
    for (off_t from = 0; from < r->at;) {
        size_t size = r->at - from < (off_t)sizeof r->text ? (size_t)(r->at - from) : sizeof r->text;
        if (!read_at(r, size, from))
            break;
        for (size_t i = 0; i < size; i++)
            number += r->text[i] == '\n';
        from += (off_t)size;
    }
    return number;
}
