#include "cli/layout_writer.h"

/* With what Docker's rules imply. Nothing in a reference has to be escaped. */
static void write_full_name(struct writer *w, const struct reference *r)
{
    struct slice tag = reference_tag(r);
    write_format(w, "%.*s/", SLICE_ARG(r->registry));
    write_repository(w, r);
    write_format(w, "%s%.*s", tag.size ? ":" : "@", SLICE_ARG(tag.size ? tag : r->digest));
}

void write_layout_image(struct writer *w, const struct layout_image *image)
{
    struct slice tag = reference_tag(&image->reference);
    write_format(w, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu,\"annotations\":{",
                 image->media_type, image->digest, (unsigned long long)image->size);
    write_text(w, "\"io.containerd.image.name\":\"");
    write_full_name(w, &image->reference);
    if (tag.size) {
        write_text(w, "\",\"org.opencontainers.image.ref.name\":\"");
        if (image->full_name)
            write_full_name(w, &image->reference);
        else
            write_slice(w, tag);
    }
    write_text(w, "\"}}");
}
