/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* Private to the files of src/embed: how a connection is established, and what to say when it is not. */
#ifndef REGTAG_CONNECT_H
#define REGTAG_CONNECT_H

#include "regtag_sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SOCKET_CLOSED,
    SOCKET_NAMING,
    SOCKET_DIALING,
    SOCKET_TUNNEL,
    SOCKET_HANDSHAKE,
    SOCKET_OPEN,
    SOCKET_FAILED
};

/* Begins to connect, after closing what was there. */
void regtag_socket_open(struct regtag_sockets *s, struct regtag_socket *c,
                        const struct regtag_origin *origin);

/* Continues with a connection that is not up yet; does nothing with others. */
void regtag_socket_go_on(struct regtag_sockets *s, struct regtag_socket *c);

/* May be called in any state. */
void regtag_socket_close(struct regtag_sockets *s, struct regtag_socket *c);

/* Adds to the text in text[0..room), as much as there is room for. */
void regtag_text_add(char *text, size_t room, const char *more);
void regtag_text_add_number(char *text, size_t room, unsigned number);

/* Writes that the connection was lost, and why: an errno. */
void regtag_text_loss(char *text, size_t room, int error);

/* Why it has failed, or else what it was waiting for. */
void regtag_socket_describe(struct regtag_socket *c, struct regtag_failure *f);

#ifdef __cplusplus
}
#endif

#endif
