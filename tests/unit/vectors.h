/* Reads test vectors; tests/vectors/README.md describes the files. */
#ifndef VECTORS_H
#define VECTORS_H

#include <stddef.h>

struct vector {
    char *layer;    /* the folder that the file lies in */
    char *place;    /* FILE:LINE of its `case` line */
    char *label;    /* layer, place and name, for the list of tests */
    char *argument; /* of the layer; NULL without a `with` line */
    char *input;    /* size bytes, and a NUL that isn't counted */
    size_t size;
    char *answer; /* what the layer has to say */
};

struct vectors {
    struct vector *list;
    size_t count;
};

/* Reads DIRECTORY/LAYER/FILE.txt of all the layers. Whatever is wrong with a file, or a folder without
 * any vector, ends the program with a message and status 2: it is a mistake in the tests. */
struct vectors vectors_read(const char *directory, const char *const *layers, size_t layer_count);

void vectors_free(struct vectors *v);

#endif
