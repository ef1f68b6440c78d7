/* --include and --exclude mean what a shell's patterns mean: what fnmatch() says, which is not in the program. */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/glob.h"

static void expect(const char *pattern, const char *text, bool matches)
{
    if (glob_matches(pattern, text) != matches)
        fail_msg("\"%s\" %s \"%s\"", pattern, matches ? "must match" : "must not match", text);
}

static void some_patterns(void **state)
{
    (void)state;
    expect("", "", true);
    expect("*", "", true);
    expect("v*", "v1.2", true);
    expect("v*", "1.v", false);
    expect("*-rc*", "1.0-rc1", true);
    expect("*1*1", "1211", true);
    expect("?.[0-9]", "1.7", true);
    expect("?.[0-9]", "1.77", false);
    expect("[!a-c]", "b", false);
    expect("[!a-c]", "d", true);
    expect("[", "[", false); /* no tag has one */
}

/* The next number of a linear congruential generator. */
static unsigned next(uint64_t *seed, unsigned below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33) % below;
}

static void make(char *text, uint64_t *seed, const char *alphabet)
{
    size_t size = next(seed, 8);
    for (size_t i = 0; i < size; i++)
        text[i] = alphabet[next(seed, (unsigned)strlen(alphabet))];
    text[size] = '\0';
}

static void as_fnmatch(void **state)
{
    char pattern[8], text[8];
    unsigned matched = 0;
    uint64_t seed = 1;
    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        make(pattern, &seed, "aab*?[]!-");
        make(text, &seed, "aab-!]");
        bool matches = fnmatch(pattern, text, FNM_NOESCAPE) == 0;
        expect(pattern, text, matches);
        matched += matches;
    }
    assert_true(matched > 3000);
}

static void wanted_is_what_is_included_and_not_excluded(void **state)
{
    static struct options o;
    (void)state;
    assert_true(glob_wants(&o, "any"));
    o.include = (struct option_values){2, {"v*", "stable"}};
    o.exclude = (struct option_values){2, {"*-rc?", "*.sig"}};
    assert_true(glob_wants(&o, "v1"));
    assert_true(glob_wants(&o, "stable"));
    assert_false(glob_wants(&o, "latest"));
    assert_false(glob_wants(&o, "v1-rc1"));
    assert_false(glob_wants(&o, "v1.sig"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_patterns),
        cmocka_unit_test(as_fnmatch),
        cmocka_unit_test(wanted_is_what_is_included_and_not_excluded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
