/* One SMTP session: who the client is, what it said, the mail transaction under way.
 *
 * session.c reads commands and calls cmd_*.c, one verb a file. A command answers with
 * session_reply(); restrict.c decides what is allowed; content.c brings the message to cleanup. An
 * idle session is little more than this struct, its stack's one page and the client's names. */
#ifndef POSTERN_SMTPD_SESSION_H
#define POSTERN_SMTPD_SESSION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hostaddr.h"
#include "ipc/cleanup.h"
#include "loop/stream.h"
#include "policyproto/policy.h"
#include "queue/queue.h"

enum command {
#define COMMAND(verb, handler, flags) CMD_##verb,
#include "smtpd/command.tbl"
#undef COMMAND
	CMD_UNKNOWN,
	CMD_COUNT,
};

/* How a client's name was found out (reject_unknown_client_hostname and friends ask). */
enum name_status { NAME_OK, NAME_UNKNOWN, NAME_TEMPORARY };
enum answer { ANSWER_NOT_ASKED, ANSWER_NO, ANSWER_YES, ANSWER_FAILED };

/* Texts live in the session's arena. */
struct client {
	const char *name;	  /* verified name, or "unknown" */
	const char *reverse_name; /* PTR, not verified, or "unknown" */
	const char *addr;	  /* numeric text, or "unknown" (XCLIENT) */
	const char *port;	  /* or "unknown" */
	const char *namaddr;	  /* "name[addr]", with port if smtpd_client_port_logging */
	enum name_status name_status, reverse_status;
	enum name_status forward_status; /* of the unverified name's own look-up */
	enum answer in_mynetworks;	 /* kept for the session */
	struct hostaddr sock;		 /* len 0: unknown */
};

/* XFORWARD: who the client of our client was, for log lines and the next XFORWARD. NULL: not told.
 */
struct forwarded {
	char *name, *addr, *port, *proto, *helo, *ident, *source;
	bool client; /* more than IDENT and SOURCE was told, if only that it is not available */
};

/* What access rules decided for the message as a whole; sent to cleanup with the envelope. */
struct message_actions {
	bool hold, discard;
	str filter, redirect;
	str *bcc;     /* each once */
	str *prepend; /* header lines */
	size_t nbcc, bcc_cap, nprepend, prepend_cap;
};

struct transaction {
	struct arena arena;
	bool open;  /* after an accepted MAIL */
	str sender; /* internal form */
	struct ipc_env_sender env;
	str sasl_sender;       /* AUTH= of MAIL; empty: none */
	int64_t declared_size; /* SIZE=, 0: none */
	int64_t arrival_us;
	struct ipc_env_rcpt *rcpts; /* accepted; slices live in the arena */
	size_t nrcpts, rcpts_cap;
	size_t over_limit; /* RCPT above smtpd_recipient_limit */
	str rcpt;	   /* the recipient being judged, as given; empty: none */
	uint64_t size;	   /* of the content, once it is known, as SIZE= counts it: CRLF ends */
	struct message_actions act;
	bool opened;		     /* logged, and with a queue ID or proxied */
	bool judged;		     /* the milters have seen all of the message */
	bool has_head;		     /* the content has PREPENDed lines and Received in it */
	bool proxied;		     /* it goes to the before-queue filter: no queue ID */
	struct proxy *proxy;	     /* proxied: the conversation, once there is one */
	str mail_args, *rcpt_args;   /* as the client gave them, of rcpts; for the filter */
	const char *deferral;	     /* DEFER_IF_PERMIT of the MAIL stage, like connect_deferral */
	char queue_id[QUEUE_ID_MAX]; /* "" before the transaction is opened */
	char instance[48];	     /* its name towards policy servers; "" before the first asks */
	struct policy_owner policy;  /* the connections to them that are its own */
};

enum bdat_state { BDAT_NONE, BDAT_OK, BDAT_FAILED };

struct session {
	struct stream *io;
	struct arena arena; /* client identity: see peer_copy() */
	struct client client;
	const char *server_addr, *server_port;
	const char *sasl_method, *sasl_username; /* NULL: not authenticated */
	char *helo;				 /* malloc'ed; NULL: not greeted */
	const char *protocol;			 /* "SMTP" or "ESMTP" */
	uint32_t discard; /* EHLO keywords not offered to this client: EHLO_* bits */
	struct forwarded *forwarded;
	struct transaction tx;
	struct content *content; /* under way between the first and the last BDAT */
	enum bdat_state bdat;

	const char *stage; /* last command or phase, for log lines: "CONNECT", "RCPT" */
	uint32_t ok[CMD_COUNT], total[CMD_COUNT];
	int errors, junk;
	bool illegal_pipelining; /* the client sent ahead where it may not */
	bool failed;		 /* the present command was answered with an error */
	bool ending;		 /* say no more, close */
	bool denied;		 /* refused at connection time: only QUIT is left */
	bool xclient, xforward;	 /* commands this client may use */
	enum { LOCALITY_UNKNOWN = 0, LOCALITY_LOCAL, LOCALITY_REMOTE } locality;
	bool bare_newline_policy; /* smtpd_forbid_bare_newline applies to this client */
	bool unauth_pipelining;	  /* smtpd_forbid_unauth_pipelining applies */
	struct buf verdict;	  /* reply that a restriction made */
	struct buf said;	  /* transcript.c: lines of the session so far */
	int said_lines;
	uint32_t trouble;    /* the postmaster wants to know of it */
	const char *aborted; /* why it ended without QUIT */

	struct milter_chain *milters; /* or NULL */
	bool milters_refuse;	      /* they have refused the session for good */
	bool rcpt_refused;	      /* they are shown a recipient that was refused */
	struct buf macro_text;	      /* value of the macro that was asked for last */
	/* Without smtpd_delay_reject: DEFER_IF_PERMIT of these stages strikes at RCPT. malloc'ed.
	 */
	char *connect_deferral, *helo_deferral;
};

/* Serves one connection to its end; peer NULL: standard input. May wait. */
void session_run(struct stream *io, const struct hostaddr *peer);
/* Greets as at the start (again after XCLIENT), or refuses the client. May wait. */
void session_greet(struct session *s);
/* Forgets or sets the HELO name. */
void session_set_helo(struct session *s, str name);

/* Queues a reply: text is "250 2.1.0 Ok", several lines separated by '\n', which may each have the
 * code ("250-..." but for the last: a reply of a filter that is passed on). Counts errors, applies
 * soft_bounce, filters, footers, the error delay and 421/521 disconnects. May wait. */
void session_reply(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void session_reply_text(struct session *s, str text);
/* The same for a refusal that is no error of the client. May wait. */
void session_reply_free(struct session *s, const char *text);
void reply_setup(void);
/* soft_bounce turns 5xx into 4xx, in the enhanced code as well. */
void reply_soften(struct buf *text);
/* The client closed, went silent or was cut off: says and logs what is due, and ends the session.
 * May wait. */
void session_input_ended(struct session *s, enum wait how);
/* Sends what was queued; false when the client has gone (the session then ends). May wait. */
bool session_flush(struct session *s);

/* Ends the mail transaction (end of data, EHLO, a refused MAIL): forgets sender, recipients,
 * content. May wait (the before-queue filter). */
void transaction_reset(struct session *s);
/* Opens the transaction, if it is not open yet: gives it its queue ID, or begins to speak with the
 * before-queue filter; with the log line that tells the client. False: it cannot be now, and a
 * reply was made. May wait. */
bool transaction_open(struct session *s);
/* An accepted recipient: copied. args: of its command, for a filter. */
void transaction_add_rcpt(struct session *s, struct ipc_env_rcpt env, str args);
/* A transaction that was meant for the before-queue filter goes to the queue. May wait. */
void transaction_to_queue(struct session *s);
/* Forgets what XFORWARD told: at RSET and at the end of data. */
void forwarded_reset(struct session *s);

/* Deadline of the next wait by smtpd_timeout and stress. */
int64_t session_deadline(const struct session *s);

/* Commands, one a file: args is what stands behind the verb, without line end. */
#define COMMAND(verb, handler, flags) void cmd_##handler(struct session *s, str args);
#include "smtpd/command.tbl"
#undef COMMAND

#endif
