/* Notices to the postmaster of what went wrong in an SMTP session, with its transcript: by
 * notify_classes (postconf(5)), for smtpd and the SMTP client. Bounces and delays are bounce's. */
#ifndef POSTERN_IPC_NOTICE_H
#define POSTERN_IPC_NOTICE_H

#include "base/buf.h"

enum {
	NOTICE_POLICY = 1 << 0,
	NOTICE_PROTOCOL = 1 << 1,
	NOTICE_RESOURCE = 1 << 2,
	NOTICE_SOFTWARE = 1 << 3,
	NOTICE_DATA = 1 << 4,
	NOTICE_BOUNCE = 1 << 5,
};
/* Classes that are wanted; log_fatal when notify_classes makes no sense. For setup. */
uint32_t notice_classes(void);

/* Adds a line to a transcript, cut and printable; who is " In:  " or " Out: ". What is beyond 64
 * KiB is left out. */
void notice_line(struct buf *transcript, const char *who, str line);

struct notice {
	const char *id;	     /* queue ID for it: queue_id_new() */
	const char *to;	     /* envelope recipient */
	const char *subject; /* behind mail_name: "SMTP server: errors from name[addr]" */
	const char *intro;   /* a line above the transcript, or NULL */
	str transcript;
	const char *aborted; /* why the session ended early, or NULL */
};
/* Submits it through cleanup; a failure is only warned of. May wait. */
void notice_send(const struct notice *n);

#endif
