#include "cli/tag_line.h"

#include <string.h>

void tag_line_add(struct tag_line *l, struct slice part)
{
    if (l->size <= TAG_LINE_MAX && part.size <= TAG_LINE_MAX - l->size)
        memcpy(l->text + l->size, part.data, part.size);
    l->size = part.size < SIZE_MAX - l->size ? l->size + part.size : SIZE_MAX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void find_words(struct tag_line *l)
{
    for (size_t i = 0; i < l->size && l->text[i] != '#'; i++) {
        if (is_blank(l->text[i]))
            continue;
        l->words[l->count++] = l->text + i;
        while (i < l->size && !is_blank(l->text[i]))
            i++;
        l->text[i] = '\0';
    }
}

const char *tag_line_split(struct tag_line *l)
{
    l->count = 0;
    if (l->size > TAG_LINE_MAX)
        return "the line is longer than 4096 bytes; an image may have several lines";
    if (l->size && l->text[l->size - 1] == '\r')
        l->size--;
    if (memchr(l->text, '\0', l->size))
        return "there is a NUL byte in it";
    find_words(l);
    return l->count == 1 ? "a tag must follow the image" : NULL;
}
