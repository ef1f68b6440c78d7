/* What stands in for functions of musl's in static programs does the same as this machine's C library. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The C library's own, by other names. */
static char *(*const library_strstr)(const char *, const char *) = strstr;
static unsigned long (*const library_strtoul)(const char *, char **, int) = strtoul;
static char *(*const library_fgets)(char *, int, FILE *) = fgets;

pid_t small_fork(void);
void small_qsort(void *, size_t, size_t, int (*)(const void *, const void *));
char *small_strstr(const char *, const char *);
char *small_strcpy(char *, const char *);
char *small_strncpy(char *, const char *, size_t);
size_t small_mbstowcs(wchar_t *, const char *, size_t);
unsigned long small_strtoul(const char *, char **, int);
unsigned long long small_strtoull(const char *, char **, int);
int small_getc(FILE *);
int small_feof(FILE *);
char *small_fgets(char *, int, FILE *);
char *small_strerror(int);
int small_getaddrinfo(const char *, const char *, const struct addrinfo *, struct addrinfo **);
void small_freeaddrinfo(struct addrinfo *);
void *small_malloc(size_t);
void *small_calloc(size_t, size_t);
void *small_realloc(void *, size_t);
void small_free(void *);

#define fork small_fork
#define qsort small_qsort
#define strstr small_strstr
#define strcpy small_strcpy
#define mbstowcs small_mbstowcs
#define strncpy small_strncpy
#define strtoul small_strtoul
#define strtoull small_strtoull
#undef getc
#define getc small_getc
#undef feof
#define feof small_feof
#define fgets small_fgets
#define strerror small_strerror
#define getaddrinfo small_getaddrinfo
#define freeaddrinfo small_freeaddrinfo
#undef malloc
#define malloc small_malloc
#undef calloc
#define calloc small_calloc
#undef realloc
#define realloc small_realloc
#undef free
#define free small_free
#include "cli/heap.c"
#include "cli/libc.c"
#include "cli/libc_address.c"
#include "cli/libc_error.c"
#include "cli/libc_file.c"

static void a_child_ends_with_its_own_status(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
}

/* As musl's struct address: the key stands in the middle. */
struct record {
    char before[5], key, after[22];
};

static int by_key(const void *a, const void *b)
{
    return ((const struct record *)a)->key - ((const struct record *)b)->key;
}

static void records_are_sorted(void **state)
{
    (void)state;
    struct record records[48];
    for (size_t count = 0; count <= COUNT(records); count++) {
        for (size_t i = 0; i < count; i++) {
            memset(&records[i], (int)(i * 37 % 101), sizeof records[i]);
            records[i].key = (char)(i * 37 % 101);
        }
        qsort(records, count, sizeof records[0], by_key);
        for (size_t i = 0; i < count; i++) {
            assert_true(i == 0 || records[i - 1].key < records[i].key);
            assert_int_equal(records[i].before[0], records[i].key);
            assert_int_equal(records[i].after[21], records[i].key);
        }
    }
}

static void a_part_is_found_at_the_same_place(void **state)
{
    static const char *const TEXTS[] = {"", "a", "aab", "::1 host host.lan\n", "ho", "aaab"};
    static const char *const PARTS[] = {"", "a", "ab", "host", "host.lan", "\n", "aab", "xx"};
    (void)state;
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        for (size_t j = 0; j < COUNT(PARTS); j++)
            assert_ptr_equal(strstr(TEXTS[i], PARTS[j]), library_strstr(TEXTS[i], PARTS[j]));
}

static void text_is_copied_with_its_end_and_counted_in_bytes(void **state)
{
    char copy[8];
    (void)state;
    memset(copy, 'x', sizeof copy);
    assert_ptr_equal(strcpy(copy, "wlan0"), copy);
    assert_memory_equal(copy, "wlan0\0xx", sizeof copy);
    assert_ptr_equal(strncpy(copy, "eth1", 7), copy);
    assert_memory_equal(copy, "eth1\0\0\0x", sizeof copy);
    strncpy(copy, "eth1", 3);
    assert_memory_equal(copy, "eth1", 5);
    assert_string_equal(__strchrnul(copy, 'h'), "h1");
    assert_ptr_equal(__strchrnul(copy, 'x'), copy + 4);
    assert_int_equal(mbstowcs(NULL, "h\xf6st", 0), 4);
}

static void numbers_are_the_same_and_end_at_the_same_place(void **state)
{
    static const char *const TEXTS[] = {"",
                                        "x",
                                        "0",
                                        "10",
                                        "010",
                                        "0x1f",
                                        "0XFF",
                                        "0x",
                                        "0xg",
                                        "08",
                                        "127.0.0.1",
                                        "99999999999999999999999",
                                        "4294967295",
                                        "4294967296",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "7a",
                                        "0xffffffffffffffffff"};
    static const int BASES[] = {0, 10};
    (void)state;
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        for (size_t j = 0; j < COUNT(BASES); j++) {
            char *end, *expected;
            unsigned long number = library_strtoul(TEXTS[i], &expected, BASES[j]);
            assert_true(strtoul(TEXTS[i], &end, BASES[j]) == number);
            assert_ptr_equal(end, expected);
            assert_true(strtoull(TEXTS[i], &end, BASES[j]) == number);
        }
}

/* Each line that fits, and where it ends. */
static void lines_are_read_alike(void **state)
{
    static const char text[] = "one\n\nlonger than eight\nlast";
    char name[] = "/tmp/regtag-XXXXXX";
    unsigned char buffer[5];
    union {
        long double aligned;
        FILE file;
        char bytes[100];
    } place;
    (void)state;
    int fd = mkstemp(name);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    FILE *small = __fopen_rb_ca(name, &place.file, buffer, sizeof buffer), *library = fopen(name, "r");
    assert_ptr_equal(small, &place.file);
    unlink(name);
    for (;;) {
        char got[8], expected[8];
        char *line = library_fgets(expected, sizeof expected, library);
        assert_ptr_equal(fgets(got, sizeof got, small), line ? got : NULL);
        if (!line)
            break;
        assert_string_equal(got, expected);
    }
    assert_true(feof(small));
    assert_int_equal(__fclose_ca(small), 0);
    fclose(library);
    assert_null(__fopen_rb_ca(name, &place.file, buffer, sizeof buffer));
    assert_int_equal(errno, ENOENT);
}

static void errors_have_their_words(void **state)
{
    (void)state;
    assert_string_equal(strerror(EPERM), "Operation not permitted");
    assert_string_equal(strerror(ECONNREFUSED), "Connection refused");
    assert_string_equal(strerror(ENODATA), "No data available");
    assert_string_equal(strerror(0), "No error information");
    assert_string_equal(strerror(4711), "No error information");
}

/* What musl's own finds. */
int __lookup_name(struct address list[ADDRESSES_MAX], char canonical[256], const char *host, int family,
                  int flags)
{
    (void)canonical;
    if (strcmp(host, "unknown") == 0)
        return EAI_NONAME;
    assert_int_equal(family, AF_UNSPEC);
    assert_int_equal(flags, 0);
    list[0] = (struct address){AF_INET6, 3, {0xfe, 0x80, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0};
    list[1] = (struct address){AF_INET, 0, {192, 0, 2, 1}, 0};
    return 2;
}

static void addresses_keep_their_order(void **state)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC}, *all;
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    (void)state;
    assert_int_equal(getaddrinfo("host", NULL, &hints, &all), 0);
    assert_int_equal(all->ai_family, AF_INET6);
    assert_int_equal(all->ai_addrlen, sizeof v6);
    memcpy(&v6, all->ai_addr, sizeof v6);
    assert_int_equal(v6.sin6_family, AF_INET6);
    assert_int_equal(v6.sin6_scope_id, 3);
    assert_memory_equal(&v6.sin6_addr, "\xfe\x80\x0e\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    assert_int_equal(all->ai_next->ai_addrlen, sizeof v4);
    memcpy(&v4, all->ai_next->ai_addr, sizeof v4);
    assert_int_equal(v4.sin_family, AF_INET);
    assert_int_equal(ntohl(v4.sin_addr.s_addr), 0xc0000201);
    assert_null(all->ai_next->ai_next);
    freeaddrinfo(all);
    assert_int_equal(getaddrinfo("unknown", NULL, &hints, &all), EAI_NONAME);
}

#define DIRECTORY 2088 /* bytes that musl's opendir wants */

/* As watch looks through /etc/docker/certs.d, again and again. */
static void directories_in_one_another_leave_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        void *outer = calloc(1, DIRECTORY);
        for (int inner = 0; inner < 3; inner++) {
            char *memory = calloc(1, DIRECTORY);
            assert_non_null(outer);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % sizeof(void *), 0);
            assert_int_equal(memory[0] | memory[DIRECTORY - 1], 0);
            memset(memory, 'x', DIRECTORY);
            free(memory);
        }
        free(outer);
    }
}

static void the_heap_has_an_end(void **state)
{
    (void)state;
    void *all = malloc(HEAP_SIZE - sizeof(union unit));
    assert_non_null(all);
    assert_null(malloc(0));
    assert_int_equal(errno, ENOMEM);
    free(NULL);
    assert_null(malloc(1));
    free(all);
    assert_null(malloc(HEAP_SIZE));
    assert_null(malloc(SIZE_MAX));
    assert_null(calloc(SIZE_MAX / 2, 4));
    assert_null(realloc(NULL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_ends_with_its_own_status),
        cmocka_unit_test(records_are_sorted),
        cmocka_unit_test(a_part_is_found_at_the_same_place),
        cmocka_unit_test(text_is_copied_with_its_end_and_counted_in_bytes),
        cmocka_unit_test(numbers_are_the_same_and_end_at_the_same_place),
        cmocka_unit_test(lines_are_read_alike),
        cmocka_unit_test(errors_have_their_words),
        cmocka_unit_test(addresses_keep_their_order),
        cmocka_unit_test(directories_in_one_another_leave_nothing_behind),
        cmocka_unit_test(the_heap_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
