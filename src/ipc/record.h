/* Inside src/ipc: a recipient's fate as it is logged and told to qmgr. */
#ifndef POSTERN_IPC_RECORD_H
#define POSTERN_IPC_RECORD_H

#include "ipc/deliver.h"

struct record { /* after the filter and soft_bounce */
	enum rcpt_kind kind;
	bool soft; /* a bounce made soft */
	bool probe;
	char dsn[16];
	struct buf reason;
	int64_t now_us;
};
/* May wait (filter). */
void record_make(struct record *rec, const struct delivery *d, const struct fate *f);
void record_log(const struct record *rec, const struct delivery *d, const struct delivery_rcpt *r,
    const struct fate *f);
/* Slices of *st point into rec and f. */
void record_status(const struct record *rec, const struct delivery_rcpt *r, const struct fate *f,
    struct ipc_rcpt_status *st);
void record_free(struct record *rec);

#endif
