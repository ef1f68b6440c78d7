/* An OCI image layout (OCI image specification, "Image Layout"): a folder, a tar file of one, or such a tar file from a
 * pipe. Its files are found by digest, read in parts, and not verified: that is up to whoever reads them. A layout counts as
 * hostile: no name in a tar file is used as a path, and in a folder no symbolic link is followed. */
#ifndef REGTAG_CLI_LAYOUT_H
#define REGTAG_CLI_LAYOUT_H

#include "cli/layout_input.h"
#include "cli/layout_names.h"
#include "cli/tar_reader.h"
#include "oci/document.h"
#include "regtag.h"

/* What a file is called here: the 64 digits of a blob's SHA-256, LAYOUT_INDEX, or LAYOUT_MARK. */
#define LAYOUT_KEY_SIZE 65

enum layout_kind { LAYOUT_FOLDER, LAYOUT_ARCHIVE, LAYOUT_PIPE };

struct layout_file {
    char key[LAYOUT_KEY_SIZE];
    int fd;           /* of a folder: its own; else -1 */
    const char *kept; /* of a pipe: its content in memory, or NULL */
    uint64_t at, size;
};

struct layout {
    struct layout_input in; /* with the name for messages, and with why the last read failed */
    enum layout_kind kind;
    int blobs;             /* the folder of blobs; -1: not open */
    struct tar_reader tar; /* the last entry that was looked at is before it */
    struct layout_file found[LAYOUT_FOUND];
    unsigned next_found; /* the one to be replaced */

    /* Of a tar file: what it has. */
    bool has_index, has_mark;
    bool is_docker; /* the manifest.json of docker save */
    bool passed;    /* of a pipe: a blob that was not kept */
};

/* Opens a folder or a file, or standard input, "-". A tar file that is a regular file is checked up to its end, a pipe
 * not at all. At the deadline, of regtag_clock(), reading a pipe and looking for files in an archive end with an error, as does
 * reading a pipe after `stall` milliseconds (0: not) without a byte. False, and e set with REGTAG_E_OTHER (it cannot be
 * read), REGTAG_E_USAGE (it is something else) or REGTAG_E_REFUSED (it is damaged). Needs layout_close in any case. */
bool layout_open(struct layout *l, const char *path, uint64_t deadline, uint64_t stall, struct error *e);

/* Reads all of LAYOUT_INDEX or LAYOUT_MARK, or as much as shows that it is no document (document_scan_take). False, and e
 * set, if there is none, or it does not fit. */
bool layout_read(struct layout *l, const char *key, struct writer *w, struct document_scan *scan,
                 unsigned tokens_max, struct error *e);

/* Its manifests and blobs. After a failure, `in.e` has the problem with its status. */
struct regtag_store layout_store(struct layout *l);

void layout_close(struct layout *l);

#endif
