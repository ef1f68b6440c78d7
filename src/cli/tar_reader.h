/* Reads the entries of a tar file (POSIX "pax", ustar; GNU; v7) one after the other, in constant memory, and going forward
 * only, so that it works on a pipe. Whatever is in the file, the names in it are only compared, never used as paths. */
#ifndef REGTAG_CLI_TAR_READER_H
#define REGTAG_CLI_TAR_READER_H

#include "base/slice.h"
#include "cli/tar_format.h"

#define TAR_EXTENSION_MAX 0x100000 /* bytes of a pax header, or of a long name */
#define TAR_HEADERS_MAX 262144     /* of one reader: more are a bomb */

enum tar_type {
    TAR_FILE,
    TAR_LINK,   /* hard or symbolic */
    TAR_SPARSE, /* the data is not the file's content, but its parts */
    TAR_OTHER   /* a folder, a device, or something unknown */
};

struct tar_entry {
    char name[TAR_NAME_MAX + 1]; /* without "./" in front; "" if it is longer */
    enum tar_type type;
    uint64_t at, size; /* of its data, in bytes from the beginning of the file */
};

enum tar_event {
    TAR_ENTRY,
    TAR_END,   /* two empty blocks */
    TAR_BROKEN /* `problem` says why, and `at` where */
};

/* To begin, clear the whole struct and set `read` and its context. */
struct tar_reader {
    void *context;
    /* Reads `size` bytes from the offset `at` on, fewer only at the end of the file; -1: failed. Offsets never go back. */
    ptrdiff_t (*read)(void *context, uint64_t at, void *bytes, size_t size);

    uint64_t at;         /* of the next header; with TAR_BROKEN, of what is wrong */
    const char *problem; /* with TAR_BROKEN; NULL: `read` failed */
    size_t held;         /* bytes of `block` that were read last */
    unsigned char block[TAR_BLOCK];

    unsigned headers; /* read so far */
    bool failed;
    bool named, sized, sparse; /* what the extended headers say of the next entry */
};

enum tar_event tar_next(struct tar_reader *t, struct tar_entry *entry);

#endif
