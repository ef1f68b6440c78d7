/* Waits until a disk has what was written, so that a power cut does not undo it. */
#ifndef REGTAG_CLI_FILE_SYNC_H
#define REGTAG_CLI_FILE_SYNC_H

/* Returns 0, or errno. */
int file_sync(int fd);

/* A new or renamed file survives a power cut only if its folder is synced as well. Goes on without where the file
 * system cannot sync folders. Returns 0, or errno. */
int folder_sync(int fd);

#endif
