/* TLS, by whichever of tls_*.c was chosen when the program was built. */
#ifndef REGTAG_NET_TLS_H
#define REGTAG_NET_TLS_H

/* NULL, or in one sentence why this build cannot speak TLS and what to do. */
const char *tls_missing(void);

#endif
