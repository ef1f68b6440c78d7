/* Linked into a program: whoever asks for memory ends it with SIGABRT, the C library included. */
#include <stddef.h>
#include <unistd.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *memory, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
int posix_memalign(void **memory, size_t alignment, size_t size);
void free(void *memory);
_Noreturn void abort(void);

static _Noreturn void asked(void)
{
    static const char said[] = "memory was asked for\n";
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0)
        abort();
    abort();
}

void *malloc(size_t size)
{
    (void)size;
    asked();
}

void *calloc(size_t count, size_t size)
{
    (void)count;
    (void)size;
    asked();
}

void *realloc(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    asked();
}

void *aligned_alloc(size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    asked();
}

void *memalign(size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    asked();
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    (void)memory;
    (void)alignment;
    (void)size;
    asked();
}

void free(void *memory)
{
    if (memory)
        asked();
}
