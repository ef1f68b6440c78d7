#define JSMN_STRICT
#define JSMN_STATIC
#include "oci/document.h"

#include <limits.h>

#include "base/debug.h"
#include "regtag.h"

/* ---- Duplicate keys: sorting by object, hash and characters makes them neighbours ------------- */

/* Up to so many keys in an object, as in a descriptor, sorting is not worth it. */
#define FEW_KEYS 8

static struct slice token_text(const struct document *d, int token)
{
    const jsmntok_t *t = &d->tokens[token];
    return (struct slice){d->text.data + t->start, (size_t)(t->end - t->start)};
}

/* The first token after a value and everything inside it. */
static int token_after(const struct document *d, int value)
{
    int end = d->tokens[value].end;
    int next = value + 1;
    while (next < d->count && d->tokens[next].start < end)
        next++;
    return next;
}

static bool is_key(const struct document *d, int token)
{
    const jsmntok_t *t = &d->tokens[token];
    return t->type == JSMN_STRING && t->parent >= 0 && d->tokens[t->parent].type == JSMN_OBJECT;
}

/* FNV-1a over the characters. It only makes sorting cheap: the text decides about equality. */
static uint32_t key_hash(struct slice raw)
{
    uint32_t hash = 2166136261u, c;
    while (json_character(&raw, &c))
        hash = (hash ^ c) * 16777619u;
    return hash;
}

int document_compare(struct slice a, struct slice b, uint32_t lowest)
{
    uint32_t x, y;
    for (;;) {
        bool more_a = json_character(&a, &x), more_b = json_character(&b, &y);
        if (!more_a || !more_b)
            return more_a - more_b;
        if (x != y)
            return x == lowest || (y != lowest && x < y) ? -1 : 1;
    }
}

static int compare_keys(const struct document *d, struct document_key a, struct document_key b)
{
    int object_a = d->tokens[a.token].parent, object_b = d->tokens[b.token].parent;
    if (object_a != object_b)
        return object_a < object_b ? -1 : 1;
    if (a.hash != b.hash)
        return a.hash < b.hash ? -1 : 1;
    return document_compare(token_text(d, a.token), token_text(d, b.token), NO_CHARACTER);
}

/* Moves the key at `root` down to its place in the heap keys[0..count). */
static void sift_down(const struct document *d, struct document_key *keys, size_t root, size_t count,
                      document_order compare)
{
    struct document_key sinking = keys[root];
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count)
            break;
        if (child + 1 < count && compare(d, keys[child], keys[child + 1]) < 0)
            child++;
        if (compare(d, sinking, keys[child]) >= 0)
            break;
        keys[root] = keys[child];
        root = child;
    }
    keys[root] = sinking;
}

void document_sort(const struct document *d, struct document_key *keys, size_t count,
                   document_order compare)
{
    for (size_t root = count / 2; root-- > 0;)
        sift_down(d, keys, root, count, compare);
    for (size_t end = count; end > 1; end--) {
        struct document_key largest = keys[0];
        keys[0] = keys[end - 1];
        keys[end - 1] = largest;
        sift_down(d, keys, 0, end - 1, compare);
    }
}

/* In an object with few keys each is compared with those before it. */
static int duplicate_among_few(const struct document *d, int object)
{
    struct document_key few[FEW_KEYS];
    int count = d->tokens[object].size, key = object + 1;
    for (int i = 0; i < count; i++) {
        few[i] = (struct document_key){key, key_hash(token_text(d, key))};
        for (int before = 0; before < i; before++)
            if (compare_keys(d, few[before], few[i]) == 0)
                return key;
        key = token_after(d, key + 1);
    }
    return NO_VALUE;
}

/* The keys of all larger objects, sorted together. */
static int duplicate_among_many(const struct document *d, struct document_key *keys)
{
    size_t count = 0;
    for (int i = 0; i < d->count; i++)
        if (is_key(d, i) && d->tokens[d->tokens[i].parent].size > FEW_KEYS)
            keys[count++] = (struct document_key){i, key_hash(token_text(d, i))};
    document_sort(d, keys, count, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (compare_keys(d, keys[i - 1], keys[i]) == 0)
            return keys[i].token;
    return NO_VALUE;
}

/* A key that its object has twice, or NO_VALUE. */
static int duplicate_key(const struct document *d, struct document_key *keys)
{
    for (int i = 0; i < d->count; i++) {
        bool few = d->tokens[i].type == JSMN_OBJECT && d->tokens[i].size <= FEW_KEYS;
        int key = few ? duplicate_among_few(d, i) : NO_VALUE;
        if (key != NO_VALUE)
            return key;
    }
    return duplicate_among_many(d, keys);
}

/* ---- The index ------------------------------------------------------------------------------- */

bool document_scan_take(struct document_scan *s, struct slice part, unsigned tokens_max)
{
    struct slice text;
    while (s->values <= tokens_max) {
        enum json_event event = json_next(&s->json, &part, &text);
        if (event == JSON_MORE || event == JSON_BROKEN)
            return event == JSON_MORE;
        s->values += event != JSON_TEXT && event != JSON_CLOSE;
    }
    return false;
}

/* The count stays below 1 if there are more than the memory is for. */
static void find_values(struct document *d, struct slice text, const struct document_memory *memory)
{
    jsmn_parser parser;
    jsmn_init(&parser);
    *d = (struct document){.text = text, .tokens = memory->tokens};
    d->count = jsmn_parse(&parser, text.data, text.size, memory->tokens, memory->tokens_max);
}

void document_index_again(struct document *d, struct slice text, const struct document_memory *memory)
{
    find_values(d, text, memory);
    REQUIRE(d->count >= 1);
}

bool document_index_scanned(struct document *d, struct slice text, struct document_scan *s,
                            const struct document_memory *memory, const char *what, struct error *e)
{
    bool fits = s->values <= memory->tokens_max;
    if (fits) /* else not all of it was taken */
        json_end(&s->json);
    if (s->json.problem) {
        error_set(e, REGTAG_E_REFUSED, "%s is not valid JSON at byte %llu: %s", what,
                  (unsigned long long)s->json.offset, s->json.problem);
        return false;
    }

    if (fits)
        find_values(d, text, memory);
    REQUIRE(!fits || d->count < 1 || d->count == (int)s->values);
    if (!fits || d->count < 1) {
        error_set(e, REGTAG_E_REFUSED,
                  "%s has more than %u JSON values and keys, the limit of this build", what,
                  memory->tokens_max);
        return false;
    }

    int key = duplicate_key(d, memory->keys);
    if (key != NO_VALUE) {
        error_set(e, REGTAG_E_REFUSED, "%s has the key \"%.*s\" twice in one object", what,
                  SLICE_ARG(slice_head(token_text(d, key), 100)));
        return false;
    }
    return true;
}

bool document_index(struct document *d, struct slice text, const struct document_memory *memory,
                    const char *what, struct error *e)
{
    struct document_scan s = {0};
    document_scan_take(&s, text, UINT_MAX);
    json_end(&s.json);
    return document_index_scanned(d, text, &s, memory, what, e);
}

static bool is_type(const struct document *d, int value, jsmntype_t type)
{
    return value != NO_VALUE && d->tokens[value].type == type;
}

bool document_is_object(const struct document *d, int value)
{
    return is_type(d, value, JSMN_OBJECT);
}

bool document_is_array(const struct document *d, int value)
{
    return is_type(d, value, JSMN_ARRAY);
}

bool document_is_string(const struct document *d, int value)
{
    return is_type(d, value, JSMN_STRING);
}

bool document_is_null(const struct document *d, int value)
{
    return is_type(d, value, JSMN_PRIMITIVE) && slice_equal(token_text(d, value), SLICE("null"));
}

struct slice document_string(const struct document *d, int value)
{
    return document_is_string(d, value) ? token_text(d, value) : SLICE("");
}

struct slice document_number(const struct document *d, int value)
{
    struct slice s = is_type(d, value, JSMN_PRIMITIVE) ? token_text(d, value) : SLICE("");
    return s.size && (is_digit(s.data[0]) || s.data[0] == '-') ? s : SLICE("");
}

int document_first(const struct document *d, int array)
{
    return array != NO_VALUE && d->tokens[array].size > 0 ? array + 1 : NO_VALUE;
}

/* The next value with this parent, or NO_VALUE. */
static int next_sibling(const struct document *d, int value, int parent)
{
    int next = token_after(d, value);
    return next < d->count && d->tokens[next].parent == parent ? next : NO_VALUE;
}

int document_next(const struct document *d, int value)
{
    return next_sibling(d, value, d->tokens[value].parent);
}

/* As Go's encoding/json does: ASCII letters, and the two other characters that fold to one. */
static uint32_t fold(uint32_t c)
{
    if (c == 0x17f) /* long s */
        return 's';
    if (c == 0x212a) /* Kelvin sign */
        return 'k';
    return c < 0x80 ? (uint32_t)to_lower((char)c) : c;
}

enum likeness { DIFFERENT, ALIKE, SAME };

static enum likeness compare_name(struct slice raw, struct slice name)
{
    enum likeness likeness = SAME;
    uint32_t c;
    size_t i = 0;
    for (; json_character(&raw, &c); i++) {
        uint32_t expected = i < name.size ? (unsigned char)name.data[i] : 0;
        if (c == expected && c != 0)
            continue;
        if (fold(c) != fold(expected) || expected == 0)
            return DIFFERENT;
        likeness = ALIKE;
    }
    return i == name.size ? likeness : DIFFERENT;
}

bool document_is_text(const struct document *d, int value, struct slice text)
{
    return document_is_string(d, value) && compare_name(token_text(d, value), text) == SAME;
}

static void write_utf8(struct writer *w, uint32_t c)
{
    unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes after the first */
    static const unsigned char FIRST[] = {0, 0xc0, 0xe0, 0xf0};
    write_char(w, (char)(FIRST[more] | c >> 6 * more));
    while (more-- > 0)
        write_char(w, (char)(0x80 | (c >> 6 * more & 0x3f)));
}

bool document_write(const struct document *d, int value, struct writer *w)
{
    struct slice raw = document_string(d, value);
    uint32_t c;
    while (json_character(&raw, &c)) {
        if (c >= 0xd800 && c <= 0xdfff)
            return false;
        write_utf8(w, c);
    }
    return document_is_string(d, value) && !w->overflow;
}

int document_first_key(const struct document *d, int object)
{
    return document_is_object(d, object) ? document_first(d, object) : NO_VALUE;
}

/* A key is followed by its value, and the value by the next key. */
int document_next_key(const struct document *d, int key)
{
    return next_sibling(d, key + 1, d->tokens[key].parent);
}

int document_member(const struct document *d, int object, struct slice name, bool *alike)
{
    int value = NO_VALUE;
    for (int key = document_first_key(d, object); key != NO_VALUE; key = document_next_key(d, key)) {
        enum likeness likeness = compare_name(token_text(d, key), name);
        if (likeness == SAME)
            value = key + 1;
        else if (likeness == ALIKE)
            *alike = true;
    }
    return value;
}
