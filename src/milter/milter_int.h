/* Inside the library: one milter of a chain, and its settings. */
#ifndef POSTERN_MILTER_MILTER_INT_H
#define POSTERN_MILTER_MILTER_INT_H

#include "loop/stream.h"
#include "milter/milter.h"
#include "milter/wire.h"

enum milter_stage {
#define STAGE(NAME, cmd, no, nr, version, name) STAGE_##NAME,
#include "milter/stage.tbl"
#undef STAGE
	STAGE_COUNT,
};
#define MACRO_STAGES (STAGE_UNKNOWN + 1) /* those that have a list of macros */

/* SMFIP bits beside those of stage.tbl. */
#define STEP_SKIP	 0x000400 /* the milter may answer skip */
#define STEP_RCPT_REJ	 0x000800 /* it wants to see recipients that we refuse */
#define STEP_HDR_LEADSPC 0x100000 /* header values with their leading space */
/* SMFIF bits: what a milter may do to a message. */
#define ACTION_SETSYMLIST 0x000100 /* it may choose its macros */
#define ACTIONS_ALL	  0x0001ff

enum milter_default {
	DEFAULT_TEMPFAIL,
	DEFAULT_ACCEPT,
	DEFAULT_REJECT,
	DEFAULT_QUARANTINE,
	DEFAULT_SHUTDOWN,
	DEFAULT_UNKNOWN, /* the configuration is wrong */
};

/* Settings of one milter: an entry of a list. */
struct milter_conf {
	char *name;   /* "inet:127.0.0.1:10025", as it was written */
	char *broken; /* why it cannot be used; NULL: it can */
	char *path;   /* unix; else NULL, and */
	char *host;   /* inet */
	int port;
	int connect_ms, command_ms, content_ms;
	enum milter_default action;
	uint32_t version;
	bool no_header_reply; /* milter_protocol = 6, no_header_reply */
	char *macros[MACRO_STAGES];
	struct {			/* see dial.c */
		unsigned dials, breaks; /* failures in a row: to connect, and later */
		int64_t until;		/* not dialled before */
	} trouble;
};
struct milters {
	size_t n;
	struct milter_conf *v;
};
void milters_free(struct milters *m);

enum milter_state {
	MILTER_NEW, /* not connected yet */
	MILTER_READY,
	MILTER_PASSED,	   /* has accepted this message, or asked to discard it */
	MILTER_PASSED_ALL, /* has accepted the session; not connected any more */
	MILTER_REFUSED,	   /* has refused the session: milter.refusal; not connected any more */
	MILTER_LOST,	   /* failed: its default action is in milter.refusal and milter.hold */
};

struct milter {
	struct milter_conf *conf;
	struct milter_chain *chain;
	struct stream *io;
	enum milter_state state;
	uint32_t version, actions, steps; /* agreed */
	char *macros[MACRO_STAGES];	  /* asked for by the milter; NULL: as configured */
	uint32_t macros_sent;		  /* stages */
	bool in_message;		  /* has seen MAIL, and no abort yet */
	uint32_t skip;	     /* stages that it has had enough of in this message: bits */
	bool hold;	     /* the message is to be held: the milter asked, or failed */
	bool refusal_closes; /* with MILTER_DISCONNECT */
	char *refusal;	     /* reply to everything that follows, or NULL */
	char *hold_reason;
	int64_t asked_us; /* when the present question began */
	int64_t patience; /* when even a milter that makes progress must have answered it */
	unsigned replies; /* to the end of the message, so far */
};

struct milter_chain {
	const struct milters *milters;
	struct milters *own; /* of an unpacked chain */
	size_t n;
	struct milter *v;
	milter_macro macro;
	void *ctx;
	char *client; /* for log lines */
	struct buf reply;
	struct buf packed; /* macros that came with an unpacked chain: name NUL value NUL ... */
	bool discarding;   /* the message is forgotten: nobody is asked about it any more */
};

struct stage_row {
	const char *name;
	uint32_t no, nr, version;
	char cmd;
};
extern const struct stage_row milter_stages[STAGE_COUNT];

/* dial.c: connects and negotiates, unless the milter has been failing lately. -1 and err. May wait.
 */
int milter_dial(struct milter *m, struct err *err);
void milter_trouble(struct milter_conf *c, bool dial); /* a failure, to connect or later */
void milter_well(struct milter_conf *c);	       /* a session has ended well */
/* negotiate.c. -1 and err. May wait. */
int milter_negotiate(struct milter *m, int64_t deadline, struct err *err);
uint32_t milter_steps_offered(uint32_t version);
/* macros.c: appends the macro packet of a stage, if there is anything to say. */
void milter_put_macros(struct milter *m, enum milter_stage stage, struct buf *out);
const char *milter_macro_list(const struct milter *m, enum milter_stage stage);
/* Value of a macro for this chain: caller, packed, own, default. */
str milter_macro_value(struct milter_chain *c, str name);
/* The queue ID for log lines. */
const char *milter_queue_id(struct milter_chain *c, char *room, size_t size);

/* failure.c: the one failure policy. Logs, closes, applies the default action; the answer is what
 * the caller is told now. */
struct milter_answer milter_fail(struct milter *m, enum milter_stage stage, const struct err *err);
/* It is we who must end: that is no failure of the milter. */
struct milter_answer milter_leave(struct milter *m);
/* The default action alone, for a milter that is closed. */
void milter_lose(struct milter *m);
/* A milter that is lost or has refused: what that means for the present event. */
struct milter_answer milter_standing(struct milter *m);
void milter_close(struct milter *m, bool quit); /* May wait a moment with quit. */
/* One line for every decision other than continue. */
void milter_log(struct milter *m, enum milter_stage stage, const char *what, str detail);

/* event.c: asks one milter, unless it does not want to know. May wait. */
bool milter_wants(const struct milter *m, enum milter_stage stage);
struct milter_answer milter_ask(struct milter *m, enum milter_stage stage, str data);

#endif
