/* Thousands of titles are compared in n log n, however alike they are. Characters that are looked at are counted, since
 * seconds would tell of the machine: the linker puts a counter in the way of json_character. What is a title that can
 * be a name is in tests/vectors/titles. */
#include "run.h"

#include "oci/json.h"
#include "oci/titles.h"

#define MANY 2000
#define TEXT_MAX (MANY * 300)

bool __real_json_character(struct slice *raw, uint32_t *code);
bool __wrap_json_character(struct slice *raw, uint32_t *code);

static uint64_t characters;

bool __wrap_json_character(struct slice *raw, uint32_t *code)
{
    characters++;
    return __real_json_character(raw, code);
}

static char text[TEXT_MAX];
static jsmntok_t tokens[REGTAG_TOKENS_MAX];
static struct document_key keys[REGTAG_TOKENS_MAX / 2];

/* How a title of `count` ends, behind what all of them have in common. */
typedef size_t (*numbering)(size_t i, size_t count);

static size_t rising(size_t i, size_t count)
{
    (void)count;
    return i;
}

static size_t falling(size_t i, size_t count)
{
    return count - i;
}

static size_t mixed(size_t i, size_t count)
{
    return i * 7919 % count;
}

static const numbering ORDERS[] = {rising, falling, mixed};

static void check(size_t count, numbering number, bool good)
{
    const struct document_memory memory = {tokens, keys, REGTAG_TOKENS_MAX};
    struct document d;
    struct error e = {.status = 0};
    size_t used = (size_t)snprintf(text, sizeof text, "{\"layers\":[");
    for (size_t i = 0; i < count; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used,
                             "%s{\"annotations\":{\"org.opencontainers.image.title\":\"%0200d/%zu\"}}",
                             i ? "," : "", 0, good || i ? number(i, count) : number(1, count));
    used += (size_t)snprintf(text + used, sizeof text - used, "]}");
    assert_true(used < sizeof text);
    assert_true(document_index(&d, (struct slice){text, used}, &memory, "it", &e));
    characters = 0;
    assert_int_equal(titles_check(&d, &memory, &e), good);
}

static void thousands_of_titles_are_compared_quickly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ORDERS); i++) {
        check(MANY / 4, ORDERS[i], true);
        uint64_t few = characters;
        check(MANY, ORDERS[i], true);
        if (few == 0 || characters > 6 * few)
            fail_msg("%llu characters for a quarter of them, %llu for all", (unsigned long long)few,
                     (unsigned long long)characters);
    }
}

static void one_that_is_there_twice_is_found_among_thousands(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ORDERS); i++)
        check(MANY, ORDERS[i], false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_titles_are_compared_quickly),
        cmocka_unit_test(one_that_is_there_twice_is_found_among_thousands),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("titles", tests, NULL, NULL);
}
