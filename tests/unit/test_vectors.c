/* Runs every vector of tests/vectors through its layer, and expects the same answer however the bytes
 * arrive and wherever they lie in memory.
 *
 *     test_vectors                run from the top of the project
 *     test_vectors -x FILE:LINE   writes that case's input to stdout: for probe, sha256sum, a fuzzer
 *
 * VECTORS names another folder than tests/vectors, ONLY a pattern of cases such as "*chunked*". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "layers.h"
#include "vectors.h"

static const char *const layers[] = {"ref",       "json",      "manifest", "http",     "link",
                                     "challenge", "creds",     "token",    "platform", "titles",
                                     "tar",       "index",     "base64",   "payload",  "statement",
                                     "bundle",    "signature", "date",     "tags"};

#define LAYER_COUNT (sizeof(layers) / sizeof(layers[0]))
#define CANARY 0x5a
#define CANARY_SIZE 64

static int expected_return(const struct vector *v)
{
    return strcmp(v->answer, "reject") == 0 ? LAYER_REJECTED : LAYER_ACCEPTED;
}

static void expect(const struct vector *v, const char *input, size_t step, const char *how)
{
    static char out[LAYER_ANSWER_MAX + CANARY_SIZE];
    memset(out, CANARY, sizeof(out));
    int result = layer_run(v->layer, v->argument, input, v->size, step, out, LAYER_ANSWER_MAX);
    if (!memchr(out, '\0', LAYER_ANSWER_MAX))
        fail_msg("%s\n    %s: the answer has no end", v->label, how);
    if (strcmp(out, v->answer) != 0)
        fail_msg("%s\n    %s\n    expected: %s\n    got:      %s", v->label, how, v->answer, out);
    if (result != expected_return(v))
        fail_msg("%s\n    %s\n    returned %d with: %s", v->label, how, result, out);
    for (size_t i = LAYER_ANSWER_MAX; i < sizeof(out); i++) {
        if (out[i] != CANARY)
            fail_msg("%s\n    %s: the answer is longer than its memory", v->label, how);
    }
}

static void everywhere(const struct vector *v)
{
    struct guard at_end = guard_end(v->input, v->size);
    struct guard at_start = guard_start(v->input, v->size);
    expect(v, v->input, 0, "whole");
    expect(v, at_end.data, 0, "whole, the end at a guard page");
    expect(v, at_start.data, 0, "whole, the start at a guard page");
    expect(v, v->input, 1, "one byte at a time");
    expect(v, at_end.data, 1, "one byte at a time, the end at a guard page");
    expect(v, at_end.data, 7, "seven bytes at a time, the end at a guard page");
    guard_free(&at_end);
    guard_free(&at_start);
}

/* What follows the input in memory must make no difference. */
static void before_other_bytes(const struct vector *v)
{
    static const char tails[][5] = {"\"]}0", "\r\n\r\n", "\0\0\0", "ffff"};
    char *memory = malloc(v->size + sizeof(tails[0]));
    assert_non_null(memory);
    memcpy(memory, v->input, v->size);
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        memcpy(memory + v->size, tails[i], sizeof(tails[i]));
        expect(v, memory, 0, "whole, with other bytes behind it");
    }
    free(memory);
}

static void run_vector(void **state)
{
    everywhere(*state);
    before_other_bytes(*state);
}

static void unknown_layers_are_told_apart_from_rejected_input(void **state)
{
    char out[LAYER_ANSWER_MAX];
    (void)state;
    assert_int_equal(layer_run("", NULL, "x", 1, 0, out, sizeof(out)), LAYER_BAD_CALL);
    assert_int_equal(layer_run("jsonx", NULL, "{}", 2, 0, out, sizeof(out)), LAYER_BAD_CALL);
    assert_int_equal(layer_run("http", NULL, "x", 1, 0, out, sizeof(out)), LAYER_BAD_CALL);
    assert_int_equal(layer_run("link", NULL, "x", 1, 0, out, sizeof(out)), LAYER_BAD_CALL);
    assert_int_equal(layer_run("link", "no URL", "x", 1, 0, out, sizeof(out)), LAYER_BAD_CALL);
}

static int extract(const struct vectors *all, const char *place)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct vector *v = &all->list[i];
        if (strcmp(v->place, place) == 0)
            return fwrite(v->input, 1, v->size, stdout) == v->size && fflush(stdout) == 0 ? 0 : 1;
    }
    fprintf(stderr, "%s: no case begins there\n", place);
    return 2;
}

static int run_group(const struct vectors *all)
{
    struct CMUnitTest *tests = calloc(all->count + 1, sizeof(*tests));
    if (!tests)
        return 2;
    for (size_t i = 0; i < all->count; i++) {
        tests[i].name = all->list[i].label;
        tests[i].test_func = run_vector;
        tests[i].initial_state = &all->list[i];
    }
    tests[all->count].name = "unknown_layers_are_told_apart_from_rejected_input";
    tests[all->count].test_func = unknown_layers_are_told_apart_from_rejected_input;
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    int failed = _cmocka_run_group_tests("vectors", tests, all->count + 1, NULL, NULL);
    free(tests);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *directory = getenv("VECTORS") ? getenv("VECTORS") : "tests/vectors";
    struct vectors all = vectors_read(directory, layers, LAYER_COUNT);
    int status;
    if (argc == 3 && strcmp(argv[1], "-x") == 0)
        status = extract(&all, argv[2]);
    else
        status = run_group(&all);
    vectors_free(&all);
    return status;
}
