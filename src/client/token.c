#include "client/token.h"

#include <string.h>

static bool broken(struct token_answer *t, const char *problem)
{
    t->problem = problem;
    return false;
}

static void keep_key(struct token_answer *t, struct slice text)
{
    if (t->key_size <= sizeof t->key && text.size <= sizeof t->key - t->key_size)
        memcpy(t->key + t->key_size, text.data, text.size);
    t->key_size += text.size;
}

/* The end of a key: its value may be a token. If both names occur, "token" wins over "access_token". */
static bool end_key(struct token_answer *t)
{
    struct slice key = {t->key, t->key_size <= sizeof t->key ? t->key_size : 0};
    bool better = slice_equal(key, SLICE("token"));
    bool access = slice_equal(key, SLICE("access_token"));
    t->key_size = 0;
    if ((better && t->had_token) || (access && t->had_access_token))
        return broken(t, "it contains a token twice");
    t->had_token = t->had_token || better;
    t->had_access_token = t->had_access_token || access;
    t->in_expiry = slice_equal(key, SLICE("expires_in"));
    t->wanted = better || (access && !t->found);
    t->begun = false;
    return true;
}

static bool keep_token(struct token_answer *t, struct slice text)
{
    if (!t->begun) /* replaces the other one only now, as this one might have been null or empty */
        t->size = 0;
    t->begun = true;
    if (text.size > TOKEN_MAX - t->size)
        return broken(t, "its token is longer than 16 KiB");
    memcpy(t->token + t->size, text.data, text.size);
    t->size += text.size;
    return true;
}

static bool text_part(struct token_answer *t, struct slice text)
{
    if (t->json.depth != 1)
        return true;
    if (t->json.in_key)
        keep_key(t, text);
    return t->json.in_key || !t->wanted || keep_token(t, text);
}

/* Any event other than JSON_TEXT: a string ends, or another value begins or ends. */
static bool other_value(struct token_answer *t, enum json_event event)
{
    unsigned depth = t->json.depth - (event == JSON_OBJECT || event == JSON_ARRAY);
    if (depth == 0 && event != JSON_OBJECT && event != JSON_CLOSE)
        return broken(t, "it is not a JSON object");
    if (depth != 1 || event == JSON_CLOSE)
        return true;
    if (event == JSON_STRING && t->json.in_key)
        return end_key(t);
    if (t->wanted && event != JSON_STRING && !(event == JSON_SCALAR && t->json.scalar == 'n'))
        return broken(t, "its token is not a string");
    t->found = t->found || (t->wanted && t->begun);
    t->wanted = false;
    return true;
}

bool token_answer_take(struct token_answer *t, struct slice in)
{
    struct slice text = {NULL, 0};
    while (!t->problem) {
        enum json_event event = json_next(&t->json, &in, &text);
        if (event == JSON_MORE)
            return true;
        if (t->in_number)
            t->expires_in = t->json.whole;
        t->in_number = t->in_expiry && event == JSON_SCALAR && is_digit(t->json.scalar);
        t->in_expiry = false;
        if (event == JSON_BROKEN)
            return broken(t, t->json.problem);
        if (event == JSON_TEXT)
            text_part(t, text);
        else
            other_value(t, event);
    }
    return false;
}

/* The token goes into a header, so allow only visible ASCII; real tokens go beyond RFC 6750, 2.1. */
static bool can_be_sent(const struct token_answer *t)
{
    for (size_t i = 0; i < t->size; i++)
        if (t->token[i] <= ' ' || t->token[i] > '~')
            return false;
    return t->size > 0;
}

bool token_answer_end(struct token_answer *t)
{
    if (!t->problem && !json_end(&t->json))
        broken(t, t->json.problem);
    if (!t->problem && !t->found)
        broken(t, "it contains no token");
    if (!t->problem && !can_be_sent(t))
        broken(t, "its token contains characters that are not allowed");
    t->token[t->size] = '\0';
    return t->problem == NULL;
}
