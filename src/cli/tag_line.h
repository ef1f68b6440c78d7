/* A line of tag --from: IMAGE NAME..., with spaces or tabs between them. What begins with '#', at the beginning or
 * behind a space, is a comment. */
#ifndef REGTAG_CLI_TAG_LINE_H
#define REGTAG_CLI_TAG_LINE_H

#include "base/sizes.h"
#include "base/slice.h"

/* Zeroed, and after each tag_line_split that found anything: set `size` to 0 to begin. */
struct tag_line {
    size_t size;  /* of the text so far; larger than TAG_LINE_MAX if it does not fit */
    size_t count; /* of the words: the image and its tags; 0 for a line without any */
    const char *words[TAG_LINE_MAX / 2];
    char text[TAG_LINE_MAX + 1];
};

/* Adds a part of the text. */
void tag_line_add(struct tag_line *l, struct slice part);

/* At the end of the line, which is not part of the text: finds the words, which are NUL-terminated and stay in it.
 * Returns NULL, or what is wrong. */
const char *tag_line_split(struct tag_line *l);

#endif
