/* src/net/file: reading what may be a pipe, and noticing that a file has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regtag_sockets.h"
#include "net/file.h"

#define SOON 200 /* milliseconds */

static char folder[64], path[128], other[128];
static char memory[64 + 1];
static struct writer w;

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/regtag-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/it", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    w = writer_to(memory, sizeof memory - 1);
    file_wipe();
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

static void put(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static const char *read_it(uint64_t deadline)
{
    w = writer_to(memory, sizeof memory - 1);
    return file_read(path, &w, deadline);
}

static void assert_text(const char *text)
{
    assert_true(slice_equal(written(&w), slice_of(text)));
}

static void a_file_is_read_each_time(void **state)
{
    (void)state;
    put(path, "one");
    assert_null(read_it(0));
    assert_text("one");
    put(path, "another");
    assert_null(read_it(0));
    assert_text("another");
}

static void a_file_may_be_so_large_and_no_larger(void **state)
{
    char text[66];
    (void)state;
    memset(text, 'x', sizeof text);
    text[64] = '\0';
    put(path, text);
    assert_null(read_it(0));
    text[64] = 'x';
    text[65] = '\0';
    put(path, text);
    assert_string_equal(read_it(0), "it is too large");
}

static void what_came_from_a_pipe_is_kept(void **state)
{
    struct slice text;
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR);
    assert_false(file_kept(path, &text));
    assert_string_equal(read_it(0), "not a regular file");
    assert_string_equal(read_it(regtag_clock() + SOON), "nothing was written to it in time");

    assert_int_equal(write(fd, "so", 2), 2);
    assert_string_equal(read_it(regtag_clock() + SOON), "it did not end in time");
    assert_int_equal(write(fd, "me", 2), 2);
    close(fd);
    for (int i = 0; i < 2; i++) {
        assert_null(read_it(regtag_clock() + SOON));
        assert_text("some");
    }
    assert_true(file_kept(path, &text));
    assert_true(slice_equal(text, SLICE("some")));

    file_wipe();
    assert_false(file_kept(path, &text));
}

static uint64_t stamp_of(const char *name)
{
    uint64_t stamp = 0;
    file_stamp(name, &stamp);
    return stamp;
}

static void a_change_changes_the_stamp(void **state)
{
    (void)state;
    assert_int_equal(stamp_of(path), 0);
    assert_int_equal(stamp_of(folder), 0);
    put(path, "one");
    uint64_t first = stamp_of(path);
    assert_true(first != 0);
    assert_true(stamp_of(path) == first);

    put(path, "three");
    uint64_t second = stamp_of(path);
    assert_true(second != first);

    put(other, "three");
    assert_int_equal(rename(other, path), 0);
    uint64_t third = stamp_of(path);
    assert_true(third != second && third != first);
}

/* Not the file that the link leads to has changed, but the link. */
static void a_link_that_is_moved_changes_the_stamp(void **state)
{
    char links[128];
    (void)state;
    snprintf(links, sizeof links, "%s/link", folder);
    put(path, "one");
    put(other, "one");
    assert_int_equal(symlink("it", links), 0);
    uint64_t before = stamp_of(links);
    assert_true(before == stamp_of(path));
    unlink(links);
    assert_int_equal(symlink("other", links), 0);
    assert_true(stamp_of(links) != before);
    unlink(links);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_each_time),
        TEST(a_file_may_be_so_large_and_no_larger),
        TEST(what_came_from_a_pipe_is_kept),
        TEST(a_change_changes_the_stamp),
        TEST(a_link_that_is_moved_changes_the_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
