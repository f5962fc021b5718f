/* smtpfilter: an SMTP filter. Each client's session is a session with the server behind the filter:
 * commands and replies pass as they are, but for the content, which the site's check sees first.
 *
 * main.c listens; session.c passes commands on; content.c has DATA; next.c is the server behind;
 * logs.c keeps the log open. */
#ifndef POSTERN_FILTERS_SMTPFILTER_H
#define POSTERN_FILTERS_SMTPFILTER_H

#include "base/arena.h"
#include "base/hostaddr.h"
#include "filters/check/check.h"
#include "smtpwire/reply.h"

#define TIMEOUT_S	300  /* of each step with client and server (RFC 5321 4.5.3.2) */
#define LINE_MAX_LENGTH 4096 /* of a command */

struct setup {
	struct check check;
	struct endpoint next; /* the server behind the filter */
	const char *next_name;
	const char *hostname;
	struct sema checks; /* as many run at a time */
};
extern struct setup setup;

struct session {
	struct stream *io;   /* the client */
	struct stream *next; /* the server behind */
	struct reply reply;  /* its last one */
	bool lmtp;	     /* the client speaks LMTP */
	bool ending;
	uint64_t size_limit; /* that the server announced; 0: none */
	/* for the check, as XFORWARD told */
	struct arena client_arena;
	const char *client_name, *client_addr, *client_helo;
	/* the transaction */
	struct arena arena;
	str sender; /* as in the command */
	str *rcpts; /* accepted by the server */
	size_t nrcpts, rcpts_cap;
};

/* session.c: serves a client to its end. May wait. */
void session_serve(struct stream *client);
/* Queues a reply of our own for the client. May wait. */
void session_say(struct session *s, const char *text);
/* Passes the server's last reply on; in LMTP, times times. May wait. */
void session_pass(struct session *s, size_t times);
/* The transaction is over. */
void session_forget(struct session *s);
int64_t session_deadline(void);

/* content.c: the client said DATA. May wait. */
void content_receive(struct session *s);

/* logs.c: before root becomes this user. Fatal when it cannot be done. */
void logs_keep(uid_t uid);

/* next.c */
int next_connect(struct session *s); /* and its greeting. -1: not there (logged). May wait. */
/* Says a line (without its end) and reads the reply into s->reply; -1: the server is lost, the
 * client is told, and the session ends. May wait. */
int next_ask(struct session *s, str line);
int next_listen(struct session *s);
/* The server is lost. */
void next_lost(struct session *s, enum wait how);

#endif
