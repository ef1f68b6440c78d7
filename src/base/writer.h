/* A bounded writer. A write that does not fit writes nothing and poisons the writer, so that all later
 * writes do nothing either; one check of `overflow` at the end is enough. */
#ifndef REGTAG_BASE_WRITER_H
#define REGTAG_BASE_WRITER_H

#include <stdarg.h>

#include "base/slice.h"

struct writer {
    char *data;
    size_t size;   /* of the memory */
    size_t used;   /* bytes written so far */
    bool overflow; /* something did not fit */
};

#ifdef __GNUC__
#define WRITER_FORMAT(at, first) __attribute__((format(printf, at, first)))
#else
#define WRITER_FORMAT(at, first)
#endif

struct writer writer_to(void *memory, size_t size);
struct slice written(const struct writer *w);

void write_slice(struct writer *w, struct slice s);
void write_text(struct writer *w, const char *text);
void write_char(struct writer *w, char c);
void write_number(struct writer *w, uint64_t number);

/* A subset of printf: %s, %.*s (see SLICE_ARG), %u, %zu, %llu and %%. Unlike the others, it cuts what
 * does not fit, and then poisons the writer. */
void write_format(struct writer *w, const char *format, ...) WRITER_FORMAT(2, 3);
void write_arguments(struct writer *w, const char *format, va_list arguments);

/* The same with texts of `most` bytes at the most: "..." follows what is cut. */
void write_arguments_cut(struct writer *w, size_t most, const char *format, va_list arguments);

/* Untrusted text, made safe for terminals and logs: every byte outside printable ASCII, and the
 * backslash, is written as \xNN. Text that does not fit is cut between two characters. */
void write_escaped(struct writer *w, struct slice s);

/* A JSON string in ASCII, with its quotes. A byte outside printable ASCII becomes the four characters
 * \xNN, as in write_escaped. */
void write_json_string(struct writer *w, struct slice s);

/* The same for a path: UTF-8 is left as it is. */
void write_json_path(struct writer *w, struct slice s);

#endif
