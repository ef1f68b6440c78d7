#include "cli/hint.h"

static const char *const WORDS[] = {
    [REGTAG_HINT_TIMEOUT] = "; --timeout sets the limit",
    [REGTAG_HINT_STALL] = "; --stall sets the limit",
    [REGTAG_HINT_SCHEME] = "; --plain-http and --tls choose",
    [REGTAG_HINT_SCHEME_TLS] = "; try --tls",
    [REGTAG_HINT_SCHEME_PLAIN] = "; --plain-http is for one that speaks none",
    [REGTAG_HINT_REALM] = "; --allow-realm HOST:PORT if that is meant",
    [REGTAG_HINT_PLATFORM] = "; leave --platform out",
    [REGTAG_HINT_EXPECTED] = "; --expect DIGEST says where a tag must point",
    [REGTAG_HINT_SIBLINGS] = "; \"regtag delete --with-siblings\" does that",
    [REGTAG_HINT_LIST] = "; \"regtag ls\" lists the tags of a repository",
    [REGTAG_HINT_CA] = "; --cacert names one",
    [REGTAG_HINT_CERTIFICATE] = "; see --cert and --key",
    [REGTAG_HINT_CLOCK] = "; set the clock, or tell regtag a time that is over with --time-floor",
};

#define WORDS_MAX 100 /* bytes kept free for them */

const char *hint_message(const char *message, int hint)
{
    static char text[ERROR_TEXT_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    if (hint <= REGTAG_HINT_NONE || hint > REGTAG_HINT_CLOCK)
        return message;
    write_format(&w, "%.*s%s", SLICE_ARG(slice_head(slice_of(message), sizeof text - WORDS_MAX)),
                 WORDS[hint]);
    text[w.used] = '\0';
    return text;
}
