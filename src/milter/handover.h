/* A chain goes from smtpd to cleanup for the end of its message: the descriptors are shared, the
 * state is copied. smtpd asks nothing until cleanup has answered. */
#ifndef POSTERN_MILTER_HANDOVER_H
#define POSTERN_MILTER_HANDOVER_H

#include "milter/milter.h"

/* Everything a chain is, without its descriptors, as bytes for an IPC message (CLEANUP_MILTER). The
 * values of all macros that the milters want to see with the content are in it, as the macro
 * callback gives them now. */
void milter_chain_pack(struct milter_chain *c, struct buf *out);
/* The descriptors that go with it, in order; at most max; returns how many. */
size_t milter_chain_fds(const struct milter_chain *c, int *fds, size_t max);
/* On the other side; takes over fds. macro (may be NULL) is asked before the values that came
 * along. NULL and err when the bytes make no sense (fds are closed). */
struct milter_chain *milter_chain_unpack(
    str packed, const int *fds, size_t nfds, milter_macro macro, void *ctx, struct err *err);
/* cleanup, when it is done: lets go of the connections without ending them, and frees c. state (for
 * the answer to smtpd; appended) says which milters are lost. */
void milter_chain_release(struct milter_chain *c, struct buf *state);
/* smtpd, when cleanup has answered, with that state; empty: cleanup is lost, and so are they. */
void milter_chain_resume(struct milter_chain *c, str state);

#endif
