/* Where the content of a message goes that is not refused. A destination gets it in wire form:
 * begin, any number of pieces, then commit or abort. All functions may wait. */
#ifndef POSTERN_SMTPD_DESTINATION_H
#define POSTERN_SMTPD_DESTINATION_H

#include "smtpd/content.h"

struct destination {
	/* Opens it for the session's transaction; what it returns goes to the functions below.
	 * NULL: it takes no mail now, and the client has its reply. */
	void *(*begin)(struct session *s);
	void (*put)(void *to, str wire);
	/* The message is complete: tells the client what became of it. Ends to. */
	void (*commit)(struct session *s, void *to);
	/* Forgets the message. Ends to. */
	void (*abort)(void *to);
	/* put() without a copy: wire form is appended to what room() returns (NULL: nothing is
	 * wanted any more), then added() is called. Both NULL where it makes no difference. */
	struct buf *(*room)(void *to);
	void (*added)(void *to);
};

extern const struct destination dest_cleanup; /* the queue */
extern const struct destination dest_drop;    /* the maildrop queue, by postdrop */
extern const struct destination dest_nowhere; /* DISCARD */
extern const struct destination dest_proxy;   /* the before-queue filter */

/* The message is one of our own network's: by XFORWARD, or local_header_rewrite_clients. */
bool content_is_local(struct session *s);
/* What stands in front of the client's own content: PREPENDed lines, Received. Appends. */
void content_head(struct session *s, struct buf *out);
/* The reply to a message that was queued as id. */
void content_queued(struct session *s, str id);

#endif
