#include "registry/tag_list.h"

#include <string.h>

#include "base/debug.h"

static enum tag_list_event broken(struct tag_list *t, const char *problem)
{
    t->problem = problem;
    return TAG_LIST_BROKEN;
}

/* Store as much of a top-level key or a list entry as fits. */
static void keep(struct tag_list *t, struct slice text)
{
    if (t->size < TAG_MAX)
        memcpy(t->name + t->size, text.data,
               text.size < TAG_MAX - t->size ? text.size : TAG_MAX - t->size);
    t->size += text.size;
}

/* Terminates the stored name; the next call of keep() starts a new one. */
static struct slice end_name(struct tag_list *t)
{
    struct slice name = {t->name, t->size};
    t->name[t->size < TAG_MAX ? t->size : TAG_MAX] = '\0';
    t->size = 0;
    return name;
}

static enum tag_list_event key(struct tag_list *t)
{
    t->tags_next = slice_equal(end_name(t), SLICE("tags"));
    if (t->tags_next && t->had_tags)
        return broken(t, "it contains \"tags\" twice");
    t->had_tags = t->had_tags || t->tags_next;
    return TAG_LIST_MORE;
}

static enum tag_list_event entry(struct tag_list *t, enum json_event event)
{
    struct slice name = end_name(t);
    return event == JSON_STRING && tag_valid(name) ? TAG_LIST_TAG : TAG_LIST_OTHER;
}

/* The value of a top-level key begins. */
static enum tag_list_event member(struct tag_list *t, enum json_event event)
{
    bool is_null = event == JSON_SCALAR && t->json.scalar == 'n';
    if (t->tags_next && event != JSON_ARRAY && !is_null)
        return broken(t, "its \"tags\" is not a list");
    t->in_tags = t->tags_next && event == JSON_ARRAY;
    t->tags_next = false;
    return TAG_LIST_MORE;
}

/* Translates a JSON event; `depth` is the nesting level of its value. */
static enum tag_list_event meaning(struct tag_list *t, enum json_event event, struct slice text)
{
    unsigned depth = t->json.depth - (event == JSON_OBJECT || event == JSON_ARRAY);
    if (depth == 0 && event != JSON_OBJECT && event != JSON_CLOSE)
        return broken(t, "it is not a JSON object");
    if (event == JSON_TEXT) {
        if ((depth == 1 && t->json.in_key) || (depth == 2 && t->in_tags))
            keep(t, text);
        return TAG_LIST_MORE;
    }
    if (event == JSON_CLOSE) {
        t->in_tags = t->in_tags && depth >= 2;
        return TAG_LIST_MORE;
    }
    if (depth == 1)
        return event == JSON_STRING && t->json.in_key ? key(t) : member(t, event);
    return depth == 2 && t->in_tags ? entry(t, event) : TAG_LIST_MORE;
}

enum tag_list_event tag_list_take(struct tag_list *t, struct slice *in)
{
    enum tag_list_event result = TAG_LIST_MORE;
    struct slice text = {NULL, 0};
    REQUIRE(!t->problem);
    while (result == TAG_LIST_MORE) {
        enum json_event event = json_next(&t->json, in, &text);
        if (event == JSON_MORE)
            break;
        result = event == JSON_BROKEN ? broken(t, t->json.problem) : meaning(t, event, text);
    }
    return result;
}

bool tag_list_end(struct tag_list *t)
{
    REQUIRE(!t->problem); /* a broken list is not read any further */
    if (!json_end(&t->json))
        t->problem = t->json.problem;
    else if (!t->had_tags)
        t->problem = "it contains no \"tags\"";
    return t->problem == NULL;
}
