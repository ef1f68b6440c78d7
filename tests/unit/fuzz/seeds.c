/* seeds LAYER|operation DIRECTORY: writes the vectors of a layer, or some answers of registries to an
 * operation, as inputs for a fuzzer. */
#include <stdbool.h>
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

/* ---- For the operation: four bytes of choices, then answers with 0xff between ---------------- */

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

/* The first byte: 4 tag, 16 load, 12 the same with a guard, 6 delete, 1 list, 2 digest, 3 manifest, 7 fetch. The
 * fourth: how often it is tried again; 8 confirm, 16 dry run, 32 keep, 64 siblings and titles, 128 platform. */
static const char *const operations[] = {
    "\4\4\4\4" GOT "\xff" ABSENT "\xff" CONFIRMED "\xff" ELSEWHERE "\xff" CONFIRMED,
    "\4\4\4\4" GOT "\xff" ABSENT "\xff" ELSEWHERE "\xff" PUT "\xff" CONFIRMED "\xff" CONFIRMED,
    "\4\4\4\4" GOT "\xff" LOOKED "\xff" LOOKED,
    "\4\4\4\4" ERROR,
    "\4\4\4\3" BUSY "\xff" GOT "\xff" BUSY "\xff" ABSENT "\xff" BUSY "\xff" PUT,
    "\4\4\4\10" GOT "\xff" ABSENT "\xff" CONFIRMED "\xff" LOOKED "\xff" ELSEWHERE,
    "\14\4\4\3" GOT "\xff" ABSENT "\xff" CONFIRMED "\xff" ELSEWHERE,
    "\14\4\4\3" GOT "\xff" ABSENT "\xff" BUSY "\xff" ABSENT "\xff" CONFIRMED "\xff" ABSENT,
    "\4\4\4\4" UNAUTHORIZED "\xff" UNAUTHORIZED "\xff" TOKEN "\xff" GOT "\xff" ABSENT "\xff" CONFIRMED,
    "\6\4\4\4" LOOKED "\xff" DELETED "\xff" ABSENT,
    "\6\4\4\100" LOOKED "\xff" UNSUPPORTED "\xff" PAGE("") "\xff" LOOKED "\xff" LOOKED "\xff" DELETED
                                                           "\xff" ABSENT,
    "\1\4\4\4" PAGE(NEXT) "\xff" PAGE(""),
    "\1\4\4\4" PAGE(NEXT) "\xff" PAGE(NEXT) "\xff" PAGE(NEXT),
    "\1\4\4\4" ERROR,
    "\2\4\4\44" LOOKED "\xff" LOOKED,
    "\2\4\4\44" LOOKED "\xff"
    "HTTP/1.1 304 Same\r\n\r\n",
    "\2\4\4\4"
    "HTTP/1.1 200 OK\r\n\r\n"
    "\xff" GOT,
    "\3\4\4\4" GOT,
    "\3\4\4\4"
    "HTTP/1.1 200 OK\r\n" DIGEST TYPE "\r\n" MANIFEST,
    "\20\4\4\3" ABSENT "\xff" ABSENT "\xff" UPLOAD "\xff" UPLOAD "\xff" CONFIRMED "\xff" ABSENT
    "\xff" CONFIRMED,
    "\20\4\4\3" ABSENT "\xff" ABSENT "\xff" UPLOAD "\xff" BUSY "\xff" UPLOAD "\xff" BUSY "\xff" UPLOAD
    "\xff" UPLOAD,
    "\7\4\4\103" ARTIFACT "\xff" BLOB "\xff" PART,
    "\7\4\4\3" ARTIFACT "\xff" BLOB "\xff" BLOB "\xff" BUSY "\xff" BLOB,
};

static struct vector operation(size_t i)
{
    return (struct vector){.input = (char *)operations[i], .size = strlen(operations[i])};
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int write_seed(const char *directory, size_t number, const struct vector *v)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/vector-%zu", directory, number);
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    if (v->layer)
        fputc(choice_of(v) | (unsigned char)(number % FUZZ_STEPS), file);
    fwrite(v->input, 1, v->size, file);
    return fclose(file) != 0;
}

static int write_operations(const char *directory)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        struct vector v = operation(i);
        failed |= write_seed(directory, i, &v);
    }
    return failed;
}

static int write_vectors(const char *layer, const char *directory)
{
    const char *const layers[] = {layer};
    struct vectors all = vectors_read("tests/vectors", layers, 1);
    int failed = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (all.list[i].size < SEED_MAX)
            failed |= write_seed(directory, i, &all.list[i]);
    }
    vectors_free(&all);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: seeds LAYER|operation DIRECTORY\n");
        return 2;
    }
    bool whole = strcmp(argv[1], "operation") == 0;
    int failed = whole ? write_operations(argv[2]) : write_vectors(argv[1], argv[2]);
    if (failed)
        perror(argv[2]);
    return failed;
}
