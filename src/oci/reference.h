/* Names of images as users write them: [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], with Docker's rules
 * (the "reference" grammar of distribution). Pure functions; all slices point into the caller's text. */
#ifndef REGTAG_OCI_REFERENCE_H
#define REGTAG_OCI_REFERENCE_H

#include "base/error.h"
#include "base/sizes.h"

struct reference {
    struct slice name;       /* as written, without tag and digest: what goes before ":NAME" */
    struct slice registry;   /* HOST[:PORT] as written, or "docker.io" where none or its alias is */
    struct slice host;       /* of the server that is spoken to; an IPv6 address without brackets */
    unsigned port;           /* 0: none written */
    bool library;            /* "library/" is implied before the repository */
    struct slice repository; /* as written, without the implied "library/" */
    struct slice tag;        /* empty: none written */
    struct slice digest;     /* empty: none written */
};

/* Takes the text of a reference apart. False, and e set with REGTAG_USAGE, when it is none; the
 * message quotes the text and says what is wrong with it. */
bool reference_parse(struct reference *r, struct slice text, struct error *e);

/* Whether s is a tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}. */
bool tag_valid(struct slice s);

/* The tag that is meant: "latest" where neither a tag nor a digest is written, else the written one. */
struct slice reference_tag(const struct reference *r);

/* The repository's full name, "library/" included. */
void write_repository(struct writer *w, const struct reference *r);

/* Whether a host is the machine itself, and so is spoken to in plain HTTP unless told otherwise:
 * localhost, 127.0.0.0/8, ::1. */
bool host_is_loopback(struct slice host);

#endif
