/* What to do with an answer whose header is there, x->response: the part of exchange.c that decides, and changes nothing
 * but what is known of the registry. */
#ifndef REGTAG_CLIENT_EXCHANGE_USE_H
#define REGTAG_CLIENT_EXCHANGE_USE_H

#include "client/exchange.h"

/* Traces its header; remote_tell masks any secrets that it echoes. */
void exchange_trace_answer(const struct exchange *x);

/* Whether such a request may be answered with its status: GET and HEAD have no other success than 200, but for those that
 * ask for it. */
bool exchange_answer_fits(const struct exchange *x);

enum answer_use exchange_use_of_answer(const struct exchange *x);

#endif
