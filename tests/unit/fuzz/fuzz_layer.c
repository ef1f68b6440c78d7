/* One layer. Beside what the sanitizers see, it expects the same answer however the bytes arrive, and that what one layer
 * has said makes sense to it and to the others. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "../layers.h"

static int answer(const char *layer, const char *argument, const char *input, size_t size, size_t step,
                  char *out)
{
    memset(out, 'x', LAYER_ANSWER_MAX);
    int result = layer_run(layer, argument, input, size, step, out, LAYER_ANSWER_MAX);
    expect(memchr(out, '\0', LAYER_ANSWER_MAX) != NULL, "the answer has no end");
    /* The first scheme of a challenge may have this name. */
    expect(result == LAYER_ACCEPTED || (result == LAYER_REJECTED && strcmp(out, "reject") == 0),
           "result and answer differ");
    return result;
}

/* A reference in full must mean the same as the one that it was made from. */
static void check_ref(const char *said)
{
    char registry[1024], repository[512], tag[256], digest[256], full[4096], again[LAYER_ANSWER_MAX];
    expect(sscanf(said, "ok %1023s %511s %255s %255s", registry, repository, tag, digest) == 4,
           "not four words");
    int has_tag = strcmp(tag, "-") != 0, has_digest = strcmp(digest, "-") != 0;
    snprintf(full, sizeof full, "%s/%s%s%s%s%s", registry, repository, has_tag ? ":" : "",
             has_tag ? tag : "", has_digest ? "@" : "", has_digest ? digest : "");
    answer("ref", NULL, full, strlen(full), 0, again);
    expect(strcmp(said, again) == 0, "a reference in full means another image");
}

/* The URL of the next page leads from there to itself. */
static void check_link(const char *said)
{
    char link[LAYER_ANSWER_MAX], again[LAYER_ANSWER_MAX];
    if (strncmp(said, "next ", 5) != 0)
        return;
    for (const char *p = said + 5; *p; p++)
        expect(*p > ' ' && *p < 0x7f, "a character that no URL has");
    expect(strncmp(said + 5, "http://", 7) == 0 || strncmp(said + 5, "https://", 8) == 0,
           "not an absolute URL");
    snprintf(link, sizeof link, "<%s>; rel=next", said + 5);
    answer("link", said + 5, link, strlen(link), 0, again);
    expect(strcmp(again, "end") == 0, "a URL that does not lead to itself");
}

static void check_manifest(const char *input, size_t size)
{
    char said[LAYER_ANSWER_MAX];
    expect(answer("json", NULL, input, size, 0, said) == LAYER_ACCEPTED, "a manifest that is not JSON");
}

/* All names can be files in one folder, which stay in it. */
static void check_titles(const char *said)
{
    static char folder[LAYER_ANSWER_MAX + 2], all[LAYER_ANSWER_MAX + 2];
    snprintf(all, sizeof all, "%s\n", said);
    for (const char *line = strchr(all, '\n'); line[1]; line = strchr(line + 1, '\n')) {
        size_t size = strcspn(line + 1, "\n");
        snprintf(folder, sizeof folder, "/%.*s/", (int)size, line + 1);
        expect(size > 0 && !strstr(folder, "//") && !strstr(folder, "/./") && !strstr(folder, "/../") &&
                   !strstr(folder, "/.regtag-"),
               "a name that is none");
        folder[0] = '\n';
        expect(strstr(all, folder) == NULL, "a file is a folder");
        folder[size + 1] = '\n';
        expect(strstr(line + 1, folder) == NULL, "a name twice");
    }
}

/* Gives what looks like a header the checksum that it should have: to hit it by chance would take too long. */
static const char *with_checksums(const char *input, size_t size)
{
    static char memory[65536], digits[8];
    expect(size <= sizeof memory, "too large");
    memcpy(memory, input, size);
    for (char *block = memory; block + 512 <= memory + size; block += 512) {
        unsigned sum = 0;
        if (memcmp(block + 257, "ustar", 5) != 0)
            continue;
        memset(block + 148, ' ', 8);
        for (size_t i = 0; i < 512; i++)
            sum += (unsigned char)block[i];
        snprintf(digits, sizeof digits, "%06o", sum);
        memcpy(block + 148, digits, 7);
    }
    return memory;
}

void fuzz_layer(const struct harness *h, const uint8_t *data, size_t size)
{
    static char whole[LAYER_ANSWER_MAX], parts[LAYER_ANSWER_MAX];
    if (size == 0)
        return;
    const char *layer = h->name, *argument = h->arguments[data[0] / FUZZ_STEPS];
    const char *input = (const char *)data + 1;
    if (strcmp(layer, "tar") == 0)
        input = with_checksums(input, size - 1);
    int accepted = answer(layer, argument, input, size - 1, 0, whole) == LAYER_ACCEPTED;
    answer(layer, argument, input, size - 1, 1 + data[0] % FUZZ_STEPS, parts);
    expect(strcmp(whole, parts) == 0, "whole and in parts differ");
    if (accepted && strcmp(layer, "ref") == 0)
        check_ref(whole);
    if (accepted && strcmp(layer, "link") == 0)
        check_link(whole);
    if (accepted && strcmp(layer, "manifest") == 0)
        check_manifest(input, size - 1);
    if (accepted && strcmp(layer, "titles") == 0)
        check_titles(whole);
}
