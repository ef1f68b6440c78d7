/* All unit programs in one, for tests/mutants: their mains have other names (mains.h), and what they hand to
 * cmocka comes here first.
 *
 *     runner measure SECONDS PROGRAM...
 *                      runs each test in a process of its own: "ran ADDRESS..." has the blocks of the library that
 *                      it runs, then "test PROGRAM INDEX STATUS SECONDS NAME"; status 3: it was ended after so many
 *                      SECONDS of processor time
 *     runner run       runs what stdin names, a line "PROGRAM SECONDS INDEX..." for each process, until one
 *                      test fails, or takes more than its SECONDS of processor time; says which, and ends
 *                      with status 1
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mains.h" /* MAINS: an entry {"test_NAME", test_NAME_main} for each */

#define MEMORY_MAX (2ull * 1024 * 1024 * 1024)
#define BLOCKS_MAX 65536
#define TIME_OVER 3
#define TEXT_MAX (32u * 1024 * 1024)

static FILE *report;
static const char *program;
static double limit;  /* seconds for each test; 0: all are measured */
static char *wanted;  /* the indices that are left to run, or NULL: all are measured */
static size_t passed; /* tests of groups before this one */

/* ---- Which blocks of the library a test runs ------------------------------------------------- */

extern char __executable_start[]
    __attribute__((weak)); /* not in the library that mutants are run with */
void __sanitizer_cov_trace_pc(void);

static unsigned char seen[TEXT_MAX];
static uint32_t blocks[BLOCKS_MAX];
static size_t block_count;

/* The compiler has it called at the start of each. */
void __sanitizer_cov_trace_pc(void)
{
    size_t at = (size_t)((char *)__builtin_return_address(0) - __executable_start);
    if (at >= TEXT_MAX || seen[at] || block_count == BLOCKS_MAX)
        return;
    seen[at] = 1;
    blocks[block_count++] = (uint32_t)at;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);

static double seconds_of(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e6;
}

static void tell_blocks(void)
{
    fputs("ran", report);
    for (size_t i = 0; i < block_count; i++)
        fprintf(report, " %x", blocks[i]);
    fputc('\n', report);
    fflush(report);
}

/* Of a test that takes long what it has run so far will do. */
static void on_time_over(int signal)
{
    (void)signal;
    tell_blocks();
    _exit(TIME_OVER);
}

/* Time that has passed would say more about the machine than about the test. */
static void limit_time(void)
{
    struct itimerval timer = {{0, 0},
                              {(time_t)limit, (suseconds_t)((limit - (double)(time_t)limit) * 1e6)}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void measure(const struct CMUnitTest *test, size_t index, CMFixtureFunction setup,
                    CMFixtureFunction teardown)
{
    struct rusage before, after;
    getrusage(RUSAGE_CHILDREN, &before);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        while (block_count > 0)
            seen[blocks[--block_count]] = 0;
        signal(SIGPROF, on_time_over);
        limit_time();
        int failed = __real__cmocka_run_group_tests("one", test, 1, setup, teardown);
        tell_blocks();
        _exit(failed != 0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    getrusage(RUSAGE_CHILDREN, &after);
    fprintf(report, "test %s %zu %d %.6f %.200s\n", program, index,
            WIFEXITED(status) ? WEXITSTATUS(status) : -1, seconds_of(&after) - seconds_of(&before),
            test->name);
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown)
{
    (void)name;
    size_t first = passed;
    passed += count;
    for (size_t i = 0; !wanted && i < count; i++)
        measure(&tests[i], first + i, setup, teardown);
    for (char *end; wanted && *wanted; wanted = end) {
        size_t index = strtoul(wanted, &end, 10);
        if (end == wanted || index >= passed)
            break;
        limit_time();
        fprintf(report, "%s %s\n", program, tests[index - first].name);
        fflush(report);
        if (__real__cmocka_run_group_tests("one", &tests[index - first], 1, setup, teardown) != 0)
            _exit(1);
    }
    return 0;
}

/* ---- Programs -------------------------------------------------------------------------------- */

static int (*main_of(const char *name))(int, char **)
{
    for (size_t i = 0; i < sizeof MAINS / sizeof MAINS[0]; i++)
        if (strcmp(MAINS[i].name, name) == 0)
            return MAINS[i].main;
    fprintf(stderr, "there is no %s\n", name);
    exit(2);
}

/* In a process of its own, so that it finds nothing of what others have left behind, and may crash. */
static int run_program(const char *name)
{
    char *arguments[] = {(char *)(uintptr_t)name, NULL};
    int (*run)(int, char **) = main_of(name);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        program = name;
        int failed = run(1, arguments);
        fflush(report);
        _exit(failed);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child)
        perror(name);
    return status;
}

static int run_wanted(void)
{
    static char line[1u << 20];
    while (fgets(line, sizeof line, stdin)) {
        char *name = strtok(line, " "), *seconds = strtok(NULL, " ");
        wanted = strtok(NULL, "\n");
        limit = strtod(seconds, NULL);
        if (run_program(name) != 0)
            return 1;
    }
    return 0;
}

static int measure_programs(char **names)
{
    int failed = 0;
    for (; *names; names++)
        failed |= run_program(*names);
    return failed != 0;
}

int main(int argc, char **argv)
{
    struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
    unsetenv("LD_PRELOAD"); /* the mutant is no part of what tests start */
    report = fdopen(dup(1), "w");
    if (argc < 2 || !report || !freopen("/dev/null", "w", stdout))
        return 2;
    setrlimit(RLIMIT_AS, &memory);
    if (strcmp(argv[1], "run") == 0)
        return run_wanted();
    limit = argc > 2 ? strtod(argv[2], NULL) : 1;
    return measure_programs(argv + 3);
}
