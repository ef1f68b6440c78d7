/* seeds: says which fuzzers there are, a line each: its name, "server" if it reads what a server sends, its dictionary.
 * seeds NAME DIRECTORY: writes inputs for one of them: the vectors of a layer, some answers of registries to a verb, or files. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "../vectors.h"

#define SEED_MAX 65536

static unsigned char choice_of(const struct vector *v)
{
    for (unsigned i = 0; i < FUZZ_ARGUMENTS; i++) {
        const char *argument = harness_find(v->layer)->arguments[i];
        if (argument && v->argument && strcmp(argument, v->argument) == 0)
            return (unsigned char)(i << 5);
    }
    return 0;
}

/* ---- For verbs: four bytes of choices, then answers with 0xff between -------------------------- */

#define MANIFEST                                                                                        \
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"sha256:"            \
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"},\"layers\":[]}"
#define DIGEST                                                                                          \
    "Docker-Content-Digest: sha256:de6598764e86ed7a2d6208a3b02365b8e55370226f135db0de6ba082598dd178\r\n"
#define TYPE "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"
#define GOT "HTTP/1.1 200 OK\r\n" TYPE "Content-Length: 152\r\n\r\n" MANIFEST
#define PUT "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
#define LOOKED "HTTP/1.1 200 OK\r\n" DIGEST "\r\n"
#define ERROR                                                                                           \
    "HTTP/1.1 404 Not Found\r\nContent-Length: 56\r\n\r\n"                                              \
    "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no such\"}]}"
#define PAGE(link)                                                                                      \
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" link "\r\n"                                     \
    "d\r\n{\"tags\":[\"a\",\r\n10\r\n\"b\",\"c\",null]} \n\r\n0\r\n\r\n"
#define NEXT "Link: </v2/a/tags/list?n=2&last=b>; rel=\"next\"\r\n"

#define ABSENT "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define CONFIRMED "HTTP/1.1 201 Created\r\n" DIGEST "Content-Length: 0\r\n\r\n"
#define ELSEWHERE                                                                                       \
    "HTTP/1.1 200 OK\r\nDocker-Content-Digest: "                                                        \
    "sha256:0000000000000000000000000000000000000000000000000000000000000000\r\n\r\n"
#define BUSY "HTTP/1.1 429 Too\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
#define UNAUTHORIZED                                                                                    \
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"http://localhost/t\"\r\nContent-Length: 0\r\n\r\n"
#define TOKEN "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"token\":\"a\",\"expires_in\":300}"
#define DELETED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define UNSUPPORTED "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"

#define ARTIFACT                                                                                        \
    "HTTP/1.1 200 OK\r\n" TYPE "Content-Length: 376\r\n\r\n"                                            \
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"sha256:"            \
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"},"                              \
    "\"layers\":[{\"mediaType\":\"a/b\",\"size\":9,\"digest\":\"sha256:"                                \
    "3fc9b689459d738f8c88a3a48aa9e33542016b7a4052e001aaa536fca74813cb\"},"                              \
    "{\"mediaType\":\"a/b\",\"size\":41,\"digest\":\"sha256:"                                           \
    "c845b03eb10eae0705e63c915449aa7452920e5a734ec13f4d5927138496ce0a\"}]}"
#define BLOB "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsomething"
#define PART "HTTP/1.1 206 Part\r\nContent-Range: bytes 31-40/41\r\nContent-Length: 10\r\n\r\n, and more"

#define UPLOAD                                                                                          \
    "HTTP/1.1 202 Go\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 0-1\r\nContent-Length: 0\r\n\r\n"

/* ---- Other inputs ---------------------------------------------------------------------------- */

#define SUM "sha256:5930dc755c63191dd1204d43b837bd89d23215af09b8a7bcf0830fc68795b7e7"
#define JOURNAL(before, outcome)                                                                        \
    "2026-11-23T12:31:28Z\tlocalhost:5000/agent:stable\t" before "\t" SUM "\t" outcome "\n"

/* The first byte: 1 guarded, 2 by digest, 4 what the verb has of its own, 8 signed; 16 only says that it is not 0. The
 * fourth: how often it is tried again; 8 confirm, 16 dry run, 32 keep, 64 siblings and titles, 128 platform. */
static const struct seed {
    const char *name, *text;
} SEEDS[] = {
    {"verb_tag", "\20\4\4\4" GOT "\xff" ABSENT "\xff" CONFIRMED "\xff" ELSEWHERE "\xff" CONFIRMED},
    {"verb_tag",
     "\20\4\4\4" GOT "\xff" ABSENT "\xff" ELSEWHERE "\xff" PUT "\xff" CONFIRMED "\xff" CONFIRMED},
    {"verb_tag", "\20\4\4\4" GOT "\xff" LOOKED "\xff" LOOKED},
    {"verb_tag", "\20\4\4\4" ERROR},
    {"verb_tag", "\20\4\4\3" BUSY "\xff" GOT "\xff" BUSY "\xff" ABSENT "\xff" BUSY "\xff" PUT},
    {"verb_tag", "\20\4\4\10" GOT "\xff" ABSENT "\xff" CONFIRMED "\xff" LOOKED "\xff" ELSEWHERE},
    {"verb_tag", "\21\4\4\3" GOT "\xff" ABSENT "\xff" CONFIRMED "\xff" ELSEWHERE},
    {"verb_tag", "\21\4\4\3" GOT "\xff" ABSENT "\xff" BUSY "\xff" ABSENT "\xff" CONFIRMED "\xff" ABSENT},
    {"verb_tag", "\20\4\4\4" UNAUTHORIZED "\xff" UNAUTHORIZED "\xff" TOKEN "\xff" GOT "\xff" ABSENT
                 "\xff" CONFIRMED},
    {"verb_delete", "\20\4\4\4" LOOKED "\xff" DELETED "\xff" ABSENT},
    {"verb_delete", "\20\4\4\100" LOOKED "\xff" UNSUPPORTED
                    "\xff" PAGE("") "\xff" LOOKED "\xff" LOOKED "\xff" DELETED "\xff" ABSENT},
    {"verb_ls", "\20\4\4\4" PAGE(NEXT) "\xff" PAGE("")},
    {"verb_ls", "\20\4\4\4" PAGE(NEXT) "\xff" PAGE(NEXT) "\xff" PAGE(NEXT)},
    {"verb_ls", "\20\4\4\4" ERROR},
    {"verb_digest", "\20\4\4\44" LOOKED "\xff" LOOKED},
    {"verb_watch", "\20\4\4\44" LOOKED "\xff" LOOKED},
    {"verb_digest", "\20\4\4\44" LOOKED "\xff"
                    "HTTP/1.1 304 Same\r\n\r\n"},
    {"verb_watch", "\20\4\4\44" LOOKED "\xff"
                   "HTTP/1.1 304 Same\r\n\r\n"},
    {"verb_digest", "\20\4\4\4"
                    "HTTP/1.1 200 OK\r\n\r\n"
                    "\xff" GOT},
    {"verb_watch", "\20\4\4\4"
                   "HTTP/1.1 200 OK\r\n\r\n"
                   "\xff" GOT},
    {"verb_manifest", "\20\4\4\4" GOT},
    {"verb_manifest", "\20\4\4\4"
                      "HTTP/1.1 200 OK\r\n" DIGEST TYPE "\r\n" MANIFEST},
    {"verb_load", "\20\4\4\3" ABSENT "\xff" ABSENT "\xff" UPLOAD "\xff" UPLOAD "\xff" CONFIRMED
                  "\xff" ABSENT "\xff" CONFIRMED},
    {"verb_load", "\20\4\4\3" ABSENT "\xff" ABSENT "\xff" UPLOAD "\xff" BUSY "\xff" UPLOAD "\xff" BUSY
                  "\xff" UPLOAD "\xff" UPLOAD},
    {"verb_fetch", "\20\4\4\103" ARTIFACT "\xff" BLOB "\xff" PART},
    {"verb_fetch", "\20\4\4\3" ARTIFACT "\xff" BLOB "\xff" BLOB "\xff" BUSY "\xff" BLOB},

    /* Two bytes in front of a journal, and one in front of the others. */
    {"proxy", "0http://proxy.test:3128/"},
    {"proxy", "0http://user:pass%40word@[::1]:3128"},
    {"proxy", "2user@proxy.test"},
    {"proxy", "4https://proxy.test"},
    {"no_proxy", "0registry.test\nexample.com, .registry.test *.test registry.test:48"},
    {"no_proxy", "0192.0.2.7\n192.0.2.0/24,fd00::/8,[::ffff:192.0.2.7]:48,*"},
    {"no_proxy", "0fd00::1\nfd00::/8,[fd00::1]:48,::1"},
    {"journal", "11" JOURNAL("absent", "moving") JOURNAL("absent", "created") JOURNAL(SUM, "moving")
                    JOURNAL(SUM, "undo:moved") JOURNAL("-", "set") JOURNAL(SUM, "uncertain")},
    {"journal", "11" JOURNAL("absent", "undo:deleted") "2026-11-23T12:31"},
    {"tag_line", "0localhost:5000/a:v1 stable latest # both\r"},
    {"tag_line", "0\ta@" SUM "  x\ty"},
    {"tag_line", "0# nothing"},
};

/* ---- Files ----------------------------------------------------------------------------------- */

static int write_file(const char *directory, const char *kind, size_t number, const void *head,
                      size_t head_size, const void *bytes, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s-%zu", directory, kind, number);
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    fwrite(head, 1, head_size, file);
    fwrite(bytes, 1, size, file);
    return fclose(file) != 0;
}

static int write_texts(const char *name, const char *directory)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof SEEDS / sizeof SEEDS[0]; i++)
        if (strcmp(SEEDS[i].name, name) == 0)
            failed |= write_file(directory, "text", i, "", 0, SEEDS[i].text, strlen(SEEDS[i].text));
    return failed;
}

static int write_vectors(const char *layer, const char *directory)
{
    const char *const layers[] = {layer};
    struct vectors all = vectors_read("tests/vectors", layers, 1);
    int failed = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct vector *v = &all.list[i];
        unsigned char first = choice_of(v) | (unsigned char)(i % FUZZ_STEPS);
        if (v->size < SEED_MAX)
            failed |= write_file(directory, "vector", i, &first, 1, v->input, v->size);
    }
    vectors_free(&all);
    return failed;
}

/* Of registries that behave well, with each choice by itself. */
static int write_records(const struct harness *h, const char *directory)
{
    static const unsigned char CHOICES[][FUZZ_CHOICES] = {
        {0},        {1},        {2},           {4},        {8},         {12},          {[3] = 8},
        {[3] = 16}, {[3] = 32}, {4, [3] = 32}, {[3] = 64}, {[3] = 128}, {8, [3] = 128}};
    int failed = 0;
    for (size_t i = 0; i < sizeof CHOICES / sizeof CHOICES[0]; i++) {
        struct wire_bytes answers = {0};
        fuzz_verb_record(h, CHOICES[i], &answers);
        failed |=
            write_file(directory, "record", i, CHOICES[i], FUZZ_CHOICES, answers.data, answers.size);
        free(answers.data);
    }
    return failed;
}

/* Each task with some manners, and one thing that happens somewhere in it. */
static int write_scripts(const char *directory)
{
    int failed = 0;
    for (unsigned i = 0; i < 256; i++) {
        unsigned char head[4] = {(unsigned char)(i % 8 + i / 8 % 4 * 32), (unsigned char)(i * 37),
                                 (unsigned char)(i / 3), (unsigned char)(i / 7)};
        unsigned char script[24] = {0};
        script[i % 23] = (unsigned char)(i % 16);
        script[i % 23 + 1] = (unsigned char)(i / 5);
        failed |= write_file(directory, "script", i, head, sizeof head, script, sizeof script);
    }
    return failed;
}

static int write_seeds(const struct harness *h, const char *directory)
{
    if (h->run == fuzz_layer)
        return write_vectors(h->name, directory);
    if (h->run == fuzz_conversation)
        return write_scripts(directory);
    return write_texts(h->name, directory) | (h->run == fuzz_verb && write_records(h, directory));
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        for (const struct harness *h = HARNESSES; h->name; h++)
            printf("%s %s %s\n", h->name, h->server ? "server" : "-", h->dictionary);
        return 0;
    }
    const struct harness *h = argc == 3 ? harness_find(argv[1]) : NULL;
    if (!h) {
        fprintf(stderr, "usage: seeds [NAME DIRECTORY]\n");
        return 2;
    }
    int failed = write_seeds(h, argv[2]);
    if (failed)
        perror(argv[2]);
    return failed;
}
