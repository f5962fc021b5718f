/* Delivery status notifications (RFC 3464, RFC 6522): what a report is about, and its parts.
 *
 * request.c receives; policy.c decides who hears what; compose.c writes the message; status.c the
 * machine-readable part; original.c returns the message. */
#ifndef POSTERN_BOUNCE_REPORT_H
#define POSTERN_BOUNCE_REPORT_H

#include "ipc/cleanup.h"
#include "ipc/notify.h"
#include "mail/bouncetext.h"

struct report_rcpt {
	struct ipc_deliver_rcpt rcpt;
	struct ipc_rcpt_status status;
};
struct report {
	struct arena arena; /* all slices */
	struct ipc_notify m;
	struct ipc_env_attr *attrs;
	size_t nattrs;
	struct report_rcpt *rcpts;
	size_t nrcpts, cap;
	enum bounce_text_kind text;
};

/* request.c: serves qmgr. May wait. */
void request_serve(struct stream *client, const struct hostaddr *peer);

/* policy.c: makes the notifications that are due. 0; -1 and err: try again later. May wait. */
int policy_notify(struct report *r, struct err *err);

/* compose.c: one notification to one address. headers_only: the message is returned without its
 * body; copy: it is a copy for the postmaster. what is the log's word: "sender non-delivery
 * notification". 0, or -1 and err. May wait. */
struct notification {
	str to;
	const char *from; /* envelope sender: "" or the double-bounce address */
	bool headers_only, copy;
	const char *what;
};
int compose_send(struct report *r, const struct notification *n, struct err *err);

/* status.c: the message/delivery-status part. */
void status_part(struct report *r, struct cleanup *c);
/* original.c: the part that returns the message. -1 and err: it cannot be read. */
int original_part(
    struct report *r, struct cleanup *c, bool headers_only, const char *boundary, struct err *err);

#endif
