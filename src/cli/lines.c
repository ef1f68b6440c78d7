#include "cli/lines.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/file_scan.h"
#include "net/file.h"
#include "regtag.h"

/* Returns NULL, or what is wrong. */
static const char *open_file(struct lines *l)
{
    struct stat s;
    l->fd = file_open(l->name);
    if (l->fd < 0 || fstat(l->fd, &s) != 0)
        return strerror(errno);
    l->size = (uint64_t)s.st_size;
    return file_stamp(l->name, &l->stamp) ? NULL : "not a file";
}

bool lines_open(struct lines *l, const char *path, uint64_t deadline, struct error *e)
{
    bool standard = strcmp(path, "-") == 0;
    l->fd = -1;
    l->name = standard ? FILE_STDIN : path;
    const char *problem = file_keep(l->name, deadline);
    if (!problem && !file_kept(l->name, &l->kept))
        problem = open_file(l);
    if (problem)
        error_set(e, REGTAG_E_USAGE, "--from %s: %s", path, problem);
    return !problem;
}

void lines_close(struct lines *l)
{
    if (l->fd >= 0)
        close(l->fd);
}

static void visit(void *context, const void *bytes, size_t size)
{
    struct lines *l = context;
    struct slice part = {bytes, size};
    l->hash = slice_hash(l->hash, part);
    l->visit(l->context, part);
}

bool lines_changed(const struct lines *l)
{
    uint64_t stamp = 0;
    return l->fd >= 0 && (!file_stamp(l->name, &stamp) || stamp != l->stamp);
}

bool lines_read(struct lines *l, uint64_t deadline, struct error *e)
{
    uint64_t before = l->hash;
    l->hash = HASH_START;
    if (l->fd < 0)
        visit(l, l->kept.data, l->kept.size);
    else if (lseek(l->fd, 0, SEEK_SET) != 0 || file_scan(l->fd, l->size, deadline, visit, l) != l->size)
        error_set(e, REGTAG_E_OTHER, "--from %s: cannot be read to its end", l->name);
    if (lines_changed(l) || (before && l->hash != before))
        error_set(e, REGTAG_E_OTHER, "--from %s: it was changed while it was read", l->name);
    return e->status == 0;
}
