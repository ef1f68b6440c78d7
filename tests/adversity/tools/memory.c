/* Memory that runs short, linked into a program beside everything else: --wrap leads its calls through here.
 *
 * ADVERSITY_FAILS=heap: what the C library allocates; arena: what mbedTLS does. The file ADVERSITY_LOG counts them, those
 * of child processes too; ADVERSITY_NUMBER is the one that fails, from 1.
 * ADVERSITY_ARENA=N, ADVERSITY_MANIFEST=N, ADVERSITY_TOKENS=N: there is so much of it, in bytes or values. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/tls_arena.h"
#include "regtag.h"

#if defined __SANITIZE_ADDRESS__ || !defined __GLIBC__
#define OWN_HEAP 0
#else
#define OWN_HEAP 1
#endif

static size_t number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : 0;
}

/* How many there have been, of all processes; in a file. */
static size_t *counter(void)
{
    static size_t *shared;
    const char *log = getenv("ADVERSITY_LOG");
    if (shared || !log)
        return shared;
    int fd = open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (ftruncate(fd, sizeof *shared) != 0)
        abort();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return shared;
}

/* Counts an allocation. False if it is the one that must fail. */
static bool passes(const char *kind)
{
    const char *counted = getenv("ADVERSITY_FAILS");
    return !counted || strcmp(counted, kind) != 0 || ++*counter() != number("ADVERSITY_NUMBER");
}

/* ---- The heap ---------------------------------------------------------------------------------- */

#if OWN_HEAP
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static void *none(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return passes("heap") ? __libc_malloc(size) : none();
}

void *calloc(size_t count, size_t size)
{
    return passes("heap") ? __libc_calloc(count, size) : none();
}

void *realloc(void *memory, size_t size)
{
    return passes("heap") ? __libc_realloc(memory, size) : none();
}
#endif

/* ---- The arena --------------------------------------------------------------------------------- */

void *__real_tls_arena_calloc(size_t count, size_t size);
void *__wrap_tls_arena_calloc(size_t count, size_t size);
bool __real_tls_arena_exhausted(void);
bool __wrap_tls_arena_exhausted(void);

static bool failed;

/* Takes all but so much, with the header of a block, before anybody else can. */
static void shrink(void)
{
    static bool done;
    size_t left = number("ADVERSITY_ARENA");
    if (!done && left)
        __real_tls_arena_calloc(1, tls_arena_size() - left - sizeof(uint64_t[2]));
    done = true;
}

void *__wrap_tls_arena_calloc(size_t count, size_t size)
{
    shrink();
    if (passes("arena"))
        return __real_tls_arena_calloc(count, size);
    failed = true;
    return NULL;
}

bool __wrap_tls_arena_exhausted(void)
{
    bool was = failed;
    failed = false;
    return __real_tls_arena_exhausted() || was;
}

/* ---- The operation ----------------------------------------------------------------------------- */

struct regtag *__real_regtag_init(void *memory, size_t size, const struct regtag_config *config);
struct regtag *__wrap_regtag_init(void *memory, size_t size, const struct regtag_config *config);
bool __real_regtag_next(struct regtag *r, const struct regtag_config *config);
bool __wrap_regtag_next(struct regtag *r, const struct regtag_config *config);

static struct regtag_config limited(const struct regtag_config *config)
{
    struct regtag_config c = *config;
    size_t manifest = number("ADVERSITY_MANIFEST"), tokens = number("ADVERSITY_TOKENS");
    c.manifest_max = manifest ? manifest : c.manifest_max;
    c.tokens_max = tokens ? tokens : c.tokens_max;
    return c;
}

struct regtag *__wrap_regtag_init(void *memory, size_t size, const struct regtag_config *config)
{
    struct regtag_config c = limited(config);
    return __real_regtag_init(memory, size, &c);
}

bool __wrap_regtag_next(struct regtag *r, const struct regtag_config *config)
{
    struct regtag_config c = limited(config);
    return __real_regtag_next(r, &c);
}
