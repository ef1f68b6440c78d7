/* The place of a file that is to be written or replaced: its folder, and its name there. */
#ifndef REGTAG_CLI_PLACE_H
#define REGTAG_CLI_PLACE_H

#include <sys/stat.h>

#include "base/error.h"

struct place {
    const char *path; /* the caller's; for messages */
    const char *name; /* in the folder: the end of the path */
    int folder;       /* -1: not open */
    bool exists;      /* there is a regular file of this name: */
    mode_t mode;
    uint64_t size;
};

/* Whether a user means a folder: there is one, or the name ends with a slash. */
bool place_is_folder(const char *path);

/* Finds the place of a file. The first `base` bytes of the path, up to and with a slash, are a folder of the user's
 * own choice, and links in it are followed; what follows comes from elsewhere, and links in that are not. `make`:
 * folders that are missing are made. False, and e set, if there is no way to the folder, or something other than a
 * regular file is in the way. The path is only changed for a moment. Unless it fails, end with place_close. */
bool place_open(struct place *p, char *path, size_t base, bool make, struct error *e);
void place_close(struct place *p);

/* Opens the file that is there for reading; -1 if there is none. */
int place_file(const struct place *p);

/* Whether the file that is there already has this digest and size; UINT64_MAX: any size. False at the
 * deadline, of regtag_clock(). */
bool place_has(const struct place *p, const char *digest, uint64_t size, uint64_t deadline);

#endif
