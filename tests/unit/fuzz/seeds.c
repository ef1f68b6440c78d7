/* seeds LAYER DIRECTORY: writes the vectors of a layer as inputs for its fuzzer. */
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "vectors.h"

#define SEED_MAX 65536

static unsigned char choice_of(const struct vector *v)
{
    for (unsigned i = 0; i < FUZZ_ARGUMENTS; i++) {
        const char *argument = fuzz_argument(v->layer, (unsigned char)(i << 5));
        if (argument && v->argument && strcmp(argument, v->argument) == 0)
            return (unsigned char)(i << 5);
    }
    return 0;
}

static int write_seed(const char *directory, size_t number, const struct vector *v)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/vector-%zu", directory, number);
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    fputc(choice_of(v) | (unsigned char)(number % FUZZ_STEPS), file);
    fwrite(v->input, 1, v->size, file);
    return fclose(file) != 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: seeds LAYER DIRECTORY\n");
        return 2;
    }
    const char *const layers[] = {argv[1]};
    struct vectors all = vectors_read("tests/vectors", layers, 1);
    int failed = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (all.list[i].size < SEED_MAX)
            failed |= write_seed(argv[2], i, &all.list[i]);
    }
    vectors_free(&all);
    if (failed)
        perror(argv[2]);
    return failed;
}
