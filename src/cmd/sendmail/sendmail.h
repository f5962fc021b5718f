/* sendmail(1): the old mail program's interface. options.c reads the command line, message.c takes
 * a message from standard input to postdrop, name.c knows the user's name, modes.c runs what the
 * other modes stand for. */
#ifndef POSTERN_CMD_SENDMAIL_H
#define POSTERN_CMD_SENDMAIL_H

#include "base/arena.h"
#include "ipc/msg.h"

enum mode {
	MODE_MAIL,    /* -bm, -bv */
	MODE_QUEUE,   /* -bp, mailq */
	MODE_ALIASES, /* -bi, -I, newaliases */
	MODE_DAEMON,  /* -bd, -bl */
	MODE_SMTP,    /* -bs */
	MODE_FLUSH,   /* -q */
	MODE_IGNORE,  /* -bh, -bH, -q30m */
};
struct options {
	enum mode mode;
	const char *sender, *full_name, *envid, *body, *verp;
	uint32_t notify, ret;
	bool verify;	  /* -bv: a report about the recipients, and no message */
	bool from_header; /* -t */
	bool dot_is_data; /* -i */
	bool gateway;	  /* -G */
	bool interval;	  /* -q30m */
	bool flush;	  /* -q */
	int verbose;	  /* -v count */
	bool smtputf8;
	const char *aliases; /* -oA */
	const char *flush_id, *flush_site;
	char **rcpts;
	int nrcpts;
};
void options_parse(struct options *o, int argc, char **argv);
/* The argument of -C, wherever it stands; NULL: none. */
const char *options_config(int argc, char **argv);

/* Reads the message and hands it in; the exit status. May wait. */
int message_submit(const struct options *o);

/* Appends the full name for the From field: -F, NAME of the environment, or the password file. */
void name_full(const struct options *o, struct buf *out);

/* Replaces the process by the program of another mode. */
void mode_exec(const struct options *o) __attribute__((noreturn));

/* Ends the program: every failure is a temporary one, as callers of sendmail expect. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
