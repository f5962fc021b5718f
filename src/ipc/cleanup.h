/* Client of the cleanup service: how a message enters the queue. Used by smtpd, pickup, bounce. */
#ifndef POSTERN_IPC_CLEANUP_H
#define POSTERN_IPC_CLEANUP_H

#include "ipc/msg.h"

enum { /* CLEANUP_BEGIN flags */
	CLEANUP_FLAG_BOUNCE_ON_ERROR =
	    1 << 0,			/* return the message instead of refusing it (pickup) */
	CLEANUP_FLAG_FILTER = 1 << 1,	/* header and body checks */
	CLEANUP_FLAG_BCC = 1 << 2,	/* automatic copies */
	CLEANUP_FLAG_MAP = 1 << 3,	/* canonical, virtual, masquerade */
	CLEANUP_FLAG_MILTER = 1 << 4,	/* non_smtpd_milters, unless milters are handed over */
	CLEANUP_FLAG_AUTOUTF8 = 1 << 7, /* SMTPUTF8 is asked for (SENDER_SMTPUTF8) when an address
					   or header turns out not to be ASCII */
	CLEANUP_FLAG_INTERNAL = 1 << 8, /* made by ourselves: no access checks, no size limit */
	CLEANUP_FLAG_LOCAL_HEADERS = 1 << 9, /* rewrite header addresses in the local context */
	CLEANUP_FLAG_DISCARD = 1 << 10,
	CLEANUP_FLAG_HOLD = 1 << 11,
	CLEANUP_MASK_EXTERNAL =
	    CLEANUP_FLAG_FILTER | CLEANUP_FLAG_BCC | CLEANUP_FLAG_MAP | CLEANUP_FLAG_MILTER,
};
enum cleanup_status {
	CLEANUP_OK = 0,
	CLEANUP_BAD,	   /* internal protocol error */
	CLEANUP_WRITE,	   /* queue file write error: 451 4.3.0 */
	CLEANUP_SPACE,	   /* queue_minfree: 452 4.3.1 */
	CLEANUP_SIZE,	   /* 552 5.3.4 */
	CLEANUP_CONTENT,   /* refused by content; text has the reason */
	CLEANUP_HOPS,	   /* 554 5.4.0 too many hops */
	CLEANUP_NO_RCPT,   /* 550 5.1.1 no recipients specified */
	CLEANUP_DEFER,	   /* 451; text may say why */
	CLEANUP_EXPANSION, /* 451 4.6.0 alias expansion error */
	CLEANUP_PROXY,	   /* 451 4.3.0 */
};

/* CLEANUP_FLAG_AUTOUTF8 when smtputf8_autodetect_classes has this class of mail ("sendmail",
 * "smtpd", "bounce"...), or 0. */
uint32_t cleanup_autodetect(const char *class);

/* Flags for mail of our own making, when internal_mail_filter_classes has its class ("bounce",
 * "notify"), or 0. */
uint32_t cleanup_internal(const char *class);

/* One message on its way to cleanup. Errors are kept: once something failed the rest of the calls
 * do nothing and cleanup_commit() tells. All may wait. */
struct cleanup;
/* service: "public/cleanup" or another cleanup_service_name's socket. Never NULL. */
struct cleanup *cleanup_open(const char *socket, str queue_id, int64_t arrival_us, uint32_t flags);
void cleanup_put(struct cleanup *c, enum msg type,
    const void *msg); /* ENV_SENDER, ENV_ATTR, ENV_RCPT, CLEANUP_ENV */
void cleanup_attr(struct cleanup *c, const char *name, str value);
void cleanup_content(struct cleanup *c, str wire); /* any number of bytes, wire form */
/* The same without a copy: append wire form (not more than some 100 KB) to what the first returns,
 * if it is not NULL, then call the second. Nothing else of the conversation in between. */
struct buf *cleanup_content_room(struct cleanup *c);
void cleanup_content_added(struct cleanup *c);
/* Convenience for messages we make ourselves: one line without its end; dot-stuffs and adds CRLF.
 */
void cleanup_line(struct cleanup *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The milters of the session shall see the end of the message (milter/handover.h). h stays the
 * caller's, with what it points to, and must live until cleanup_commit(), which comes next and
 * fills in the rest. A refusal by a milter is CLEANUP_CONTENT or CLEANUP_DEFER, with its whole
 * reply as text. */
struct cleanup_handover {
	str chain;	/* milter_chain_pack() */
	const int *fds; /* milter_chain_fds(); at most STREAM_FDS_MAX */
	size_t nfds;
	bool taken;	  /* cleanup has them, or had: milter_chain_resume() must be called */
	struct buf state; /* ... with this; empty when cleanup is lost */
};
void cleanup_milters(struct cleanup *c, struct cleanup_handover *h);
/* Ends the message and waits for the verdict; frees c. *text (may be NULL) gets cleanup's text. */
enum cleanup_status cleanup_commit(struct cleanup *c, struct buf *text);
void cleanup_abort(struct cleanup *c); /* frees c */

#endif
