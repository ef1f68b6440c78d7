#include "client/mask.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"

static bool is_set(const char *text)
{
    return text && *text;
}

#define SECRET_KNOWN 8    /* mask from this many bytes of a secret on: the text may have been cut off */
#define SECRET_LOOKED 900 /* bytes to encode, or decode, in Base64 at a time: a multiple of 3 */

/* How many bytes at the beginning of the text are this character, which may be percent-encoded; or 0. */
static size_t character_size(struct slice text, char c, bool encoded)
{
    bool escape = encoded && text.size >= 3 && text.data[0] == '%' && hex_digit(text.data[2]) >= 0 &&
                  hex_digit(text.data[1]) * 16 + hex_digit(text.data[2]) == (unsigned char)c;
    return escape ? 3 : text.size && text.data[0] == c;
}

/* How many bytes at the beginning of the text are the secret's, which may be cut off after `least`; or 0. */
static size_t match_secret(struct slice text, struct slice secret, size_t least, bool encoded)
{
    size_t used = 0, same = 0, step = 1;
    while (same < secret.size && step) {
        step = character_size(slice_from(text, used), secret.data[same], encoded);
        used += step;
        same += step > 0;
    }
    return same >= least ? used : 0;
}

/* Overwrites each match of at least SECRET_KNOWN bytes, or of a whole secret of 3 to 7 bytes. Matches may overlap, so
 * nothing is overwritten that is still to be compared. */
void mask(struct slice secret, char *text, size_t size)
{
    size_t least = secret.size < SECRET_KNOWN ? secret.size : SECRET_KNOWN, until = 0;
    for (size_t i = 0; least >= 3 && i < size; i++) {
        struct slice rest = {text + i, size - i};
        size_t plain = match_secret(rest, secret, least, false),
               encoded = match_secret(rest, secret, least, true);
        size_t end = i + (plain > encoded ? plain : encoded);
        until = end > until ? end : until;
        if (i < until)
            text[i] = '*';
    }
}

/* "user:secret", as encoded for Basic: a part at a time, each of which ends with a digit of Base64. */
static void mask_basic(const char *user, const char *secret, char *text, size_t size)
{
    char login[SECRET_LOOKED], encoded[SECRET_LOOKED / 3 * 4];
    size_t colon = strlen(user), end = colon + 1 + strlen(secret);
    for (size_t at = 0; at < end;) {
        struct writer plain = writer_to(login, sizeof login),
                      base64 = writer_to(encoded, sizeof encoded);
        for (; at < end && plain.used < plain.size; at++)
            write_char(&plain, at < colon ? user[at] : at == colon ? ':' : secret[at - colon - 1]);
        write_base64(&base64, written(&plain));
        while (encoded[base64.used - 1] == '=')
            base64.used--;
        mask(written(&base64), text, size);
    }
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
