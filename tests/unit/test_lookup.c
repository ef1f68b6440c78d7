/* Looking a name up: what becomes of what the C library says of both families and of each. getaddrinfo and
 * fork are those of this file, by the linker's --wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/slice.h"
#include "net/families.h"
#include "net/lookup.h"
#include "regtag_blocking.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HANGS 1   /* instead of getaddrinfo's codes, which are negative: no answer, ever */
#define DIES 2    /* the process ends without one */
#define IS_LATE 3 /* comes when the families have been asked for one by one */

/* What getaddrinfo says of a family; with addresses, "A B C", it succeeds. */
struct answer {
    int result;
    const char *addresses;
};

enum { BOTH, IPV4, IPV6 };
static struct answer answers[3];
static volatile unsigned *asked; /* how often for each; shared with the processes */
static bool no_processes;

static unsigned index_of(int family)
{
    return family == AF_INET ? IPV4 : family == AF_INET6 ? IPV6 : BOTH;
}

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
pid_t __real_fork(void);
pid_t __wrap_fork(void);

static int list_addresses(const char *text, const struct addrinfo *hints, struct addrinfo **found)
{
    struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = hints->ai_socktype};
    struct slice rest = slice_of(text);
    while (rest.data) {
        struct slice one = slice_split(&rest, ' ');
        char address[64] = "";
        memcpy(address, one.data, one.size);
        if (__real_getaddrinfo(address, NULL, &numeric, found) != 0)
            abort();
        found = &(*found)->ai_next;
    }
    return 0;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    const struct answer *a = &answers[index_of(hints->ai_family)];
    if (strcmp(host, "registry.test") != 0 || service || hints->ai_socktype != SOCK_STREAM)
        abort();
    asked[index_of(hints->ai_family)]++;
    alarm(60); /* whatever becomes of the test */
    while (a->result == HANGS)
        pause();
    if (a->result == DIES)
        _exit(1);
    while (a->result == IS_LATE && !asked[IPV4])
        poll(NULL, 0, 1);
    if (a->result == IS_LATE)
        poll(NULL, 0, 100);
    return a->addresses ? list_addresses(a->addresses, hints, found) : a->result;
}

pid_t __wrap_fork(void)
{
    errno = EAGAIN;
    return no_processes ? -1 : __real_fork();
}

static int prepare(void **state)
{
    FILE *file = tmpfile();
    (void)state;
    if (!file || ftruncate(fileno(file), sizeof(unsigned[3])) != 0)
        return -1;
    void *shared = mmap(NULL, sizeof(unsigned[3]), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    fclose(file);
    asked = shared;
    /* What a process leaves behind becomes a child of this one. */
    return shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0;
}

static void set(struct answer both, struct answer ipv4, struct answer ipv6)
{
    answers[BOTH] = both;
    answers[IPV4] = ipv4;
    answers[IPV6] = ipv6;
    memset((void *)(uintptr_t)asked, 0, sizeof(unsigned[3]));
    no_processes = false;
    alarm(60); /* ends what hangs */
}

static void assert_asked(unsigned both, unsigned ipv4, unsigned ipv6)
{
    assert_int_equal(asked[BOTH], both);
    assert_int_equal(asked[IPV4], ipv4);
    assert_int_equal(asked[IPV6], ipv6);
}

static void assert_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static struct found_addresses find(void)
{
    struct found_addresses found;
    families_find("registry.test", &found);
    assert_no_children();
    return found;
}

static void assert_addresses(const struct found_addresses *found, const char *expected)
{
    struct slice rest = slice_of(expected);
    char text[REGTAG_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < found->count; i++) {
        regtag_address_text(&found->list[i], text);
        if (!slice_equal(slice_split(&rest, ' '), slice_of(text)))
            fail_msg("%s instead of %s", text, expected);
    }
    assert_null(rest.data);
}

static void assert_found(const char *expected)
{
    struct found_addresses found = find();
    assert_true(found.count > 0);
    assert_addresses(&found, expected);
}

#define NONE(code) ((struct answer){code, NULL})
#define ADDRESSES(text) ((struct answer){0, text})

static void both_families_are_asked_for_at_once(void **state)
{
    (void)state;
    set(ADDRESSES("::2 192.0.2.1 ::1"), NONE(HANGS), NONE(HANGS));
    assert_found("::2 192.0.2.1 ::1");
    assert_asked(1, 0, 0);
}

static void one_family_is_enough(void **state)
{
    static const int failures[] = {EAI_NONAME, EAI_AGAIN, DIES, HANGS};
    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++)
        for (size_t j = 0; j < COUNT(failures); j++) {
            if (failures[i] > 0 && failures[j] != EAI_AGAIN)
                continue; /* takes seconds: once is enough */
            set(NONE(failures[i]), ADDRESSES("192.0.2.1"), NONE(failures[j]));
            assert_found("192.0.2.1");
            set(NONE(failures[i]), NONE(failures[j]), ADDRESSES("::1"));
            assert_found("::1");
            assert_asked(1, 1, 1);
        }
}

static void both_are_taken_one_by_one(void **state)
{
    (void)state;
    set(NONE(EAI_NONAME), ADDRESSES("192.0.2.1 192.0.2.2"), ADDRESSES("::1"));
    struct found_addresses found = find();
    assert_addresses(&found, found.list[0].socket.any.sa_family == AF_INET ? "192.0.2.1 192.0.2.2 ::1"
                                                                           : "::1 192.0.2.1 192.0.2.2");
}

static void both_at_once_count_although_late(void **state)
{
    (void)state;
    set((struct answer){IS_LATE, "::1 192.0.2.1"}, NONE(HANGS), NONE(HANGS));
    assert_found("::1 192.0.2.1");
    set((struct answer){IS_LATE, "::1 192.0.2.1"}, NONE(EAI_AGAIN), NONE(EAI_NONAME));
    assert_found("::1 192.0.2.1");
    /* In place of what has come before. On a machine that is very busy it may come too late for that. */
    set((struct answer){IS_LATE, "::1 192.0.2.1"}, ADDRESSES("192.0.2.9"), NONE(HANGS));
    struct found_addresses found = find();
    assert_addresses(&found, found.count == 2 ? "::1 192.0.2.1" : "192.0.2.9");
}

#define FOUR "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"
#define TWELVE FOUR " " FOUR " " FOUR

static void there_are_at_most_16_addresses(void **state)
{
    (void)state;
    set(ADDRESSES(TWELVE " " FOUR " ::1"), NONE(HANGS), NONE(HANGS));
    assert_found(TWELVE " " FOUR);
    set(NONE(EAI_NONAME), ADDRESSES(TWELVE), ADDRESSES(TWELVE));
    assert_found(TWELVE " " FOUR);
}

static void a_failure_that_may_pass_counts(void **state)
{
    static const struct {
        int both, ipv4, ipv6, result;
    } cases[] = {
        {EAI_NONAME, EAI_NONAME, EAI_NONAME, EAI_NONAME},
        {EAI_AGAIN, EAI_NONAME, EAI_NONAME, EAI_AGAIN},
        {EAI_NONAME, EAI_AGAIN, EAI_NONAME, EAI_AGAIN},
        {EAI_NONAME, EAI_NONAME, EAI_AGAIN, EAI_AGAIN},
        {EAI_AGAIN, EAI_AGAIN, EAI_AGAIN, EAI_AGAIN},
        {EAI_FAIL, EAI_FAIL, EAI_FAIL, EAI_FAIL},
        {DIES, EAI_NONAME, EAI_NONAME, EAI_NONAME},
        {DIES, EAI_AGAIN, EAI_NONAME, EAI_AGAIN},
        {DIES, DIES, DIES, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        set(NONE(cases[i].both), NONE(cases[i].ipv4), NONE(cases[i].ipv6));
        struct found_addresses found = find();
        assert_int_equal(found.count, 0);
        assert_int_equal(found.result, cases[i].result);
    }
}

static void without_processes_it_is_asked_all_the_same(void **state)
{
    (void)state;
    set(ADDRESSES("::1"), NONE(EAI_FAIL), NONE(EAI_FAIL));
    no_processes = true;
    assert_found("::1");
    assert_asked(1, 0, 0);
    set(NONE(EAI_NONAME), ADDRESSES("192.0.2.1"), NONE(EAI_NONAME));
    no_processes = true;
    assert_found("192.0.2.1");
    assert_asked(1, 1, 1);
}

/* ---- As the program does it, in a child process ---------------------------------------------- */

static const struct regtag_origin ORIGIN = {.host = "registry.test", .port = 443, .tls = true};

static void a_lookup_waits_for_a_descriptor(void **state)
{
    struct lookup l = {.child = 0};
    struct regtag_address list[2];
    struct error e;
    (void)state;
    error_clear(&e);
    set(NONE(EAI_NONAME), ADDRESSES("192.0.2.1 192.0.2.2 192.0.2.3"), NONE(EAI_NONAME));
    assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 2, &e), REGTAG_IO_AGAIN);
    struct pollfd ready = {l.fd, POLLIN, 0};
    assert_int_equal(poll(&ready, 1, -1), 1);
    assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 2, &e), 2);
    assert_int_equal(l.child, 0);
    assert_no_children();
}

static void an_unknown_name_is_told_from_a_failure(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct lookup l = {.child = 0};
        struct regtag_address list[1];
        struct error e;
        error_clear(&e);
        set(NONE(EAI_NONAME), NONE(again ? EAI_AGAIN : EAI_NONAME), NONE(EAI_NONAME));
        assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 1, &e), REGTAG_IO_AGAIN);
        struct pollfd ready = {l.fd, POLLIN, 0};
        assert_int_equal(poll(&ready, 1, -1), 1);
        assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 1, &e), REGTAG_IO_FAILED);
        assert_int_equal(e.status, REGTAG_E_NO_CONNECTION);
        assert_int_equal(l.unknown, !again);
    }
}

/* Were they ignored, the number could be another process's by the time that it is killed. */
static void the_child_is_there_until_it_is_waited_for(void **state)
{
    struct lookup l = {.child = 0};
    struct regtag_address list[1];
    struct error e;
    siginfo_t ended;
    (void)state;
    error_clear(&e);
    set(ADDRESSES("192.0.2.1"), NONE(HANGS), NONE(HANGS));
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 1, &e), REGTAG_IO_AGAIN);
    assert_int_equal(waitid(P_PID, (id_t)l.child, &ended, WEXITED | WNOWAIT), 0);
    assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 1, &e), 1);
    signal(SIGCHLD, before);
    assert_no_children();
}

static void begin_unanswered(struct lookup *l, struct error *e)
{
    struct regtag_address list[1];
    error_clear(e);
    set(NONE(HANGS), NONE(HANGS), NONE(HANGS));
    assert_int_equal(lookup_step(l, NULL, &ORIGIN, list, 1, e), REGTAG_IO_AGAIN);
}

static void a_child_that_was_killed_has_no_answer(void **state)
{
    struct lookup l = {.child = 0};
    struct regtag_address list[1];
    struct error e;
    (void)state;
    begin_unanswered(&l, &e);
    kill(l.child, SIGKILL);
    struct pollfd ready = {l.fd, POLLIN, 0};
    assert_int_equal(poll(&ready, 1, -1), 1);
    assert_int_equal(lookup_step(&l, NULL, &ORIGIN, list, 1, &e), REGTAG_IO_FAILED);
    assert_false(l.unknown);
    assert_null(strstr(e.text, "known"));
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

/* The processes that ask are killed with the one that has started them. */
static void a_lookup_may_be_given_up(void **state)
{
    struct lookup l = {.child = 0};
    struct error e;
    (void)state;
    begin_unanswered(&l, &e);
    while (!asked[IPV4] || !asked[IPV6])
        poll(NULL, 0, 1);
    lookup_end(&l);
    for (int i = 0; i < 3; i++)
        assert_true(waitpid(-1, NULL, 0) > 0);
    assert_no_children();
}

/* ---- The resolver for other programs --------------------------------------------------------- */

static void a_program_of_ones_own_gets_ipv4_at_least(void **state)
{
    struct regtag_resolver r = regtag_blocking_resolver();
    struct regtag_address list[REGTAG_ADDRESSES_MAX];
    (void)state;
    set(ADDRESSES("::1 192.0.2.1"), NONE(EAI_FAIL), NONE(EAI_FAIL));
    assert_int_equal(r.resolve(r.context, 0, &ORIGIN, list, COUNT(list), NULL, NULL), 2);
    assert_asked(1, 0, 0);
    set(NONE(EAI_AGAIN), ADDRESSES("192.0.2.1"), NONE(EAI_FAIL));
    assert_int_equal(r.resolve(r.context, 0, &ORIGIN, list, COUNT(list), NULL, NULL), 1);
    set(NONE(EAI_NONAME), NONE(EAI_NONAME), NONE(EAI_FAIL));
    assert_int_equal(r.resolve(r.context, 0, &ORIGIN, list, COUNT(list), NULL, NULL), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_are_asked_for_at_once),
        cmocka_unit_test(one_family_is_enough),
        cmocka_unit_test(both_are_taken_one_by_one),
        cmocka_unit_test(both_at_once_count_although_late),
        cmocka_unit_test(there_are_at_most_16_addresses),
        cmocka_unit_test(a_failure_that_may_pass_counts),
        cmocka_unit_test(without_processes_it_is_asked_all_the_same),
        cmocka_unit_test(a_lookup_waits_for_a_descriptor),
        cmocka_unit_test(an_unknown_name_is_told_from_a_failure),
        cmocka_unit_test(the_child_is_there_until_it_is_waited_for),
        cmocka_unit_test(a_child_that_was_killed_has_no_answer),
        cmocka_unit_test(a_lookup_may_be_given_up),
        cmocka_unit_test(a_program_of_ones_own_gets_ipv4_at_least),
    };
    return cmocka_run_group_tests_name("lookup", tests, prepare, NULL);
}
