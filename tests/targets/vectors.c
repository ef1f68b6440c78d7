/* Runs every test vector through its layer on another processor, where there is no cmocka: whole, byte by
 * byte, and with the end at a guard page. The last line is "N passed, N failed". From the top of the
 * project. */
#include <stdio.h>
#include <string.h>

#include "../unit/guard.h"
#include "../unit/layers.h"
#include "../unit/vectors.h"

static const char *const layers[] = {"ref",       "json",   "manifest",  "http",   "link",
                                     "challenge", "creds",  "token",     "base64", "payload",
                                     "statement", "bundle", "signature", "date",   "tags"};

static int answers(const struct vector *v, const char *input, size_t step)
{
    static char out[LAYER_ANSWER_MAX];
    int expected = strcmp(v->answer, "reject") == 0 ? LAYER_REJECTED : LAYER_ACCEPTED;
    int result = layer_run(v->layer, v->argument, input, v->size, step, out, sizeof(out));
    if (result == expected && strcmp(out, v->answer) == 0)
        return 1;
    printf("%s\n    in steps of %zu\n    expected: %s\n    got:      %s\n", v->label, step, v->answer,
           out);
    return 0;
}

static int passes(const struct vector *v)
{
    struct guard at_end = guard_end(v->input, v->size);
    int good = answers(v, at_end.data, 0) && answers(v, at_end.data, 1) && answers(v, at_end.data, 7);
    guard_free(&at_end);
    return good;
}

int main(void)
{
    struct vectors all = vectors_read("tests/vectors", layers, sizeof(layers) / sizeof(layers[0]));
    size_t passed = 0;
    for (size_t i = 0; i < all.count; i++)
        passed += (size_t)passes(&all.list[i]);
    size_t failed = all.count - passed;
    printf("%zu passed, %zu failed\n", passed, failed);
    vectors_free(&all);
    return failed == 0 && passed > 0 ? 0 : 1;
}
