/* Who may look into our memory. */
#ifndef REGTAG_NET_HIDE_H
#define REGTAG_NET_HIDE_H

/* To be called before a secret is read. From then on nobody but root can trace the process, and no core file is
 * written, nor piped to a program, as core_pattern may say, whatever RLIMIT_CORE is. Children that run another
 * program are as they would be without. */
void hide_memory(void);

#endif
