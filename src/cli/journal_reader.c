#include "cli/journal_reader.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regtag_sha256.h"
#include "regtag_sockets.h"

#define SIZE_MAX_TEXT                                                                                   \
    (REGTAG_CONNECTIONS_MAX > 4 ? "it is larger than 256 MiB; start a new one"                          \
                                : "it is larger than 8 MiB; start a new one")

void journal_reader_begin(struct journal_reader *r, int fd, uint64_t deadline)
{
    struct stat s;
    r->fd = fd;
    r->deadline = deadline;
    r->again = false;
    r->problem = NULL;
    r->lines = 0;
    r->used = 0;
    if (fstat(fd, &s) != 0)
        r->problem = strerror(errno);
    else if (s.st_size > (off_t)JOURNAL_BLOCKS * JOURNAL_BLOCK)
        r->problem = SIZE_MAX_TEXT;
    r->size = r->at = r->problem ? 0 : s.st_size;
}

void journal_reader_again(struct journal_reader *r)
{
    r->deadline = UINT64_MAX;
    r->again = true;
    r->lines = 0;
    r->used = 0;
    r->at = r->size;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Reads exactly `size` bytes of the file, from `at` on, into text. */
static void read_text(struct journal_reader *r, size_t size)
{
    size_t used = 0;
    while (used < size && !r->problem) {
        ssize_t n = pread(r->fd, r->text + used, size - used, r->at + (off_t)used);
        if (n > 0)
            used += (size_t)n;
        else if (n == 0)
            r->problem = "it became shorter meanwhile";
        else if (errno != EINTR)
            r->problem = strerror(errno);
    }
}

/* Keeps the digest of a block, or compares it. */
static void check_sum(struct journal_reader *r, size_t size)
{
    unsigned char sum[32];
    unsigned char *kept = r->sums[r->at / JOURNAL_BLOCK];
    struct regtag_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    if (hash.start(&context) || hash.update(&context, r->text, size) || hash.finish(&context, sum))
        r->problem = "its digest cannot be computed";
    else if (!r->again)
        memcpy(kept, sum, JOURNAL_SUM);
    else if (memcmp(kept, sum, JOURNAL_SUM) != 0)
        r->problem = "somebody changed it meanwhile";
}

/* Puts the block before `at` in front of what is left. */
static bool read_block(struct journal_reader *r)
{
    size_t size = (size_t)((r->at - 1) % JOURNAL_BLOCK) + 1;
    if (regtag_clock() >= r->deadline)
        r->problem = "that takes too long (--timeout)";
    memmove(r->text + size, r->text, r->used);
    r->at -= (off_t)size;
    r->used += size;
    if (!r->problem)
        read_text(r, size);
    if (!r->problem)
        check_sum(r, size);
    return !r->problem;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* How many bytes of what is left follow its last newline. */
static size_t tail_size(const struct journal_reader *r)
{
    size_t size = 0;
    while (size < r->used && r->text[r->used - 1 - size] != '\n')
        size++;
    return size;
}

/* Takes a part of a line off the end of what is left. */
static struct slice take(struct journal_reader *r, size_t size)
{
    r->used -= size;
    return (struct slice){r->text + r->used, size};
}

static bool has_hole(struct slice part)
{
    return slice_find(part, '\0') < part.size;
}

/* Of a line that is too long. If it has a NUL, it may be a torn one: that depends on its beginning. */
static struct slice stand_in(char *line, bool hole)
{
    if (!hole)
        return SLICE("?");
    line[JOURNAL_TIME_SIZE] = '\0';
    return (struct slice){line, JOURNAL_TIME_SIZE + 1};
}

/* Reads the line that ends where what is left does, without its newline. Of one that is too long, keeps
 * only its beginning. */
static bool read_line(struct journal_reader *r, struct slice *line)
{
    bool is_long = false, hole = false;
    size_t tail;
    while ((tail = tail_size(r)) == r->used && r->at > 0) {
        if (tail >= JOURNAL_LINE_MAX) {
            is_long = true;
            hole |= has_hole(take(r, tail - JOURNAL_TIME_SIZE));
        }
        if (!read_block(r))
            return false;
    }
    *line = take(r, tail);
    if (is_long)
        *line = stand_in(r->text + r->used, hole || has_hole(*line));
    return true;
}

bool journal_reader_next(struct journal_reader *r, struct slice *line)
{
    if (r->problem || (r->used == 0 && (r->at == 0 || !read_block(r))))
        return false;
    /* Only the last line of the file may have no newline. */
    if (r->text[r->used - 1] == '\n')
        r->used--;
    r->lines++;
    return read_line(r, line);
}
