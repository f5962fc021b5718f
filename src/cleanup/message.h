/* A message on its way through cleanup.
 *
 * receive.c speaks with the client; header.c and body.c see the content; recipient.c and sender.c
 * map the envelope; finish.c commits. A failure is kept in status and ends what follows. */
#ifndef POSTERN_CLEANUP_MESSAGE_H
#define POSTERN_CLEANUP_MESSAGE_H

#include "base/arena.h"
#include "base/htab.h"
#include "ipc/cleanup.h"
#include "mail/mime.h"
#include "queue/write.h"
#include "smtpwire/wire.h"

struct message {
	struct arena arena;
	char id[QUEUE_ID_MAX];
	uint32_t flags;	     /* CLEANUP_FLAG_* */
	struct envelope env; /* as it will be stored */
	struct ipc_rcpt_status
	    *early; /* fates decided here: malloc'ed, until finish() puts them into env */
	size_t nearly;
	struct ipc_env_rcpt *given; /* recipients as the client gave them, not yet mapped */
	size_t ngiven, given_cap;

	/* content */
	struct mime *mime;
	struct queue_message *queue;
	struct buf out; /* wire form, gathered for the queue */
	struct wire_facts facts;
	struct wire_clean clean;
	bool cleaning;
	bool content_begun, header_done;
	uint32_t seen; /* SEEN_* headers of the message */
	unsigned hops;
	bool rewrite_headers;
	const char *context; /* "local" or "remote", for header addresses */
	bool resent;	     /* has Resent- fields */

	/* actions */
	str redirect, filter;
	str *bcc;
	size_t nbcc;
	const char *queue_name; /* "incoming" or "hold" */
	bool discard;

	/* outcome */
	enum cleanup_status status;
	const char *why; /* text for the client, "" standard */

	struct htab seen_rcpts; /* duplicate filter */
};

enum {
	SEEN_FROM = 1 << 0,
	SEEN_DATE = 1 << 1,
	SEEN_MESSAGE_ID = 1 << 2,
	SEEN_TO = 1 << 3,
	SEEN_RESENT_FROM = 1 << 4,
	SEEN_RESENT_DATE = 1 << 5,
	SEEN_RESENT_MESSAGE_ID = 1 << 6,
	SEEN_RESENT_TO = 1 << 7,
};

/* The worker's writer; receive.c's caller opens it. */
extern struct queue_writer *message_writer;

/* Keeps the first failure. why may be NULL; it is copied. */
void message_fail(struct message *m, enum cleanup_status status, const char *why);

/* receive.c: one connection from a client, message after message. May wait. */
void receive_serve(struct stream *client, const struct hostaddr *peer);

/* content.c: takes content in wire form; content_end when it is complete. May wait. */
void content_setup(void);
void content_put(struct message *m, str wire);
void content_end(struct message *m);

/* header.c: one header field of the message, and the end of the header. May wait. */
void header_setup(void);
void header_field(struct message *m, const struct header_row *row, str text);
void header_finish(struct message *m);
/* Appends a field's text to the stored content. */
void header_emit(struct message *m, str text);

/* Decides a recipient's fate before it ever reaches qmgr; st->index is its place in env. */
void message_fate(struct message *m, const struct ipc_rcpt_status *st);

/* sender.c, recipient.c: the envelope. May wait. */
void sender_setup(void);
void sender_map(struct message *m);
void recipient_setup(void);
void recipient_map_all(struct message *m);

/* finish.c: commits what is to be kept and says what to answer. May wait. */
void finish_setup(void);
void finish(struct message *m);

#endif
