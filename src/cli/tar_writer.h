/* The bytes of a tar archive around its files (POSIX, pax, "ustar Interchange Format"). They depend on names and sizes
 * only: files have mode 0644, folders 0755; all belong to user 0, and are of 1970. */
#ifndef REGTAG_CLI_TAR_WRITER_H
#define REGTAG_CLI_TAR_WRITER_H

#include "base/slice.h"
#include "cli/tar_format.h"

/* Writes the header of a regular file, or of a folder if its name ends with a slash; it has at most TAR_NAME_MAX bytes. A size of 8 GiB or more is in base 256,
 * as GNU tar writes it. */
void tar_write_header(char block[TAR_BLOCK], const char *name, uint64_t size);

/* How many zeros follow the content; and the whole archive. */
unsigned tar_padding(uint64_t size);
#define TAR_END_SIZE (2 * TAR_BLOCK)

#endif
