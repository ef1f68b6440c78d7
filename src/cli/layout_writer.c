#include "cli/layout_writer.h"

/* With what Docker's rules imply. Nothing in a reference has to be escaped. */
static void write_full_name(struct writer *w, const struct reference *r)
{
    struct slice tag = reference_tag(r);
    write_format(w, "%.*s/", SLICE_ARG(r->registry));
    write_repository(w, r);
    write_format(w, "%s%.*s", tag.size ? ":" : "@", SLICE_ARG(tag.size ? tag : r->digest));
}

void write_layout_entry(struct writer *w, const struct layout_entry *entry)
{
    struct slice tag = reference_tag(&entry->reference);
    write_format(w, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu,\"annotations\":{",
                 entry->media_type, entry->digest, (unsigned long long)entry->size);
    write_text(w, "\"io.containerd.image.name\":\"");
    write_full_name(w, &entry->reference);
    if (tag.size) {
        write_text(w, "\",\"org.opencontainers.image.ref.name\":\"");
        if (entry->full_name)
            write_full_name(w, &entry->reference);
        else
            write_slice(w, tag);
    }
    write_text(w, "\"}}");
}
