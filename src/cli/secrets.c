#include "cli/secrets.h"

#include <string.h>

#include "base/wipe.h"

#define TEXT_OF(number) #number
#define LONGER_THAN(max) "is longer than " TEXT_OF(max) " bytes"
#define FIELD(name, member, max)                                                                        \
    {                                                                                                   \
        name, offsetof(struct credentials, member), max, LONGER_THAN(max)                               \
    }

static const struct field {
    const char *name;
    size_t at, max;
    const char *too_long;
} FIELDS[] = {
    [SECRET_USER] = FIELD("user name", user, REGTAG_USER_MAX),
    [SECRET_PASSWORD] = FIELD("password", password, REGTAG_PASSWORD_MAX),
    [SECRET_IDENTITY_TOKEN] = FIELD("identity token", identity_token, REGTAG_TOKEN_MAX),
    [SECRET_REGISTRY_TOKEN] = FIELD("registry token", registry_token, REGTAG_TOKEN_MAX),
};

static char *field_text(struct credentials *c, enum secret which)
{
    return (char *)c + FIELDS[which].at;
}

static void wipe_text(char *text)
{
    wipe(text, strlen(text));
}

void credentials_wipe(struct credentials *c)
{
    wipe_text(c->source);
    wipe_text(c->unavailable);
    wipe_text(c->user);
    wipe_text(c->password);
    wipe_text(c->identity_token);
    wipe_text(c->registry_token);
}

bool credentials_any(const struct credentials *c)
{
    return *c->user || *c->identity_token || *c->registry_token;
}

const char *secret_name(enum secret which)
{
    return FIELDS[which].name;
}

struct writer secret_begin(struct credentials *c, enum secret which)
{
    wipe_text(field_text(c, which));
    return writer_to(field_text(c, which), FIELDS[which].max);
}

/* NULL, or why it cannot be sent (RFC 7617, 2; RFC 6749, A.17; RFC 6750, 2.1). A password may be a whole
 * file in JSON, line ends included. */
static const char *bad_character(unsigned char c, enum secret which)
{
    if (c == '\0')
        return "contains a NUL";
    if (which == SECRET_PASSWORD)
        return NULL;
    if (c < ' ' || c == 0x7f)
        return "contains a control character, perhaps a line break";
    if (which == SECRET_USER)
        return c == ':' ? "contains a colon" : NULL;
    if (c > 0x7f || (c == ' ' && which == SECRET_REGISTRY_TOKEN))
        return "contains a space or a non-ASCII character";
    return NULL;
}

const char *secret_end(enum secret which, const struct writer *w)
{
    const char *problem = w->overflow ? FIELDS[which].too_long : NULL;
    for (size_t i = 0; i < w->used && !problem; i++)
        problem = bad_character((unsigned char)w->data[i], which);
    if (problem)
        wipe(w->data, w->used);
    else if (w->used)
        w->data[w->used] = '\0';
    return problem;
}

const char *secret_set(struct credentials *c, enum secret which, struct slice text)
{
    struct writer w = secret_begin(c, which);
    write_slice(&w, text);
    return secret_end(which, &w);
}

const char *secret_read(struct credentials *c, enum secret which, const struct document *d, int value)
{
    struct writer w = secret_begin(c, which);
    bool whole = document_write(d, value, &w) || w.overflow;
    const char *problem = secret_end(which, &w);
    return whole ? problem : "contains half a character";
}
