/* Functions of the C library that musl itself calls, for a static program: as much of them as is used here, in 0.6 KB
 * instead of 6. regtag calls none but fork; a child process that looks up a name calls the others. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pid_t _Fork(void);
void *__vdsosym(const char *version, const char *name);
char *__strchrnul(const char *text, int wanted);

/* musl's fork is this and locks for threads, which nobody starts. */
pid_t fork(void)
{
    return _Fork();
}

static void swap(char *a, char *b, size_t size)
{
    while (size--) {
        char kept = a[size];
        a[size] = b[size];
        b[size] = kept;
    }
}

/* By insertion: it sorts 48 addresses at the most. */
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    char *first = base;
    for (size_t i = 1; i < count; i++)
        for (char *at = first + i * size; at > first && compare(at - size, at) > 0; at -= size)
            swap(at - size, at, size);
}

/* It searches lines of less than 512 bytes. */
char *strstr(const char *text, const char *part)
{
    size_t size = strlen(part);
    while (strncmp(text, part, size) != 0)
        if (!*text++)
            return NULL;
    return (char *)text;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

/* In the locale C, in which every program begins, each byte is a character. */
size_t mbstowcs(wchar_t *wide, const char *text, size_t size)
{
    (void)wide;
    (void)size;
    return strlen(text);
}

static unsigned base_of(const char **text)
{
    if (**text != '0')
        return 10;
    if (((*text)[1] | 0x20) != 'x' || !isxdigit((unsigned char)(*text)[2]))
        return 8;
    *text += 2;
    return 16;
}

static unsigned value_of(unsigned char c)
{
    return isdigit(c) ? c - (unsigned)'0' : isalpha(c) ? (c | 0x20u) - 'a' + 10 : UINT_MAX;
}

/* Neither spaces nor a sign come before the number. */
unsigned long strtoul(const char *restrict text, char **restrict end, int given)
{
    const char *at = text;
    unsigned base = given ? (unsigned)given : base_of(&at);
    unsigned long number = 0;
    for (unsigned digit; (digit = value_of((unsigned char)*at)) < base; at++)
        number = number > (ULONG_MAX - digit) / base ? ULONG_MAX : number * base + digit;
    *end = (char *)at;
    return number;
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    return strtoul(text, end, base);
}

/* As many bytes as there is room for; zeros fill up what is left. */
char *strncpy(char *restrict to, const char *restrict from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = *from ? *from++ : '\0';
    return to;
}

/* musl's strchr and getenv call it. */
char *__strchrnul(const char *text, int wanted)
{
    while (*text && *text != (char)wanted)
        text++;
    return (char *)text;
}

/* musl would search the kernel's page of functions for a faster one: 0.6 KB to save a few system calls. */
void *__vdsosym(const char *version, const char *name)
{
    (void)version;
    (void)name;
    return NULL;
}
