/* probe LAYER [ARGUMENT]: looks at one layer at a time, for test vectors and fuzzers. One case a run, on
 * stdin; the answer on stdout; status 0 accepted, 1 rejected, 2 no such layer. */
#include <stdio.h>
#include <string.h>

#include "layers.h"

#define INPUT_MAX (64u * 1024 * 1024)

static char input[INPUT_MAX];
static char answer[LAYER_ANSWER_MAX];

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(
            stderr,
            "usage: probe ref|json|manifest CTYPE|http METHOD|link REQUEST-URL|creds QUERY <INPUT\n");
        return 2;
    }
    size_t size = fread(input, 1, sizeof input, stdin);
    if (ferror(stdin) || !feof(stdin)) {
        fprintf(stderr, "probe: the input can't be read, or is larger than %zu bytes\n", sizeof input);
        return 2;
    }
    /* A reference is one line; that the line ends is not a part of it. */
    if (strcmp(argv[1], "ref") == 0 && size > 0 && input[size - 1] == '\n')
        size--;

    int status = layer_run(argv[1], argv[2], input, size, 0, answer, sizeof answer);
    if (status == 2)
        fprintf(stderr, "probe: no layer %s with argument \"%s\"\n", argv[1], argv[2] ? argv[2] : "");
    else
        puts(answer);
    return status;
}
