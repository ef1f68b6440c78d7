#include "oci/digest.h"

#include <string.h>

static bool is_lower_hex(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

bool digest_valid(struct slice s)
{
    struct slice hex = slice_from(s, 7);
    if (slice_starts(s, SLICE("sha256:")))
        return hex.size == 64 && is_lower_hex(hex);
    if (slice_starts(s, SLICE("sha512:")))
        return hex.size == 128 && is_lower_hex(hex);
    return false;
}

/* Words of lower-case letters and digits, with one of "+._-" between each two. */
static bool is_algorithm(struct slice s)
{
    bool in_word = false;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        bool separates = c == '+' || c == '.' || c == '_' || c == '-';
        if (separates ? !in_word : !is_lower(c) && !is_digit(c))
            return false;
        in_word = !separates;
    }
    return in_word;
}

bool digest_well_formed(struct slice s)
{
    struct slice encoded = s, algorithm = slice_split(&encoded, ':');
    if (slice_equal(algorithm, SLICE("sha256")) || slice_equal(algorithm, SLICE("sha512")))
        return digest_valid(s);
    if (slice_equal(algorithm, SLICE("blake3")))
        return encoded.size == 64 && is_lower_hex(encoded);
    return is_algorithm(algorithm) && slice_is_word(encoded, "=_-");
}

bool digest_is_sha256(struct slice s)
{
    return s.size == DIGEST_SHA256_SIZE && slice_starts(s, SLICE("sha256:"));
}

static bool hash_parts(const struct regtag_hash *hash, const struct slice *parts, size_t count,
                       unsigned char sum[32])
{
    if (hash->start(hash->context) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (hash->update(hash->context, parts[i].data, parts[i].size) != 0)
            return false;
    return hash->finish(hash->context, sum) == 0;
}

void digest_from_sum(const unsigned char sum[32], char text[DIGEST_SHA256_SIZE + 1])
{
    static const char HEX[] = "0123456789abcdef";
    memcpy(text, "sha256:", 7);
    for (size_t i = 0; i < 32; i++) {
        text[7 + 2 * i] = HEX[sum[i] >> 4];
        text[8 + 2 * i] = HEX[sum[i] & 15];
    }
    text[DIGEST_SHA256_SIZE] = '\0';
}

bool digest_of(const struct regtag_hash *hash, const struct slice *parts, size_t count,
               char text[DIGEST_SHA256_SIZE + 1])
{
    unsigned char sum[32];
    if (!hash_parts(hash, parts, count, sum))
        return false;
    digest_from_sum(sum, text);
    return true;
}
