#include "cli/tar_writer.h"

#include <string.h>

/* A header's fields: where they begin, and how long they are. */
enum {
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    MTIME = 136,
    CHECKSUM = 148,
    TYPE = 156,
    MAGIC = 257,
    NUMBER_SIZE = 8,
    LARGE_NUMBER_SIZE = 12
};

/* The last byte stays NUL. */
static void write_octal(char *field, size_t size, uint64_t number)
{
    for (size_t i = size - 1; i--; number /= 8)
        field[i] = (char)('0' + number % 8);
}

static void write_base_256(char *field, size_t size, uint64_t number)
{
    for (size_t i = size; i--; number /= 256)
        field[i] = (char)(unsigned char)(number % 256);
    field[0] = (char)0x80;
}

static void write_checksum(char block[TAR_BLOCK])
{
    unsigned sum = 0;
    memset(block + CHECKSUM, ' ', NUMBER_SIZE);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)block[i];
    write_octal(block + CHECKSUM, NUMBER_SIZE - 1, sum);
    block[CHECKSUM + NUMBER_SIZE - 2] = '\0';
}

void tar_write_header(char block[TAR_BLOCK], const char *name, uint64_t size)
{
    size_t length = strlen(name);
    bool large = size >> 33 != 0, folder = name[length - 1] == '/';
    memset(block, 0, TAR_BLOCK);
    memcpy(block, name, length);
    write_octal(block + MODE, NUMBER_SIZE, folder ? 0755 : 0644);
    write_octal(block + UID, NUMBER_SIZE, 0);
    write_octal(block + GID, NUMBER_SIZE, 0);
    (large ? write_base_256 : write_octal)(block + SIZE, LARGE_NUMBER_SIZE, size);
    write_octal(block + MTIME, LARGE_NUMBER_SIZE, 0);
    block[TYPE] = folder ? '5' : '0';
    memcpy(block + MAGIC, "ustar\00000", 8); /* with its version, 00 */
    write_checksum(block);
}

unsigned tar_padding(uint64_t size)
{
    return (unsigned)(-size % TAR_BLOCK);
}
