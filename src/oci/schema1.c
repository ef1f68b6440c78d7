#include "oci/schema1.h"

#include "base/base64.h"
#include "base/sizes.h"

struct format {
    uint64_t length;   /* of the part of the document that belongs to the payload */
    struct slice tail; /* the rest of the payload */
};

/* Reads {"formatLength": …, "formatTail": …, …} from a signature's protected header. Decodes the tail
 * into memory of SCHEMA1_TAIL_MAX bytes. */
static bool read_format(struct slice encoded, char *tail, struct format *f)
{
    char decoded[PROTECTED_MAX];
    jsmntok_t tokens[PROTECTED_TOKENS];
    struct document_key keys[PROTECTED_TOKENS / 2];
    struct document_memory memory = {tokens, keys, PROTECTED_TOKENS};
    struct document d;
    struct error ignored;
    struct slice json;
    bool alike = false;
    error_clear(&ignored);

    if (!base64_decode(encoded, decoded, sizeof decoded, &json) ||
        !document_index(&d, json, &memory, "", &ignored))
        return false;
    struct slice length = document_number(&d, document_member(&d, 0, SLICE("formatLength"), &alike));
    int tail_value = document_member(&d, 0, SLICE("formatTail"), &alike);
    struct slice tail64 = document_string(&d, tail_value);
    return !alike && document_is_string(&d, tail_value) && slice_number(length, INT32_MAX, &f->length) &&
           base64_decode(tail64, tail, SCHEMA1_TAIL_MAX, &f->tail);
}

bool schema1_payload(const struct document *d, struct slice parts[2], char tail[SCHEMA1_TAIL_MAX])
{
    char other_tail[SCHEMA1_TAIL_MAX];
    struct format format = {0, {NULL, 0}}, other = format;
    bool alike = false;
    int signatures = document_member(d, 0, SLICE("signatures"), &alike);
    int first = document_is_array(d, signatures) ? document_first(d, signatures) : NO_VALUE;

    if (first == NO_VALUE)
        return false;
    for (int s = first; s != NO_VALUE; s = document_next(d, s)) {
        struct slice encoded = document_string(d, document_member(d, s, SLICE("protected"), &alike));
        bool is_first = s == first;
        if (alike || !read_format(encoded, is_first ? tail : other_tail, is_first ? &format : &other))
            return false;
        if (!is_first && (other.length != format.length || !slice_equal(other.tail, format.tail)))
            return false;
    }
    parts[0] = slice_head(d->text, (size_t)format.length);
    parts[1] = format.tail;
    return format.length <= d->text.size;
}
