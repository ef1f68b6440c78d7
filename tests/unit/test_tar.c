/* Tar files without end are given up; the vectors have all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/tar_reader.h"

/* A file in which all blocks are the same: a header of this type, which says that a map follows if the type has one. */
struct endless {
    unsigned char block[TAR_BLOCK];
    uint64_t at; /* of the last block */
};

static void begin(struct endless *e, char type)
{
    unsigned sum = 0;
    memset(e, 0, sizeof *e);
    e->block[0] = 'a';
    e->block[156] = (unsigned char)type;
    e->block[482] = e->block[504] = 1;
    memset(e->block + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += e->block[i];
    snprintf((char *)e->block + 148, 8, "%06o", sum);
}

static ptrdiff_t read_endless(void *context, uint64_t at, void *bytes, size_t size)
{
    struct endless *e = context;
    assert_true(at >= e->at);
    e->at = at;
    memcpy(bytes, e->block, size);
    return (ptrdiff_t)size;
}

static void expect_end(char type)
{
    static struct endless e;
    struct tar_reader t = {.context = &e, .read = read_endless};
    struct tar_entry entry;
    enum tar_event event;
    begin(&e, type);
    do
        event = tar_next(&t, &entry);
    while (event == TAR_ENTRY);
    assert_int_equal(event, TAR_BROKEN);
    assert_string_equal(t.problem, "it has too many headers");
    assert_true(e.at <= (uint64_t)TAR_BLOCK * TAR_HEADERS_MAX);
}

static void entries_without_end(void **state)
{
    (void)state;
    expect_end('0');
}

static void extended_headers_without_end(void **state)
{
    (void)state;
    expect_end('x');
    expect_end('L');
    expect_end('K');
    expect_end('g');
}

static void a_map_without_end(void **state)
{
    (void)state;
    expect_end('S');
}

static ptrdiff_t read_nothing(void *context, uint64_t at, void *bytes, size_t size)
{
    (void)context, (void)at, (void)bytes, (void)size;
    return -1;
}

static void what_cannot_be_read_has_no_problem_of_its_own(void **state)
{
    struct tar_reader t = {.read = read_nothing};
    struct tar_entry entry;
    (void)state;
    assert_int_equal(tar_next(&t, &entry), TAR_BROKEN);
    assert_null(t.problem);
    assert_int_equal(tar_next(&t, &entry), TAR_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_without_end),
        cmocka_unit_test(extended_headers_without_end),
        cmocka_unit_test(a_map_without_end),
        cmocka_unit_test(what_cannot_be_read_has_no_problem_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
