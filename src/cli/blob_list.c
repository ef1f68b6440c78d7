#include "cli/blob_list.h"

#include <string.h>

static unsigned find(const struct blob_list *l, const unsigned char sum[32])
{
    unsigned i = 0;
    while (i < l->count && memcmp(l->list[i].sum, sum, 32) != 0)
        i++;
    return i;
}

bool blob_list_add(struct blob_list *l, const struct listed_blob *blob)
{
    unsigned i = find(l, blob->sum);
    if (i == SAVE_BLOBS_MAX)
        return false;
    if (i < l->count && (l->list[i].manifest || !blob->manifest))
        return true;
    l->list[i] = *blob;
    if (i == l->count)
        l->count++;
    else if (i < l->next)
        l->next = i;
    return true;
}

struct listed_blob *blob_list_manifest(struct blob_list *l)
{
    for (; l->next < l->count; l->next++)
        if (l->list[l->next].manifest && !l->list[l->next].done) {
            l->list[l->next].done = true;
            return &l->list[l->next];
        }
    return NULL;
}

void sum_of_digest(const char *digest, unsigned char sum[32])
{
    const char *hex = digest + sizeof "sha256:" - 1;
    for (unsigned i = 0; i < 32; i++)
        sum[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
}
