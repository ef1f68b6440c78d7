#include "oci/titles.h"

#include "oci/json.h"
#include "regtag.h"

int layers_of(const struct document *d)
{
    bool alike = false;
    int layers = document_member(d, 0, SLICE("layers"), &alike);
    return layers != NO_VALUE ? layers : document_member(d, 0, SLICE("blobs"), &alike);
}

struct slice descriptor_digest(const struct document *d, int descriptor)
{
    bool alike = false;
    return document_string(d, document_member(d, descriptor, SLICE("digest"), &alike));
}

uint64_t descriptor_size(const struct document *d, int descriptor)
{
    bool alike = false;
    uint64_t size = 0;
    slice_number(document_number(d, document_member(d, descriptor, SLICE("size"), &alike)), INT64_MAX,
                 &size);
    return size;
}

bool descriptor_has_urls(const struct document *d, int descriptor)
{
    bool alike = false;
    return document_first(d, document_member(d, descriptor, SLICE("urls"), &alike)) != NO_VALUE;
}

int layer_annotation(const struct document *d, int layer, struct slice name)
{
    bool alike = false;
    int annotations = document_member(d, layer, SLICE("annotations"), &alike);
    return document_member(d, annotations, name, &alike);
}

int layer_title(const struct document *d, int layer)
{
    return layer_annotation(d, layer, SLICE("org.opencontainers.image.title"));
}

/* ---- One title ------------------------------------------------------------------------------- */

/* Those of ASCII and of Latin 1, which some terminals obey as well, and those of Unicode that end a line or turn the
 * direction of what follows: "\u202egnp.exe" is displayed as "exe.png". */
static bool is_control_character(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool has_control_character(struct slice raw)
{
    uint32_t c;
    while (json_character(&raw, &c))
        if (is_control_character(c))
            return true;
    return false;
}

static bool is_component(struct slice s)
{
    return s.size && !slice_equal(s, SLICE(".")) && !slice_equal(s, SLICE("..")) &&
           !slice_starts(s, SLICE(".regtag-"));
}

/* NULL, or what is wrong with it. */
static const char *title_problem(const struct document *d, int title)
{
    char text[REGTAG_TITLE_MAX];
    struct writer w = writer_to(text, sizeof text);
    if (!document_write(d, title, &w))
        return w.overflow ? "is too long for a file's name" : "is not a text";
    if (has_control_character(document_string(d, title)))
        return "has a control character in it";
    struct slice rest = written(&w);
    do
        if (!is_component(slice_split(&rest, '/')))
            return "is not a plain file name; it could overwrite other files";
    while (rest.data);
    return NULL;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* A slash sorts first, so that a folder is followed at once by what is in it. */
static int compare_titles(const struct document *d, struct document_key one, struct document_key other)
{
    return document_compare(document_string(d, one.token), document_string(d, other.token), '/');
}

/* Whether `name` is a file where `other` needs a folder, or the same file. `other` does not sort first, so it cannot be the
 * beginning of `name`. */
static bool collides(const struct document *d, int name, int other)
{
    struct slice a = document_string(d, name), b = document_string(d, other);
    uint32_t x, y = '/';
    while (json_character(&a, &x)) {
        json_character(&b, &y);
        if (x != y)
            return false;
    }
    return !json_character(&b, &y) || y == '/';
}

/* Other clients take "Annotations" for the same member. */
static bool has_ambiguous_annotations(const struct document *d, int layer)
{
    bool alike = false;
    document_member(d, layer, SLICE("annotations"), &alike);
    return alike;
}

static bool refuse(const struct document *d, int title, const char *problem, struct error *e)
{
    error_set(e, REGTAG_E_REFUSED, "the title \"%.*s\" of a layer %s",
              SLICE_ARG(slice_head(document_string(d, title), 100)), problem);
    return false;
}

bool titles_check(const struct document *d, const struct document_memory *memory, struct error *e)
{
    size_t count = 0;
    for (int i = document_first(d, layers_of(d)); i != NO_VALUE; i = document_next(d, i)) {
        int title = layer_title(d, i);
        const char *problem = title == NO_VALUE ? NULL : title_problem(d, title);
        if (has_ambiguous_annotations(d, i))
            problem = "is ambiguous: its annotations are spelled in two ways";
        if (problem)
            return refuse(d, title, problem, e);
        if (title != NO_VALUE)
            memory->keys[count++] = (struct document_key){.token = title};
    }
    document_sort(d, memory->keys, count, compare_titles);
    for (size_t i = 1; i < count; i++)
        if (collides(d, memory->keys[i - 1].token, memory->keys[i].token))
            return refuse(d, memory->keys[i].token, "is another one's, too, or needs it as a folder", e);
    return true;
}
