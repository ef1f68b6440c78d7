#include "vectors.h"

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)64 << 20) /* bytes; a typing error in a repetition must not eat the machine */

/* A string of bytes that grows. */
struct bytes {
    char *data;
    size_t size;
    size_t room;
};

/* A file being read. */
struct reader {
    struct vectors *vectors;
    const char *layer;
    char path[1024];
    unsigned line;
    struct vector *open; /* the case that has no `gives` yet, or NULL */
    struct bytes input;  /* of the open case */
};

static void fail(const char *path, unsigned line, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%u: ", path, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

static void *grow(void *memory, size_t size)
{
    void *more = realloc(memory, size);
    if (!more) {
        perror("vectors");
        exit(2);
    }
    return more;
}

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(grow(NULL, size), text, size);
}

static void append(struct reader *r, struct bytes *b, const char *data, size_t size)
{
    if (size > INPUT_MAX || b->size > INPUT_MAX - size)
        fail(r->path, r->line, "the input is too long");
    if (b->room - b->size < size + 1) {
        b->room = 2 * (b->size + size) + 64;
        b->data = grow(b->data, b->room);
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

/* Finds the "*COUNT}" that ends the repetition whose text begins at `text`. */
static const char *find_count(const char *text, const char *end, unsigned long *count,
                              const char **after)
{
    for (const char *star = text + 1; star < end; star++) {
        const char *p = star + 1;
        *count = 0;
        while (*star == '*' && p < end && isdigit((unsigned char)*p) && *count < INPUT_MAX)
            *count = *count * 10 + (unsigned long)(*p++ - '0');
        if (p > star + 1 && p < end && *p == '}') {
            *after = p + 1;
            return star;
        }
    }
    return NULL;
}

static void unescape(struct reader *r, struct bytes *b, const char *text, const char *end);

static const char *repeat(struct reader *r, struct bytes *b, const char *text, const char *end)
{
    struct bytes unit = {0};
    unsigned long count = 0;
    const char *after = text;
    const char *star = text < end ? find_count(text, end, &count, &after) : NULL;
    if (!star)
        fail(r->path, r->line, "\\{ without *COUNT}");
    unescape(r, &unit, text, star);
    while (count-- > 0)
        append(r, b, unit.data, unit.size);
    free(unit.data);
    return after;
}

static const char *hex_byte(struct reader *r, struct bytes *b, const char *text, const char *end)
{
    char digits[3] = {0};
    if (end - text < 2 || !isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
        fail(r->path, r->line, "\\x without two hexadecimal digits");
    memcpy(digits, text, 2);
    char byte = (char)strtoul(digits, NULL, 16);
    append(r, b, &byte, 1);
    return text + 2;
}

static const char *escape(struct reader *r, struct bytes *b, const char *text, const char *end)
{
    static const char names[] = "\\rnt0";
    static const char bytes[] = "\\\r\n\t";
    char name = text < end ? *text++ : '\0';
    const char *known = name ? strchr(names, name) : NULL;
    if (known)
        append(r, b, &bytes[known - names], 1);
    else if (name == 'x')
        text = hex_byte(r, b, text, end);
    else if (name == '{')
        text = repeat(r, b, text, end);
    else
        fail(r->path, r->line, "no such escape: \\%c", name);
    return text;
}

static void unescape(struct reader *r, struct bytes *b, const char *text, const char *end)
{
    append(r, b, "", 0);
    while (text < end) {
        const char *backslash = memchr(text, '\\', (size_t)(end - text));
        const char *stop = backslash ? backslash : end;
        append(r, b, text, (size_t)(stop - text));
        text = backslash ? escape(r, b, backslash + 1, end) : end;
    }
}

static char *unescaped(struct reader *r, const char *text)
{
    struct bytes b = {0};
    unescape(r, &b, text, text + strlen(text));
    if (strlen(b.data) != b.size)
        fail(r->path, r->line, "a NUL cannot stand here");
    return b.data;
}

/* What follows a keyword and its space, or NULL if the line doesn't begin with the keyword. */
static const char *after_keyword(const char *line, const char *keyword)
{
    size_t size = strlen(keyword);
    if (strncmp(line, keyword, size) != 0)
        return NULL;
    if (line[size] == '\0')
        return line + size;
    return line[size] == ' ' ? line + size + 1 : NULL;
}

static void read_case(struct reader *r, const char *name)
{
    struct vectors *v = r->vectors;
    char number[16];
    if (r->open)
        fail(r->path, r->line, "the case before has no `gives`");
    if (!*name)
        fail(r->path, r->line, "the case has no name");
    v->list = grow(v->list, (v->count + 1) * sizeof(v->list[0]));
    r->open = &v->list[v->count++];
    *r->open = (struct vector){.layer = copy(r->layer)};
    snprintf(number, sizeof(number), ":%u", r->line);
    size_t size = strlen(r->path) + strlen(number) + 1;
    r->open->place = grow(NULL, size);
    snprintf(r->open->place, size, "%s%s", r->path, number);
    size += strlen(name) + 2;
    r->open->label = grow(NULL, size);
    snprintf(r->open->label, size, "%s %s", r->open->place, name);
    append(r, &r->input, "", 0);
}

static void read_answer(struct reader *r, const char *text)
{
    struct vector *open = r->open;
    open->answer = unescaped(r, text);
    if (!*open->answer)
        fail(r->path, r->line, "`gives` without an answer");
    open->input = r->input.data;
    open->size = r->input.size;
    r->input = (struct bytes){0};
    r->open = NULL;
}

static void read_line(struct reader *r, const char *line)
{
    const char *text;
    if (line[0] == '#' || line[0] == '\0')
        return;
    if ((text = after_keyword(line, "case")))
        read_case(r, text);
    else if (!r->open)
        fail(r->path, r->line, "this belongs to no case");
    else if (strncmp(line, "  ", 2) == 0)
        unescape(r, &r->input, line + 2, line + strlen(line));
    else if ((text = after_keyword(line, "with")) && !r->open->argument)
        r->open->argument = unescaped(r, text);
    else if ((text = after_keyword(line, "gives")))
        read_answer(r, text);
    else
        fail(r->path, r->line, "neither `case`, `with`, `gives` nor a line of input");
}

static void read_file(struct reader *r)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    FILE *file = fopen(r->path, "rb");
    if (!file)
        fail(r->path, 0, "cannot be opened");
    for (r->line = 1; (size = getline(&line, &room, file)) >= 0; r->line++) {
        if (size > 0 && line[size - 1] == '\n')
            line[--size] = '\0';
        if (strlen(line) != (size_t)size)
            fail(r->path, r->line, "a NUL is written as \\0");
        read_line(r, line);
    }
    if (r->open || ferror(file))
        fail(r->path, r->line, "the file ends within a case");
    free(line);
    fclose(file);
}

static int is_vector_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 4 && strcmp(entry->d_name + size - 4, ".txt") == 0;
}

static void read_layer(struct vectors *v, const char *directory, const char *layer)
{
    struct reader r = {.vectors = v, .layer = layer};
    struct dirent **files = NULL;
    size_t before = v->count;
    snprintf(r.path, sizeof(r.path), "%s/%s", directory, layer);
    int count = scandir(r.path, &files, is_vector_file, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(r.path, sizeof(r.path), "%s/%s/%s", directory, layer, files[i]->d_name);
        read_file(&r);
        free(files[i]);
    }
    free(files);
    if (v->count == before)
        fail(r.path, 0, "no vectors here");
}

struct vectors vectors_read(const char *directory, const char *const *layers, size_t layer_count)
{
    struct vectors v = {0};
    for (size_t i = 0; i < layer_count; i++)
        read_layer(&v, directory, layers[i]);
    return v;
}

void vectors_free(struct vectors *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->list[i].layer);
        free(v->list[i].place);
        free(v->list[i].label);
        free(v->list[i].argument);
        free(v->list[i].input);
        free(v->list[i].answer);
    }
    free(v->list);
    *v = (struct vectors){0};
}
