/* The fuzzers: one program has all of them, and runs the one whose name it is called by. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../wire.h"

#define FUZZ_ARGUMENTS 8 /* the upper three bits of a layer's first byte choose one of them; */
#define FUZZ_STEPS 32    /* the lower five bits, how many bytes are fed at a time, less one */
#define FUZZ_CHOICES 4   /* bytes at the beginning of an input for a verb */

struct harness {
    const char *name;
    void (*run)(const struct harness *h, const uint8_t *data, size_t size);
    bool server;            /* reads what a server sends */
    const char *dictionary; /* NAME.dict */
    const char *arguments[FUZZ_ARGUMENTS];
};

/* Ends with one without a name. */
extern const struct harness HARNESSES[];

/* The one of this name, whatever folder is in front of it; or NULL. */
const struct harness *harness_find(const char *name);

void fuzz_layer(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_proxy(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_no_proxy(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_pem(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_journal(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_tag_line(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_key(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_verb(const struct harness *h, const uint8_t *data, size_t size);
void fuzz_conversation(const struct harness *h, const uint8_t *data, size_t size);

/* Runs a verb against a registry that behaves well, and appends its answers to *answers. */
void fuzz_verb_record(const struct harness *h, const uint8_t choices[FUZZ_CHOICES],
                      struct wire_bytes *answers);

/* Aborts unless it is so. */
void expect(bool condition, const char *what);

/* What a fuzzing engine calls. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
