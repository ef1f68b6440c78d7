/* Writes requests of HTTP/1.1. */
#ifndef REGTAG_HTTP_REQUEST_H
#define REGTAG_HTTP_REQUEST_H

#include "base/writer.h"

/* METHOD TARGET HTTP/1.1 and the Host field. An empty target means "/". If `proxied`, an authority, is
 * not empty, the request is for a proxy: its target follows "http://" and that. A control character or
 * space poisons the writer. */
void write_request(struct writer *w, const char *method, struct slice proxied, struct slice target,
                   struct slice authority);

/* One header line. A value that could end the line early poisons the writer. */
void write_field(struct writer *w, const char *name, struct slice value);

/* The empty line. */
void write_fields_end(struct writer *w);

#endif
