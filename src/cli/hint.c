#include "cli/hint.h"

#include "cli/verb.h"

/* Advice that names a verb, or an option of some verbs, is given only where the build has them. */
#define IF_VERB(ids, words) (HAS_VERB(ids) ? (words) : "")

static const char *const WORDS[] = {
    [REGTAG_HINT_TIMEOUT] = "; --timeout sets the limit",
    [REGTAG_HINT_STALL] = "; --stall sets the limit",
    [REGTAG_HINT_SCHEME] = "; use --plain-http or --tls instead",
    [REGTAG_HINT_SCHEME_TLS] = "; try --tls",
    [REGTAG_HINT_SCHEME_PLAIN] = "; if it speaks plain HTTP, use --plain-http",
    [REGTAG_HINT_REALM] = "; if this is intended, use --allow-realm HOST:PORT",
    [REGTAG_HINT_PLATFORM] = IF_VERB(ONE_IMAGE, "; omit --platform"),
    [REGTAG_HINT_EXPECTED] = IF_VERB(CHANGING, "; --expect DIGEST|absent says where a tag must point"),
    [REGTAG_HINT_SIBLINGS] = IF_VERB(
        VERB_ID_DELETE, "; \"regtag delete --with-siblings --dry-run\" lists what would go with it"),
    [REGTAG_HINT_CA] = "; name its CA with --cacert",
    [REGTAG_HINT_CERTIFICATE] = "; see --cert and --key",
    [REGTAG_HINT_CLOCK] = "; set the clock, or use --time-floor",
    [REGTAG_HINT_CHOOSE] = "; choose one with --platform",
    [REGTAG_HINT_ADDRESS] = "; to supply its address, use --resolve HOST:PORT:ADDRESS",
    [REGTAG_HINT_CREDENTIALS] = "; use --user NAME with --password-stdin, or --authfile FILE",
};

#define NAME_MAX 100  /* how much of a host is shown */
#define WORDS_MAX 600 /* with a repository at a host */

/* The message begins with the reference. */
static void write_host_words(struct writer *w, struct slice message)
{
    struct slice first = slice_head(slice_split(&message, '/'), NAME_MAX);
    write_format(
        w,
        "; \"%.*s\" was taken for part of a name on Docker Hub; if it is a host, write \"%.*s:443/...\"",
        SLICE_ARG(first), SLICE_ARG(first));
}

/* The reference ends with a tag or a digest. */
static void write_list_words(struct writer *w, struct slice message)
{
    struct slice name = slice_head(message, slice_find(message, ' ') - 1); /* a ':' follows it */
    size_t size = slice_find(name, '@');
    if (size == name.size)
        while (size && name.data[--size] != ':')
            ;
    write_format(w, "; \"regtag ls %.*s\" lists the tags", SLICE_ARG(slice_head(name, size)));
}

const char *hint_message(const char *message, int hint)
{
    static char text[ERROR_TEXT_MAX];
    char words[WORDS_MAX];
    struct writer w = writer_to(text, sizeof text - 1), h = writer_to(words, sizeof words);
    bool stays = HAS_VERB(VERB_ID_UNDO) && hint == HINT_TAG_STAYS;
    if (!stays && (hint <= REGTAG_HINT_NONE || hint > REGTAG_HINT_CHOOSE))
        return message;
    if (stays)
        write_text(&h,
                   "; the tag stays, because deleting the manifest would delete its other tags as well");
    else if (hint == REGTAG_HINT_HOST)
        write_host_words(&h, slice_of(message));
    else if (HAS_VERB(VERB_ID_LS) && hint == REGTAG_HINT_LIST)
        write_list_words(&h, slice_of(message));
    else
        write_text(&h, WORDS[hint]);
    write_format(&w, "%.*s%.*s", SLICE_ARG(slice_head(slice_of(message), w.size - h.used)),
                 SLICE_ARG(written(&h)));
    text[w.used] = '\0';
    return text;
}
