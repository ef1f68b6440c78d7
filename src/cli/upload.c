#include "cli/upload.h"

#include "cli/progress.h"
#include "cli/session.h"
#include "regtag_sha256.h"

static struct regtag *operation;
static ptrdiff_t (*write_bytes)(void *context, unsigned connection, const void *bytes, size_t size);

/* There is no event while blobs move. */
static ptrdiff_t write_and_show(void *context, unsigned connection, const void *bytes, size_t size)
{
    uint64_t moved, all;
    regtag_progress(operation, &moved, &all);
    if (all)
        progress_of(moved, all);
    return write_bytes(context, connection, bytes, size);
}

struct regtag *upload_operation(struct regtag_config *config, size_t jobs, bool next)
{
    static struct regtag_sha256_context contexts[UPLOAD_JOBS_MAX];
    static struct regtag_hash hashes[UPLOAD_JOBS_MAX];
    for (size_t i = 0; i < jobs; i++)
        hashes[i] = regtag_sha256(&contexts[i]);
    config->hashes = hashes;
    config->hashes_count = jobs;
    write_bytes = config->transport.write;
    config->transport.write = write_and_show;
    operation = next ? session_next(config) : session_operation(config);
    return operation;
}
