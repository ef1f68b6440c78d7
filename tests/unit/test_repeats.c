/* Names that are repeated among many: found whatever their number, and whatever stands between them. */
#include "run.h"

#include "base/names.h"
#include "base/sizes.h"

#define MANY (5 * NAMES_SLOTS / 2 + 7) /* more than are compared at a time */

static uint32_t table[NAMES_SLOTS];
static char texts[MANY][12];
static const char *list[MANY];

static void name(size_t i, size_t number)
{
    snprintf(texts[i], sizeof texts[i], "v%zu", number);
    list[i] = texts[i];
}

static void expect_firsts_with(void *memory, size_t size, size_t count, bool (*is_first)(size_t index))
{
    struct names names;
    names_begin(&names, list, count, '\0', memory, size);
    for (size_t i = 0; i < count; i++)
        if (names_is_first(&names, i) != is_first(i))
            fail_msg("of %zu, name %zu, \"%s\", is taken for one that is there %s", count, i, list[i],
                     is_first(i) ? "before" : "for the first time");
}

static void expect_firsts(size_t count, bool (*is_first)(size_t index))
{
    expect_firsts_with(table, sizeof table, count, is_first);
}

static bool always(size_t index)
{
    (void)index;
    return true;
}

static bool only_once(size_t index)
{
    return index == 0;
}

static bool by_looking(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(list[i], list[index]) == 0)
            return false;
    return true;
}

static void few_names_are_told_apart(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 64; count++) {
        for (size_t kinds = 1; kinds <= 64; kinds += 7) {
            for (size_t i = 0; i < count; i++)
                name(i, i * i * 31 % kinds);
            expect_firsts(count, by_looking);
        }
    }
}

static void one_name_is_one_however_often_it_is_given(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        name(i, 7);
    expect_firsts(MANY, only_once);
}

static void many_names_are_all_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        name(i, i);
    expect_firsts(MANY, always);
}

static size_t distance;

static bool in_the_first_round(size_t index)
{
    return index < distance;
}

/* From next to each other to all of the list between them. */
static void a_name_is_found_however_long_ago_it_was(void **state)
{
    static const size_t distances[] = {1,
                                       2,
                                       1000,
                                       NAMES_SLOTS / 2 - 1,
                                       NAMES_SLOTS / 2,
                                       NAMES_SLOTS / 2 + 1,
                                       NAMES_SLOTS,
                                       2 * NAMES_SLOTS,
                                       MANY - 1};
    (void)state;
    for (size_t d = 0; d < COUNT(distances); d++) {
        distance = distances[d];
        for (size_t i = 0; i < MANY; i++)
            name(i, i % distance);
        expect_firsts(MANY, in_the_first_round);
    }
}

/* Two neighbours are the same, wherever a block of the table ends; all others are their own. */
static void neighbours_are_told_to_be_the_same(void **state)
{
    (void)state;
    for (distance = 1; distance < 40; distance++) {
        for (size_t i = 0; i < 40; i++)
            name(i, i == distance ? i - 1 : i);
        for (size_t size = 0; size <= sizeof table; size = 2 * size + 64)
            expect_firsts_with(table, size, 40, by_looking);
    }
}

static void few_names_touch_no_memory(void **state)
{
    (void)state;
    memset(table, 0xa5, sizeof table);
    for (size_t i = 0; i < 8; i++)
        name(i, i);
    expect_firsts(8, always);
    for (size_t i = 0; i < NAMES_SLOTS; i++)
        assert_int_equal(table[i], 0xa5a5a5a5u);
}

static void more_names_touch_as_much_as_they_need(void **state)
{
    (void)state;
    memset(table, 0xa5, sizeof table);
    for (size_t i = 0; i < 100; i++)
        name(i, i);
    expect_firsts(100, always);
    for (size_t i = 256; i < NAMES_SLOTS; i++)
        assert_int_equal(table[i], 0xa5a5a5a5u);
}

static void any_memory_will_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < 300; i++)
        name(i, i * i % 211);
    for (size_t offset = 0; offset < 4; offset++) {
        for (size_t size = 0; size < 700; size += 1 + size / 9) {
            struct guard g = guard_end(NULL, size + offset);
            expect_firsts_with(g.data + offset, size, 300, by_looking);
            guard_free(&g);
        }
    }
}

static void a_name_is_found_with_any_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 300; i++)
        name(i, i % 100);
    for (size_t size = 0; size <= sizeof table; size = 2 * size + 1) {
        struct names names;
        names_begin(&names, list, 300, '\0', table, size);
        assert_int_equal(names_find(&names, SLICE("v0")), 0);
        assert_int_equal(names_find(&names, SLICE("v99")), 99);
        assert_int_equal(names_find(&names, SLICE("v100")), 300);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_names_are_told_apart),
        cmocka_unit_test(one_name_is_one_however_often_it_is_given),
        cmocka_unit_test(many_names_are_all_their_own),
        cmocka_unit_test(a_name_is_found_however_long_ago_it_was),
        cmocka_unit_test(neighbours_are_told_to_be_the_same),
        cmocka_unit_test(few_names_touch_no_memory),
        cmocka_unit_test(more_names_touch_as_much_as_they_need),
        cmocka_unit_test(any_memory_will_do),
        cmocka_unit_test(a_name_is_found_with_any_memory),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
