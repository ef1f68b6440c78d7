/* src/embed/regtag_sha256.c: whatever the processor, and however the bytes are cut, the sums are mbedTLS's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "regtag_sha256.h"

#define SIZE 4096u
#define SUM 32u

static unsigned char bytes[SIZE];

static void fill(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < SIZE; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
}

/* Hashes the first `size` bytes in pieces of `piece`, the first of them of `first`. */
static void expect_sum(size_t size, size_t first, size_t piece)
{
    unsigned char expected[SUM], sum[SUM];
    mbedtls_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    assert_int_equal(mbedtls_sha256(bytes, size, expected, 0), 0);
    assert_int_equal(hash.start(&context), 0);
    for (size_t at = 0, next = first; at < size; next = piece) {
        size_t part = size - at < next ? size - at : next;
        assert_int_equal(hash.update(&context, bytes + at, part), 0);
        at += part;
    }
    assert_int_equal(hash.finish(&context, sum), 0);
    assert_memory_equal(sum, expected, SUM);
}

static void every_size_has_its_sum(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 300; size++)
        expect_sum(size, SIZE, SIZE);
}

static void bytes_may_come_in_any_pieces(void **state)
{
    (void)state;
    for (size_t first = 1; first <= 130; first++)
        for (size_t piece = 1; piece <= 130; piece += 3)
            expect_sum(SIZE - 7, first, piece);
    for (size_t first = 1; first <= 130; first++)
        expect_sum(SIZE, first, 1024);
}

/* The number of bytes is a part of what is hashed, in two words. */
static void the_number_of_bytes_is_carried(void **state)
{
    unsigned char expected[SUM], sum[SUM];
    mbedtls_sha256_context own, ours;
    struct regtag_hash hash = regtag_sha256(&ours);
    (void)state;
    mbedtls_sha256_init(&own);
    assert_int_equal(mbedtls_sha256_starts(&own, 0), 0);
    assert_int_equal(hash.start(&ours), 0);
    own.MBEDTLS_PRIVATE(total)[0] = ours.MBEDTLS_PRIVATE(total)[0] = UINT32_MAX - 127;
    assert_int_equal(mbedtls_sha256_update(&own, bytes, 200), 0);
    assert_int_equal(hash.update(&ours, bytes, 200), 0);
    assert_int_equal(mbedtls_sha256_finish(&own, expected), 0);
    assert_int_equal(hash.finish(&ours, sum), 0);
    assert_memory_equal(sum, expected, SUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_has_its_sum),
        cmocka_unit_test(bytes_may_come_in_any_pieces),
        cmocka_unit_test(the_number_of_bytes_is_carried),
    };
    fill();
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
