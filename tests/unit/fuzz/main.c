/* For an engine that starts a program for each input, such as AFL++, and for trying a single one: reads the files it is
 * given, or standard input. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define INPUT_MAX 65536

static int run(FILE *file)
{
    uint8_t *data = malloc(INPUT_MAX); /* so that reading behind its end is noticed */
    size_t size = data && file ? fread(data, 1, INPUT_MAX, file) : 0;
    uint8_t *input = realloc(data, size ? size : 1);
    if (!file || !input) {
        perror("the input");
        return 1;
    }
    LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    if (argc == 1)
        return run(stdin);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        failed |= run(file);
        if (file)
            fclose(file);
    }
    return failed;
}
