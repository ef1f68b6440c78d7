/* A tar archive's headers (POSIX, pax, "ustar Interchange Format"): for each file a block, and its data in whole blocks. */
#ifndef REGTAG_CLI_TAR_FORMAT_H
#define REGTAG_CLI_TAR_FORMAT_H

#define TAR_BLOCK 512
#define TAR_NAME_MAX 100 /* bytes; a name of this length has no terminating NUL */

/* Where the fields are, and how long the numbers. */
enum {
    TAR_NAME_AT = 0,
    TAR_MODE_AT = 100,
    TAR_UID_AT = 108,
    TAR_GID_AT = 116,
    TAR_SIZE_AT = 124,
    TAR_MTIME_AT = 136,
    TAR_CHECKSUM_AT = 148,
    TAR_TYPE_AT = 156,
    TAR_MAGIC_AT = 257,
    TAR_PREFIX_AT = 345,
    TAR_PREFIX_SIZE = 155,
    TAR_NUMBER_SIZE = 8,
    TAR_LARGE_NUMBER_SIZE = 12 /* size and time */
};

#endif
