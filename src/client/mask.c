#include "client/mask.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"

static bool is_set(const char *text)
{
    return text && *text;
}

#define SECRET_KNOWN 8 /* mask from this many bytes of a secret on: the text may have been cut off */
/* bytes of "user:secret" to mask in Base64; enough, since no text is longer */
#define SECRET_LOOKED 900

/* Overwrites each match of at least SECRET_KNOWN bytes, or of a whole secret of 3 to 7 bytes. */
void mask(struct slice secret, char *text, size_t size)
{
    size_t least = secret.size < SECRET_KNOWN ? secret.size : SECRET_KNOWN;
    for (size_t i = 0; least >= 3 && i + least <= size; i++) {
        size_t same = 0;
        while (same < secret.size && i + same < size && text[i + same] == secret.data[same])
            same++;
        if (same >= least)
            memset(text + i, '*', same);
    }
}

/* "user:secret", as encoded for Basic. */
static void mask_basic(const char *user, const char *secret, char *text, size_t size)
{
    char login[SECRET_LOOKED], encoded[SECRET_LOOKED / 3 * 4];
    struct writer plain = writer_to(login, sizeof login), base64 = writer_to(encoded, sizeof encoded);
    write_format(&plain, "%s:%s", user, secret);
    write_base64(&base64, written(&plain));
    while (base64.used && encoded[base64.used - 1] == '=')
        base64.used--;
    mask(written(&base64), text, size);
    wipe(login, sizeof login);
    wipe(encoded, sizeof encoded);
}

void mask_credentials(const struct regtag_credentials *credentials, char *text, size_t size)
{
    const char *user = is_set(credentials->user) ? credentials->user : "<token>";
    struct slice lines = slice_of(credentials->password); /* an answer may repeat just one */
    while (lines.data)
        mask(slice_split(&lines, '\n'), text, size);
    mask(slice_of(credentials->identity_token), text, size);
    mask(slice_of(credentials->bearer_token), text, size);
    if (is_set(credentials->password))
        mask_basic(user, credentials->password, text, size);
    if (is_set(credentials->identity_token))
        mask_basic(user, credentials->identity_token, text, size);
}

void mask_encoded_login(struct slice basic, char *text, size_t size)
{
    char login[SECRET_LOOKED];
    struct slice decoded, user;
    struct slice head = slice_head(basic, SECRET_LOOKED / 3 * 4);
    while (head.size && head.data[head.size - 1] == '=')
        head.size--;
    mask(head, text, size);
    if (base64_decode(head, login, sizeof login, &decoded)) {
        user = slice_split(&decoded, ':');
        mask(decoded.data ? decoded : user, text, size);
    }
    wipe(login, sizeof login);
}
