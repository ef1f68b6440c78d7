/* src/cli: the journal of moves, its lines, its file, and what is still to be undone by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/journal.h"
#include "cli/journal_reader.h"
#include "cli/undo_index.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define A "sha256:" HEX_A
#define B "sha256:" HEX_B
#define C "sha256:" HEX_C
#define TIME "2026-11-23T12:31:28Z\t"
#define TAG "localhost:5000/agent:stable"
#define OTHER "localhost:5000/agent:other"

/* ---- Lines ----------------------------------------------------------------------------------- */

static struct journal_line line_of(const char *reference, const char *before, const char *after,
                                   enum regtag_outcome outcome, bool undo)
{
    struct journal_line line = {.outcome = outcome, .undo = undo};
    line.reference = slice_of(reference);
    line.before = slice_of(before);
    line.after = slice_of(after);
    return line;
}

static struct journal_line a_move(enum regtag_outcome outcome)
{
    return line_of(TAG, A, B, outcome, false);
}

static void check_written(int64_t seconds, struct journal_line line, const char *wanted)
{
    char text[JOURNAL_LINE_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    write_journal_line(&w, seconds, &line);
    text[w.used] = '\0';
    assert_false(w.overflow);
    assert_string_equal(text, wanted);
}

static void a_line_has_five_columns(void **state)
{
    (void)state;
    check_written(1795437088, a_move(REGTAG_TAG_PENDING), TIME TAG "\t" A "\t" B "\tmoving\n");
    check_written(1795437088, a_move(REGTAG_TAG_MOVED), TIME TAG "\t" A "\t" B "\tmoved\n");
    check_written(1795437088, line_of(TAG, B, A, REGTAG_TAG_MOVED, true),
                  TIME TAG "\t" B "\t" A "\tundo:moved\n");
    check_written(1795437088, line_of(TAG, JOURNAL_UNKNOWN, B, REGTAG_TAG_SET, false),
                  TIME TAG "\t-\t" B "\tset\n");
    check_written(1795437088, line_of(TAG, A, JOURNAL_ABSENT, REGTAG_TAG_DELETED, false),
                  TIME TAG "\t" A "\tabsent\tdeleted\n");
}

static void a_time_is_utc_from_1970_on(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},          {86399, "1970-01-01T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},  {4107542399, "2100-02-28T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"}, {2147483648, "2038-01-19T03:14:08Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char wanted[200];
        struct writer w = writer_to(wanted, sizeof wanted - 1);
        write_format(&w, "%s\ta:b\t%s\tabsent\tdeleted\n", cases[i].text, "-");
        wanted[w.used] = '\0';
        check_written(cases[i].seconds, line_of("a:b", "-", "absent", REGTAG_TAG_DELETED, false),
                      wanted);
    }
}

static void a_line_is_read_as_it_was_written(void **state)
{
    static const char *const BEFORE[] = {A, "absent", "-"}, *const AFTER[] = {B, "absent"};
    (void)state;
    for (unsigned i = 0; i < 8 * 2 * 2 * 3; i++) {
        char text[JOURNAL_LINE_MAX];
        struct writer w = writer_to(text, sizeof text);
        struct journal_line read, line = line_of(TAG, BEFORE[i / 32], AFTER[i / 16 % 2],
                                                 (enum regtag_outcome)(i % 8), i / 8 % 2);
        write_journal_line(&w, (int64_t)i * 86400, &line);
        assert_int_equal(journal_line_read(slice_head(written(&w), w.used - 1), &read), JOURNAL_LINE);
        assert_true(slice_equal(read.reference, line.reference));
        assert_true(slice_equal(read.before, line.before));
        assert_true(slice_equal(read.after, line.after));
        assert_int_equal(read.outcome, line.outcome);
        assert_int_equal(read.undo, line.undo);
    }
}

static void no_beginning_of_a_line_is_taken_for_a_line(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        char text[JOURNAL_LINE_MAX];
        struct writer w = writer_to(text, sizeof text);
        struct journal_line line = line_of(TAG, A, B, (enum regtag_outcome)(i / 2), i % 2);
        write_journal_line(&w, 0, &line);
        for (size_t size = 1; size < w.used - 1; size++)
            if (journal_line_read(slice_head(written(&w), size), &line) != JOURNAL_TORN)
                fail_msg("%.*s", (int)size, text);
    }
}

static void what_nobody_has_written_is_foreign(void **state)
{
    static const char *const LINES[] = {
        " ",
        "x",
        "\t",
        "regtag",
        "#" TIME TAG "\t" A "\t" B "\tmoved",
        TIME TAG "\t" A "\t" B "\tmoved ",
        TIME TAG "\t" A "\t" B "\tmoved\r",
        TIME TAG "\t" A "\t" B "\tmoved\t",
        TIME TAG "\t" A "\t" B "\tmoved\tundo",
        TIME TAG "\t" A "\t" B "\tgone",
        TIME TAG "\t" A "\t" B "\tundo:undo:moved",
        TIME TAG "\t" A "\t-\tset",
        TIME TAG "\t" A "\t\tset",
        TIME TAG "\t\t" B "\tset",
        TIME TAG "\t" HEX_A "\t" B "\tset",
        TIME TAG "\tABSENT\t" B "\tcreated",
        TIME TAG "\t" A "a\t" B "\tmoved",
        TIME "localhost:5000/agent\t" A "\t" B "\tmoved",
        TIME "localhost:5000/agent:stable@" A "\t" A "\t" B "\tmoved",
        TIME "Agent:stable\t" A "\t" B "\tmoved",
        TIME "\t" A "\t" B "\tmoved",
        TIME TAG " \t" A "\t" B "\tmoved",
        "2026-11-23 12:31:28Z\t" TAG "\t" A "\t" B "\tmoved",
        "2026-11-23T12:31:28\t" TAG "\t" A "\t" B "\tmoved",
        "1795437088\t" TAG "\t" A "\t" B "\tmoved",
        "\t" TAG "\t" A "\t" B "\tmoved",
    };
    struct journal_line line;
    (void)state;
    for (size_t i = 0; i < COUNT(LINES); i++)
        if (journal_line_read(slice_of(LINES[i]), &line) != JOURNAL_INVALID)
            fail_msg("\"%s\"", LINES[i]);
}

static void a_hole_is_a_torn_line_however_long(void **state)
{
    static char hole[3 * JOURNAL_LINE_MAX];
    static const char half[] = TIME TAG "\0\0\0\0";
    struct journal_line line;
    (void)state;
    assert_int_equal(journal_line_read((struct slice){hole, 1}, &line), JOURNAL_TORN);
    assert_int_equal(journal_line_read((struct slice){hole, sizeof hole}, &line), JOURNAL_TORN);
    assert_int_equal(journal_line_read((struct slice){half, sizeof half}, &line), JOURNAL_TORN);
    assert_int_equal(journal_line_read(SLICE(""), &line), JOURNAL_EMPTY);
}

static void a_hole_is_none_behind_what_nobody_has_written(void **state)
{
    struct journal_line line;
    (void)state;
    assert_int_equal(journal_line_read(SLICE("2026-\0"), &line), JOURNAL_TORN);
    assert_int_equal(journal_line_read(SLICE("2026_\0"), &line), JOURNAL_INVALID);
    assert_int_equal(journal_line_read(SLICE("2026-11-23T12:31:28Zx\0"), &line), JOURNAL_TORN);
    assert_int_equal(journal_line_read(SLICE("2026-11-23T12:31:28\t\0"), &line), JOURNAL_INVALID);
    assert_int_equal(journal_line_read(SLICE("\0x"), &line), JOURNAL_TORN);
}

/* ---- The file -------------------------------------------------------------------------------- */

static char path[] = "/tmp/regtag-journal-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path) != 0 && rmdir(path) != 0;
}

static void put_file(struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.size), text.size);
    assert_int_equal(ftruncate(fd, (off_t)text.size), 0);
    close(fd);
}

static struct slice get_file(void)
{
    static char text[64 * 1024];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    assert_true(n >= 0);
    close(fd);
    return (struct slice){text, (size_t)n};
}

static void append(struct journal_line line)
{
    struct journal j;
    struct error e = {.status = 0};
    assert_true(journal_open(&j, path, JOURNAL_APPEND, &e));
    assert_null(journal_append(&j, &line));
    journal_close(&j);
}

static void a_file_is_made_and_then_appended_to(void **state)
{
    struct stat s;
    struct slice rest, first;
    mode_t mask = umask(027);
    (void)state;
    unlink(path);
    append(a_move(REGTAG_TAG_PENDING));
    append(a_move(REGTAG_TAG_MOVED));
    umask(mask);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0640);
    rest = get_file();
    first = slice_split(&rest, '\n');
    assert_true(slice_contains(first, SLICE("\tmoving")));
    assert_true(slice_contains(slice_split(&rest, '\n'), SLICE("\tmoved")));
    assert_int_equal(rest.size, 0);
}

/* Whatever was torn off, the next line is whole. */
static void a_torn_line_never_takes_the_next_one_with_it(void **state)
{
    static const char whole[] = TIME TAG "\t" A "\t" B "\tmoving\n";
    (void)state;
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        put_file((struct slice){whole, cut});
        append(a_move(REGTAG_TAG_MOVED));
        struct slice text = get_file();
        struct slice added = slice_from(text, cut);
        bool ended = cut == 0 || cut == sizeof whole - 1;
        assert_true(slice_starts(text, (struct slice){whole, cut}));
        assert_true(added.data[0] == (ended ? added.data[0] : '\n'));
        added = slice_from(added, !ended);
        assert_int_equal(slice_find(added, '\n'), added.size - 1);
    }
}

static void a_name_that_is_too_long_is_not_written_in_part(void **state)
{
    char name[JOURNAL_LINE_MAX];
    struct journal j;
    struct error e = {.status = 0};
    struct journal_line line;
    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    line = line_of(name, A, B, REGTAG_TAG_PENDING, false);
    assert_true(journal_open(&j, path, JOURNAL_APPEND, &e));
    assert_non_null(journal_append(&j, &line));
    journal_close(&j);
    assert_int_equal(get_file().size, 0);
}

static void what_is_no_file_is_no_journal(void **state)
{
    static const char *const PATHS[] = {"/", "/dev/null", "/dev/full", "/no/such/directory/journal", ""};
    static const enum journal_mode MODES[] = {JOURNAL_APPEND, JOURNAL_UPDATE, JOURNAL_READ};
    (void)state;
    for (size_t i = 0; i < COUNT(PATHS) * COUNT(MODES); i++) {
        struct journal j = {.fd = -1};
        struct error e = {.status = 0};
        assert_false(journal_open(&j, PATHS[i / 3], MODES[i % 3], &e));
        assert_int_equal(e.status, REGTAG_E_OTHER);
        assert_true(slice_contains(slice_of(e.text), slice_of(PATHS[i / 3])));
        assert_int_equal(j.fd, -1);
    }
}

static void a_pipe_is_not_waited_for(void **state)
{
    struct journal j;
    struct error e = {.status = 0};
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(journal_open(&j, path, JOURNAL_APPEND, &e));
    assert_false(journal_open(&j, path, JOURNAL_READ, &e));
}

/* ---- Reading from the end -------------------------------------------------------------------- */

static struct journal_reader reader;

static void begin_reading(int fd)
{
    journal_reader_begin(&reader, fd, UINT64_MAX);
}

/* One pass through the lines of a text, from the last to the first; those that are too long as "?". */
static void check_pass(const char *const *wanted, size_t count)
{
    struct slice line;
    for (size_t i = count; i > 0; i--) {
        assert_true(journal_reader_next(&reader, &line));
        assert_int_equal(reader.lines, count - i + 1);
        if (line.size >= JOURNAL_LINE_MAX)
            line = SLICE("?");
        if (!slice_equal(line, slice_of(wanted[i - 1])))
            fail_msg("\"%.*s\", not \"%s\"", SLICE_ARG(line), wanted[i - 1]);
    }
    assert_false(journal_reader_next(&reader, &line));
    assert_false(journal_reader_next(&reader, &line));
    assert_null(reader.problem);
}

static void check_lines(struct slice text, const char *const *wanted, size_t count)
{
    int fd = open(path, O_RDONLY);
    put_file(text);
    begin_reading(fd);
    check_pass(wanted, count);
    journal_reader_again(&reader);
    check_pass(wanted, count);
    close(fd);
}

static void lines_come_from_the_last_to_the_first(void **state)
{
    static const char *const ONE[] = {"a"}, *const TWO[] = {"a", "bc"},
                             *const EMPTY[] = {"", "", "a", ""};
    (void)state;
    check_lines(SLICE(""), NULL, 0);
    check_lines(SLICE("a"), ONE, 1);
    check_lines(SLICE("a\n"), ONE, 1);
    check_lines(SLICE("a\nbc"), TWO, 2);
    check_lines(SLICE("a\nbc\n"), TWO, 2);
    check_lines(SLICE("\n\na\n\n"), EMPTY, 4);
}

/* In a block, and over the end of one. */
static void lines_of_every_length_are_found(void **state)
{
    static char text[JOURNAL_BLOCK + 4 * JOURNAL_LINE_MAX], line[2 * JOURNAL_LINE_MAX];
    (void)state;
    for (size_t size = 0; size < sizeof line - 1; size++) {
        const char *wanted[] = {"before", size >= JOURNAL_LINE_MAX ? "?" : line, "behind"};
        const char *far[] = {"?", wanted[1], "behind"};
        struct writer w = writer_to(text, sizeof text);
        memset(line, 'x', size);
        line[size] = '\0';
        write_format(&w, "before\n%s\nbehind\n", line);
        check_lines(written(&w), wanted, 3);
        check_lines(slice_from(written(&w), 7), wanted + 1, 2);
        memset(text, 'y', sizeof text);
        w.used = JOURNAL_BLOCK - JOURNAL_LINE_MAX;
        write_format(&w, "\n%s\nbehind\n", line);
        check_lines(written(&w), far, 3);
    }
}

/* Lines of three blocks and more, of which one byte is a NUL; and not a byte of them, but of the line
 * before. */
static void a_hole_is_seen_in_a_line_that_is_too_long(void **state)
{
    static char text[4 * JOURNAL_BLOCK];
    (void)state;
    for (size_t size = JOURNAL_LINE_MAX; size < sizeof text; size += 6133)
        for (size_t at = 0; at < size; at += 397) {
            struct journal_line ignored;
            struct slice line;
            memset(text, 'x', size);
            memcpy(text, TIME, sizeof TIME - 1);
            text[size - 1] = '\n';
            text[at] = '\0';
            if (at > 0 && at + JOURNAL_LINE_MAX + 3 < size)
                text[at + 1] = '\n'; /* ends the line before */
            put_file((struct slice){text, size});
            int fd = open(path, O_RDONLY);
            begin_reading(fd);
            assert_true(journal_reader_next(&reader, &line));
            assert_int_equal(journal_line_read(line, &ignored),
                             text[at + 1] == '\n' ? JOURNAL_INVALID : JOURNAL_TORN);
            if (journal_reader_next(&reader, &line))
                assert_int_equal(journal_line_read(line, &ignored), JOURNAL_TORN);
            close(fd);
        }
}

/* Also if it is in two blocks. Else a line of another program would become a torn one by its length. */
static void a_line_that_is_too_long_keeps_its_beginning(void **state)
{
    static char text[4 * JOURNAL_BLOCK];
    (void)state;
    for (size_t at = JOURNAL_BLOCK - 25; at < JOURNAL_BLOCK + 2; at++)
        for (size_t digit = 0; digit < 20; digit++) {
            struct journal_line ignored;
            struct slice line;
            memset(text, '\n', at);
            memset(text + at, 'x', sizeof text - at);
            memcpy(text + at, TIME, sizeof TIME - 1);
            if (digit)
                text[at + digit] = '_';
            text[sizeof text - 1] = '\0';
            put_file((struct slice){text, sizeof text});
            int fd = open(path, O_RDONLY);
            begin_reading(fd);
            assert_true(journal_reader_next(&reader, &line));
            assert_int_equal(journal_line_read(line, &ignored), digit ? JOURNAL_INVALID : JOURNAL_TORN);
            close(fd);
        }
}

static void a_file_that_becomes_shorter_is_a_failure(void **state)
{
    struct slice line;
    (void)state;
    put_file(SLICE("one\ntwo\nthree\n"));
    int fd = open(path, O_RDONLY);
    begin_reading(fd);
    put_file(SLICE("one\n"));
    assert_false(journal_reader_next(&reader, &line));
    assert_non_null(reader.problem);
    close(fd);
}

/* Whatever is appended is not read, and whatever else is changed is not used. */
static void what_was_read_first_is_what_is_read_again(void **state)
{
    struct slice line;
    (void)state;
    put_file(SLICE("one\ntwo\n"));
    int fd = open(path, O_RDWR);
    begin_reading(fd);
    while (journal_reader_next(&reader, &line))
        ;
    assert_int_equal(pwrite(fd, "three\n", 6, 8), 6);
    journal_reader_again(&reader);
    assert_true(journal_reader_next(&reader, &line));
    assert_true(slice_equal(line, SLICE("two")));
    assert_int_equal(pwrite(fd, "six", 3, 0), 3);
    journal_reader_again(&reader);
    assert_false(journal_reader_next(&reader, &line));
    assert_non_null(reader.problem);
    close(fd);
}

static void nothing_is_read_after_the_deadline_nor_more_than_a_journal_may_have(void **state)
{
    struct slice line;
    (void)state;
    put_file(SLICE("one\ntwo\n"));
    int fd = open(path, O_RDWR);
    journal_reader_begin(&reader, fd, 0);
    assert_false(journal_reader_next(&reader, &line));
    assert_true(slice_contains(slice_of(reader.problem), SLICE("--timeout")));
    assert_int_equal(ftruncate(fd, (off_t)1 << 30), 0);
    begin_reading(fd);
    assert_false(journal_reader_next(&reader, &line));
    assert_true(slice_contains(slice_of(reader.problem), SLICE("256 MiB")));
    close(fd);
}

/* ---- What is to be undone -------------------------------------------------------------------- */

static struct undo_index undo_index;

struct entry {
    const char *reference, *before, *after;
    enum regtag_outcome outcome;
    bool undo, wanted;
};

/* Shows the lines to the index, the last one first. */
static void check_wanted(const struct entry *entries, size_t count)
{
    undo_index_begin(&undo_index);
    for (size_t i = count; i > 0; i--) {
        const struct entry *e = &entries[i - 1];
        struct journal_line line = line_of(e->reference, e->before, e->after, e->outcome, e->undo);
        if (undo_index_is_pending(&undo_index, &line) != e->wanted)
            fail_msg("line %zu is %s", i, e->wanted ? "not wanted" : "wanted");
    }
    assert_int_equal(undo_index.count, 0);
}

#define CHECK_WANTED(entries) check_wanted(entries, COUNT(entries))

static void each_move_is_undone_once_and_what_is_none_never(void **state)
{
    static const struct entry entries[] = {
        {TAG, "absent", A, REGTAG_TAG_PENDING, false, false},
        {TAG, "absent", A, REGTAG_TAG_CREATED, false, true},
        {TAG, A, B, REGTAG_TAG_PENDING, false, false},
        {TAG, A, B, REGTAG_TAG_MOVED, false, true},
        {TAG, "-", C, REGTAG_TAG_PENDING, false, false},
        {TAG, "-", C, REGTAG_TAG_SET, false, true},
        {TAG, C, "absent", REGTAG_TAG_PENDING, false, false},
        {TAG, C, "absent", REGTAG_TAG_DELETED, false, true},
        {TAG, A, B, REGTAG_TAG_PENDING, false, false},
        {TAG, A, B, REGTAG_TAG_UNCERTAIN, false, true},
        {TAG, A, B, REGTAG_TAG_PENDING, false, false},
        {TAG, A, B, REGTAG_TAG_FAILED, false, false},
        {TAG, "-", B, REGTAG_TAG_PENDING, false, false},
        {TAG, B, B, REGTAG_TAG_UNCHANGED, false, false},
    };
    (void)state;
    CHECK_WANTED(entries);
}

static void a_move_that_was_not_settled_is_one(void **state)
{
    static const struct entry entries[] = {
        {TAG, A, B, REGTAG_TAG_PENDING, false, true}, {TAG, A, B, REGTAG_TAG_PENDING, false, false},
        {TAG, A, B, REGTAG_TAG_MOVED, false, true},   {OTHER, A, B, REGTAG_TAG_PENDING, false, true},
        {TAG, B, C, REGTAG_TAG_PENDING, false, true}, {OTHER, B, C, REGTAG_TAG_PENDING, false, false},
        {OTHER, B, C, REGTAG_TAG_MOVED, false, true},
    };
    (void)state;
    CHECK_WANTED(entries);
}

static void several_tags_may_be_on_their_way_at_once(void **state)
{
    static const struct entry entries[] = {
        {TAG, A, B, REGTAG_TAG_PENDING, false, false},
        {OTHER, C, B, REGTAG_TAG_PENDING, false, false},
        {TAG, A, B, REGTAG_TAG_MOVED, false, true},
        {OTHER, C, B, REGTAG_TAG_MOVED, false, true},
    };
    (void)state;
    CHECK_WANTED(entries);
}

static void what_was_undone_is_not_undone_again_nor_done_again(void **state)
{
    static const struct entry entries[] = {
        {TAG, A, B, REGTAG_TAG_PENDING, false, false},   {TAG, A, B, REGTAG_TAG_MOVED, false, false},
        {OTHER, A, B, REGTAG_TAG_PENDING, false, false}, {OTHER, A, B, REGTAG_TAG_MOVED, false, true},
        {TAG, B, A, REGTAG_TAG_PENDING, true, false},    {TAG, B, A, REGTAG_TAG_MOVED, true, false},
    };
    static const struct entry crashed[] = {
        {TAG, A, B, REGTAG_TAG_PENDING, false, false},
        {OTHER, "absent", B, REGTAG_TAG_PENDING, false, false},
        {TAG, B, A, REGTAG_TAG_UNCHANGED, true, false},
        {OTHER, B, "absent", REGTAG_TAG_PENDING, true, false},
        {OTHER, B, "absent", REGTAG_TAG_DELETED, true, false},
    };
    (void)state;
    CHECK_WANTED(entries);
    CHECK_WANTED(crashed);
}

static void an_undo_that_failed_or_broke_off_is_taken_up_again(void **state)
{
    static const enum regtag_outcome OUTCOMES[] = {REGTAG_TAG_PENDING, REGTAG_TAG_FAILED,
                                                   REGTAG_TAG_UNCERTAIN};
    (void)state;
    for (size_t i = 0; i < COUNT(OUTCOMES); i++) {
        const struct entry entries[] = {
            {TAG, A, B, REGTAG_TAG_PENDING, false, false},
            {TAG, A, B, REGTAG_TAG_MOVED, false, true},
            {TAG, B, A, REGTAG_TAG_PENDING, true, false},
            {TAG, B, A, OUTCOMES[i], true, false},
        };
        CHECK_WANTED(entries);
    }
}

static void the_same_move_again_is_another_move(void **state)
{
    static const struct entry entries[] = {
        {TAG, A, B, REGTAG_TAG_MOVED, false, true},
        {TAG, A, B, REGTAG_TAG_MOVED, false, false},
        {TAG, B, A, REGTAG_TAG_MOVED, true, false},
        {TAG, A, B, REGTAG_TAG_MOVED, false, true},
    };
    (void)state;
    undo_index_begin(&undo_index);
    for (size_t i = COUNT(entries); i > 0; i--) {
        const struct entry *e = &entries[i - 1];
        struct journal_line line = line_of(e->reference, e->before, e->after, e->outcome, e->undo);
        assert_int_equal(undo_index_is_pending(&undo_index, &line), e->wanted);
    }
}

static void an_undo_in_several_steps_belongs_to_several_moves(void **state)
{
    static const struct entry entries[] = {
        {TAG, A, B, REGTAG_TAG_PENDING, false, false}, {TAG, A, B, REGTAG_TAG_MOVED, false, false},
        {TAG, B, C, REGTAG_TAG_PENDING, false, false}, {TAG, B, C, REGTAG_TAG_MOVED, false, false},
        {TAG, C, B, REGTAG_TAG_PENDING, true, false},  {TAG, C, B, REGTAG_TAG_MOVED, true, false},
        {TAG, B, A, REGTAG_TAG_PENDING, true, false},  {TAG, B, A, REGTAG_TAG_MOVED, true, false},
    };
    (void)state;
    CHECK_WANTED(entries);
}

static void an_index_that_is_full_says_so(void **state)
{
    struct journal_line line = line_of(TAG, B, A, REGTAG_TAG_MOVED, true);
    (void)state;
    undo_index_begin(&undo_index);
    for (size_t i = 0; i < UNDO_INDEX_MAX; i++)
        undo_index_is_pending(&undo_index, &line);
    assert_false(undo_index.full);
    undo_index_is_pending(&undo_index, &line);
    assert_true(undo_index.full);
    assert_int_equal(undo_index.count, UNDO_INDEX_MAX);
}

/* A move of the i-th tag, or its undo. */
static struct journal_line numbered(size_t i, enum regtag_outcome outcome, bool undo)
{
    static char reference[100];
    struct writer w = writer_to(reference, sizeof reference - 1);
    write_format(&w, "localhost:5000/agent:v%zu", i);
    reference[w.used] = '\0';
    return line_of(reference, undo ? B : A, undo ? A : B, outcome, undo);
}

/* No line makes it look through many entries, in whatever order they are taken. */
static void an_index_that_is_full_is_searched_in_short_lists(void **state)
{
    const size_t count = UNDO_INDEX_MAX - 1;
    (void)state;
    undo_index_begin(&undo_index);
    for (size_t i = 0; i < count; i++) {
        struct journal_line undone = numbered(i, REGTAG_TAG_MOVED, true);
        undo_index_is_pending(&undo_index, &undone);
    }
    for (size_t i = 0; i < UNDO_INDEX_LISTS; i++) {
        size_t length = 0;
        for (uint16_t k = undo_index.first[i]; k; k = undo_index.next[k - 1])
            length++;
        assert_true(length <= 8 * UNDO_INDEX_MAX / UNDO_INDEX_LISTS);
    }
    for (size_t i = 0; i < count; i++) {
        struct journal_line moved = numbered(i * 7 % count, REGTAG_TAG_MOVED, false);
        assert_false(undo_index_is_pending(&undo_index, &moved));
        moved.outcome = REGTAG_TAG_PENDING; /* takes the entry that the line after it has made */
        assert_false(undo_index_is_pending(&undo_index, &moved));
    }
    assert_int_equal(undo_index.count, 0);
    assert_int_equal(undo_index.made, UNDO_INDEX_MAX);
    assert_false(undo_index.full);
}

static void what_a_dry_run_simulates_is_remembered_until_it_is_used(void **state)
{
    struct journal_line later = line_of(TAG, B, C, REGTAG_TAG_MOVED, false);
    struct journal_line earlier = line_of(TAG, A, B, REGTAG_TAG_MOVED, false);
    struct journal_line other = line_of(OTHER, A, B, REGTAG_TAG_MOVED, false);
    (void)state;
    undo_index_begin(&undo_index);
    assert_false(undo_index_is_simulated(&undo_index, &later));
    undo_index_simulate(&undo_index, &later);
    assert_false(undo_index_is_simulated(&undo_index, &other));
    assert_true(undo_index_is_simulated(&undo_index, &earlier));
    assert_false(undo_index_is_simulated(&undo_index, &earlier));
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_path, remove_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_five_columns),
        cmocka_unit_test(a_time_is_utc_from_1970_on),
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(no_beginning_of_a_line_is_taken_for_a_line),
        cmocka_unit_test(what_nobody_has_written_is_foreign),
        cmocka_unit_test(a_hole_is_a_torn_line_however_long),
        cmocka_unit_test(a_hole_is_none_behind_what_nobody_has_written),
        WITH_FILE(a_file_is_made_and_then_appended_to),
        WITH_FILE(a_torn_line_never_takes_the_next_one_with_it),
        WITH_FILE(a_name_that_is_too_long_is_not_written_in_part),
        WITH_FILE(a_pipe_is_not_waited_for),
        cmocka_unit_test(what_is_no_file_is_no_journal),
        WITH_FILE(lines_come_from_the_last_to_the_first),
        WITH_FILE(lines_of_every_length_are_found),
        WITH_FILE(a_hole_is_seen_in_a_line_that_is_too_long),
        WITH_FILE(a_line_that_is_too_long_keeps_its_beginning),
        WITH_FILE(a_file_that_becomes_shorter_is_a_failure),
        WITH_FILE(what_was_read_first_is_what_is_read_again),
        WITH_FILE(nothing_is_read_after_the_deadline_nor_more_than_a_journal_may_have),
        cmocka_unit_test(each_move_is_undone_once_and_what_is_none_never),
        cmocka_unit_test(a_move_that_was_not_settled_is_one),
        cmocka_unit_test(several_tags_may_be_on_their_way_at_once),
        cmocka_unit_test(what_was_undone_is_not_undone_again_nor_done_again),
        cmocka_unit_test(an_undo_that_failed_or_broke_off_is_taken_up_again),
        cmocka_unit_test(the_same_move_again_is_another_move),
        cmocka_unit_test(an_undo_in_several_steps_belongs_to_several_moves),
        cmocka_unit_test(an_index_that_is_full_says_so),
        cmocka_unit_test(an_index_that_is_full_is_searched_in_short_lists),
        cmocka_unit_test(what_a_dry_run_simulates_is_remembered_until_it_is_used),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
