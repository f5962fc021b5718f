/* Delivery status notifications (RFC 3464, RFC 6522, RFC 6533): what a report is about, and its
 * parts.
 *
 * request.c receives; policy.c decides who hears what; compose.c writes the message: text.c the
 * part for people, status.c the one for machines, original.c returns the message. */
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
	struct report_rcpt *rcpts;
	size_t nrcpts, cap;
	enum bounce_text_kind text;
};

/* request.c: serves qmgr. May wait. */
void request_serve(struct stream *client, const struct hostaddr *peer);

/* policy.c: makes the notifications that are due. 0; -1 and err: try again later. May wait. */
int policy_notify(struct report *r, struct err *err);

/* compose.c: one notification to one address. 0, or -1 and err. May wait. */
struct notification {
	str to;
	const char *from;  /* envelope sender: "" or the double-bounce address */
	bool headers_only; /* the message is returned without its body */
	bool postmaster;   /* a notice for the postmaster, without the text for people */
	const char *what;  /* the log's words: "sender non-delivery notification" */
};
int compose_send(struct report *r, const struct notification *n, struct err *err);
/* The message is SMTPUTF8: its report may be too (RFC 6533). */
bool report_is_global(const struct report *r);
/* What it says may not be ASCII, or need not be: with smtputf8_enable every report is declared
 * 8bit.
 */
bool report_is_eight_bit(const struct report *r, const struct notification *n);
/* Appends the external form of an address, fit for a line of text. */
void report_address(struct buf *out, str address);
/* The address a report names as the sender: the null sender has one too. Appended, external form.
 */
void report_sender(const struct report *r, struct buf *out);
/* Writes the line and empties it. Bytes with which it could be ended early do not come from outside
 * into a report: they become '?'. */
void report_line(struct cleanup *c, struct buf *line);
/* Writes text as one line of words, folded where it is long. */
void report_fold(struct cleanup *c, str text);

/* text.c */
/* Appends why, with the way it went where that is news. */
void report_reason(const struct report *r, const struct ipc_rcpt_status *st, struct buf *out);
/* Something in it is not ASCII. */
bool text_is_eight_bit(const struct report *r, const struct notification *n);
void text_part(const struct report *r, const struct notification *n, struct cleanup *c);

/* status.c: message/delivery-status, or message/global-delivery-status. */
void status_part(const struct report *r, struct cleanup *c);
/* Appends address as RFC 6533 3 has it in a report that is not itself UTF-8. */
void status_ascii_address(struct buf *out, str address);

/* original.c: the part that returns the message. -1 and err: it cannot be read. */
int original_part(const struct report *r, const struct notification *n, struct cleanup *c,
    bool headers_only, struct err *err);
bool original_is_eight_bit(const struct report *r);
/* enable_threaded_bounces: the message's Message-ID, with a space in front; appended. */
void original_thread(const struct report *r, struct buf *id);

#endif
