/* A message on its way through cleanup.
 *
 * receive.c speaks with the client; content.c passes the content through header.c and checks.c;
 * milter.c shows it to milters; recipient.c and sender.c map the envelope; finish.c commits. A
 * failure is kept in status and ends what follows. */
#ifndef POSTERN_CLEANUP_MESSAGE_H
#define POSTERN_CLEANUP_MESSAGE_H

#include "base/arena.h"
#include "base/htab.h"
#include "ipc/cleanup.h"
#include "mail/mime.h"
#include "milter/message.h"
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
	str shown; /* recipient_shown() of that many recipients */
	size_t shown_of;

	/* content */
	enum mime_error mime_error; /* why the content was refused, if for its structure */
	struct mime *mime;
	struct queue_message *queue;
	struct buf out; /* wire form, gathered for the queue */
	struct wire_facts head, body;
	struct wire_clean clean;
	bool cleaning;
	str plain; /* the piece that is being parsed, if it has neither 8-bit nor zero bytes */
	struct mime_down *down; /* force_mime_input_conversion */
	bool content_begun, header_done;
	char last;	  /* byte that the queue was given last */
	bool checking;	  /* header and body checks go on */
	uint64_t checked; /* bytes of this part's body that body_checks have seen */
	bool line_open;	  /* see checks_put_piece() */
	uint32_t seen;	  /* SEEN_* headers of the message */
	unsigned hops;
	bool rewrite_headers;
	const char *context; /* "local" or "remote", for header addresses */
	bool resent;	     /* has Resent- fields */
	size_t nfields, own; /* of the header as it is stored; which of them is our Received */
	bool own_seen;
	uint64_t head_length; /* of the header in the stored content, with its empty line */

	/* actions */
	str redirect, filter;
	str *bcc; /* each address once */
	size_t nbcc, bcc_cap;
	struct htab seen_bcc;
	const char *queue_name; /* "incoming" or "hold" */
	bool discard;

	/* milters */
	struct {
		str chain; /* handed over, with descriptors; p NULL: none */
		int *fds;
		size_t nfds;
		struct buf state; /* what the client is told about them */
	} milters;
	str sender_before;	   /* the envelope sender, when a milter changed it; else p NULL */
	const char *sender_mapped; /* that of the sender, when it has been mapped */
	size_t nadded;		   /* the last of given: from milters */
	struct htab unwanted; /* recipients that milters removed: local part, lower case domain */

	/* outcome */
	enum cleanup_status status;
	const char *why; /* text for the client, "" standard */

	struct htab seen_rcpts; /* duplicate filter */
};

enum {
	SEEN_FROM = 1 << 0,
	SEEN_DATE = 1 << 1,
	SEEN_MESSAGE_ID = 1 << 2,
	SEEN_TO = 1 << 3, /* or Cc, or the Resent- ones */
	SEEN_RESENT_FROM = 1 << 4,
	SEEN_RESENT_DATE = 1 << 5,
	SEEN_RESENT_MESSAGE_ID = 1 << 6,
};

/* The worker's writer; receive.c's caller opens it. */
extern struct queue_writer *message_writer;

/* A table failed: the message is not accepted for now. param: the parameter that has the table;
 * address may be "". */
void message_lookup_failed(
    struct message *m, const char *param, str address, const struct err *err);
/* Adds a copy of the message for address (BCC actions). */
void message_copy(struct message *m, str address);
/* Adds a recipient to given; copied. */
void message_add_rcpt(struct message *m, const struct ipc_env_rcpt *r);
/* Keeps the first failure. why may be NULL; it is copied. */
void message_fail(struct message *m, enum cleanup_status status, const char *why);

/* receive.c: one connection from a client, message after message. May wait. */
void receive_serve(struct stream *client, const struct hostaddr *peer);

/* content.c: takes content in wire form; content_end when it is complete. May wait. */
void content_setup(void);
void content_put(struct message *m, str wire);
void content_end(struct message *m);
/* For content that is written anew: stores a piece; and once more the facts for the envelope. */
void content_store(struct message *m, str wire);
void content_facts(struct message *m);

/* header.c: one field of the message's own header, and what is missing at its end. May wait. */
void header_setup(void);
void header_field(struct message *m, const struct header_row *row, str text);
void header_finish(struct message *m);
/* Appends a field's text to the stored content. */
void header_emit(struct message *m, str text);

/* checks.c: header and body checks. May wait. */
void checks_setup(void);
unsigned checks_flags(void); /* for mime_new() */
/* One field, of whatever header it is. Replaces *text and *row (REPLACE), puts a field in front of
 * it (PREPEND); false: nothing is left of it. What *text then points to lives until the next call.
 */
bool checks_field(
    struct message *m, enum mime_class class, const struct header_row **row, str *text);
void checks_body_line(struct message *m, str piece, unsigned which);
/* milter_header_checks on a field that a milter wants: false: it is not to be; *text may be
 * replaced (valid until the next call). */
bool checks_milter_field(struct message *m, str *text);
/* Logs what became of a piece of content: verb "reject", class "header"... text may be NULL. */
void checks_log(struct message *m, const char *verb, const char *class, str line, const char *text);
/* The same without the client's protocol and name, as errors of MIME are told. */
void checks_log_error(struct message *m, const char *what, str where);

/* milter.c: shows the complete message to the milters that were handed over, or to
 * non_smtpd_milters, and does what they say. May wait. */
void milter_setup(void);
void milter_judge(struct message *m);
void milter_forget(struct message *m); /* closes what was not used */
/* milter_session.c: what a client would have said, for mail that has none. *stage: where the answer
 * belongs ("RCPT"). May wait. */
struct milter_session;
struct milter_session *session_new(struct message *m, const struct milters *list);
struct milter_chain *session_chain(struct milter_session *s);
struct milter_answer session_play(struct milter_session *s, const char **stage, str *to);
void session_free(struct milter_session *s);
/* milter_env.c: envelope and header as milters change them; ctx is the message. */
extern const struct milter_envelope_ops milter_env_ops;
bool milter_unwanted(const struct message *m, str address); /* a milter has removed it */
/* changed.c: the content anew, after milters have changed it. May wait. */
void changed_store(struct message *m, struct milter_message *content);

/* Decides a recipient's fate before it ever reaches qmgr; st->index is its place in env. */
void message_fate(struct message *m, const struct ipc_rcpt_status *st);

/* sender.c, recipient.c: the envelope. May wait. */
void sender_setup(void);
void sender_map(struct message *m); /* once: log lines and a From field want it early */
void recipient_setup(void);
void recipient_map_all(struct message *m);
/* The last recipient for log lines: as the envelope will have it, but for aliases. */
str recipient_shown(struct message *m);
/* Only standard form and canonical maps: for recipients whose mail is returned unsent. */
void recipient_plain(struct message *m);

/* finish.c: commits what is to be kept and decides what to answer. May wait. */
void finish_setup(void);
void finish(struct message *m);

#endif
