#include "oci/schema_version.h"

static const struct slice NAME = SLICE_INIT("schemaVersion");

static void key_part(struct schema_version *v, struct slice text)
{
    bool matches = slice_starts(slice_from(NAME, v->matched), text);
    v->matched = matches ? v->matched + text.size : NAME.size + 1;
}

void schema_version_take(struct schema_version *v, struct slice part)
{
    struct slice text;
    enum json_event event;
    while ((event = json_next(&v->json, &part, &text)) != JSON_MORE && event != JSON_BROKEN) {
        bool key = v->json.depth == 1 && v->json.in_key && (event == JSON_TEXT || event == JSON_STRING);
        if (key && event == JSON_TEXT)
            key_part(v, text);
        if (key)
            continue;
        if (event == JSON_SCALAR && v->matched == NAME.size)
            v->is_2 = v->json.scalar == '2';
        v->matched = 0;
    }
}

bool schema_version_is_2(struct schema_version *v)
{
    return json_end(&v->json) && v->is_2;
}
