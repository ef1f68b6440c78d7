#include "cli/tar_writer.h"

#include <string.h>

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
    memset(block + TAR_CHECKSUM_AT, ' ', TAR_NUMBER_SIZE);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)block[i];
    write_octal(block + TAR_CHECKSUM_AT, TAR_NUMBER_SIZE - 1, sum);
    block[TAR_CHECKSUM_AT + TAR_NUMBER_SIZE - 2] = '\0';
}

void tar_write_header(char block[TAR_BLOCK], const char *name, uint64_t size)
{
    size_t length = strlen(name);
    bool large = size >> 33 != 0, folder = name[length - 1] == '/';
    memset(block, 0, TAR_BLOCK);
    memcpy(block + TAR_NAME_AT, name, length);
    write_octal(block + TAR_MODE_AT, TAR_NUMBER_SIZE, folder ? 0755 : 0644);
    write_octal(block + TAR_UID_AT, TAR_NUMBER_SIZE, 0);
    write_octal(block + TAR_GID_AT, TAR_NUMBER_SIZE, 0);
    (large ? write_base_256 : write_octal)(block + TAR_SIZE_AT, TAR_LARGE_NUMBER_SIZE, size);
    write_octal(block + TAR_MTIME_AT, TAR_LARGE_NUMBER_SIZE, 0);
    block[TAR_TYPE_AT] = folder ? '5' : '0';
    memcpy(block + TAR_MAGIC_AT, "ustar\00000", 8); /* with its version, 00 */
    write_checksum(block);
}

unsigned tar_padding(uint64_t size)
{
    return (unsigned)(-size % TAR_BLOCK);
}
