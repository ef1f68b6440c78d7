/* Names of images as users write them: [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], with Docker's rules
 * (the "reference" grammar of distribution). Pure functions; all slices point into the caller's text. */
#ifndef REGTAG_OCI_REFERENCE_H
#define REGTAG_OCI_REFERENCE_H

#include "base/error.h"
#include "base/sizes.h"

struct reference {
    struct slice name;     /* as written, without tag and digest */
    struct slice registry; /* HOST[:PORT] as written; "docker.io" if there is none, or an alias of it */
    struct slice host;     /* of the server to connect to; an IPv6 address without brackets */
    unsigned port;         /* 0: none written */
    bool library;          /* "library/" is implied before the repository */
    struct slice repository; /* as written, without the implied "library/" */
    struct slice tag;        /* empty: none written */
    struct slice digest;     /* empty: none written */
};

/* False, and e set with REGTAG_E_USAGE, if the text is not valid; the message quotes it and says why. */
bool reference_parse(struct reference *r, struct slice text, struct error *e);

/* Whether s is a tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}. */
bool tag_valid(struct slice s);

/* The tag, or "latest" if there is neither a tag nor a digest. */
struct slice reference_tag(const struct reference *r);

/* The full name of the repository, with "library/". */
void write_repository(struct writer *w, const struct reference *r);

/* Whether a host is loopback, and so is reached over plain HTTP by default: localhost, 127.0.0.0/8,
 * ::1. */
bool host_is_loopback(struct slice host);

#endif
