#include "smtpd/milters.h"

#include "base/htab.h"
#include "base/mem.h"
#include "log/log.h"
#include "milter/handover.h"
#include "param/param.h"
#include "smtpd/macros.h"
#include "smtpd/restrict.h"
#include "smtpd/standalone.h"
#include "smtpwire/cmd.h"
#include "table/table.h"

#include <stdlib.h>

#define LISTS_MAX 1000 /* different results of smtpd_milter_maps: they are kept */

static struct milters *usual;
static struct maps *by_client;
static struct htab lists; /* result of smtpd_milter_maps -> struct milters */

void milters_setup(void)
{
	usual = milters_parse("smtpd_milters", conf.smtpd_milters);
	by_client = maps_open("smtpd_milter_maps", conf.smtpd_milter_maps, 0);
}

/* --- which milters */

/* The list that a table gave for a client; NULL and err. */
static const struct milters *list_of(str text, struct err *err)
{
	const struct htab_entry *e = htab_find(&lists, text);
	struct milters *list;
	char *copy;

	if (e)
		return e->value;
	if (lists.count >= LISTS_MAX) {
		err_set(err, "more than %d different results", LISTS_MAX);
		return NULL;
	}
	copy = str_dup(text);
	list = milters_parse("smtpd_milter_maps", copy);
	free(copy);
	htab_set(&lists, text, list);
	return list;
}

static const struct milters *choose(struct session *s, struct err *err)
{
	const struct milters *list = usual;
	struct buf value = {0};

	if (restrict_override_mask() & CLEANUP_FLAG_MILTER || standalone_drops())
		return NULL;
	if (maps_empty(by_client))
		return milters_empty(list) ? NULL : list;
	switch (maps_get(by_client, str_of(s->client.addr), &value, err)) {
	case TABLE_FOUND:
		list = str_eq_nocase(str_trim(buf_view(&value)), STR("DISABLE"))
			   ? NULL
			   : list_of(buf_view(&value), err);
		break;
	case TABLE_ERROR:
		list = NULL;
		break;
	default:
		break;
	}
	buf_free(&value);
	return milters_empty(list) ? NULL : list;
}

/* --- what they say */

/* Why is in the milter's own line. */
static void note_hold(struct session *s, const struct milter_answer *a)
{
	if (!a->hold || s->tx.act.hold)
		return;
	restrict_log(s, "milter-hold", "milter triggers HOLD action");
	s->tx.act.hold = true;
}

/* All lines of a reply in one. */
static void log_refusal(struct session *s)
{
	struct buf text = {0};

	buf_str(&text, buf_view(&s->verdict));
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n')
			text.p[i] = ' ';
	restrict_log(s, "milter-reject", buf_text(&text));
	buf_free(&text);
}

static bool take(struct session *s, const struct milter_answer *a)
{
	note_hold(s, a);
	switch (a->verdict) {
	case MILTER_CONTINUE:
		return true;
	case MILTER_DISCARD:
		restrict_log(s, "milter-discard", "milter triggers DISCARD action");
		s->tx.act.discard = true;
		return true;
	default:
		buf_clear(&s->verdict);
		buf_str(&s->verdict, a->reply);
		reply_soften(&s->verdict);
		log_refusal(s);
		return false;
	}
}

static bool asked(const struct session *s)
{
	return s->milters && !s->tx.act.discard;
}

bool milters_connect(struct session *s)
{
	struct err err = {0};
	const struct milters *list;
	struct milter_answer a;
	bool good;

	milters_end(s);
	list = choose(s, &err);
	if (err.text[0]) {
		log_warn("smtpd_milter_maps: %s: %s", s->client.addr, err.text);
		buf_clear(&s->verdict);
		buf_printf(&s->verdict,
		    "421 4.3.5 %s Server configuration problem - try again later", conf.myhostname);
		return false;
	}
	if (!list)
		return true;
	s->milters = milter_chain_new(list, macro_value, s, s->client.namaddr);
	a = milter_connect(s->milters, s->client.name, s->client.addr, s->client.port,
	    s->client.sock.len ? &s->client.sock : NULL);
	good = take(s, &a);
	if (a.verdict == MILTER_DISCONNECT) {
		buf_clear(&s->verdict);
		buf_printf(
		    &s->verdict, "421 %s Service unavailable - try again later", conf.myhostname);
	} else if (!good && s->verdict.p[0] == '5') {
		s->milters_refuse = true;
		buf_clear(&s->verdict);
		buf_printf(&s->verdict, "554 %s ESMTP not accepting connections", conf.myhostname);
	} else {
		good = true; /* a soft refusal is told at MAIL */
	}
	return good;
}

void milters_end(struct session *s)
{
	milter_chain_free(s->milters);
	s->milters = NULL;
	s->milters_refuse = false;
}

bool milters_helo(struct session *s, str name)
{
	struct milter_answer a;

	if (!asked(s))
		return true;
	a = milter_helo(s->milters, name);
	if (take(s, &a))
		return true;
	s->milters_refuse = s->verdict.p[0] == '5';
	return a.verdict != MILTER_DISCONNECT;
}

/* --- addresses with parameters */

/* Length of the first word: an address may have spaces inside <> and quotes. */
static size_t word_length(str s)
{
	bool quoted = false, angle = false;
	size_t n = 0;

	for (; n < s.n; n++) {
		char c = s.p[n];

		if (c == '\\' && n + 1 < s.n)
			n++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '<' || c == '>'))
			angle = c == '<';
		else if (!quoted && !angle && (c == ' ' || c == '\t'))
			break;
	}
	return n;
}

size_t milters_split(str args, const char *keyword, str *words)
{
	size_t n = 1;

	smtp_cmd_keyword(&args, keyword);
	args = str_trim(args);
	words[0] = str_head(args, word_length(args));
	args = str_from(args, words[0].n);
	while (n < MILTERS_WORDS && str_word(&args, " \t", &words[n]))
		n++;
	return n;
}

/* MAIL and RCPT: the path and its parameters are words of their own. */
static bool ask_path(struct session *s, str args, const char *keyword,
    struct milter_answer (*ask)(struct milter_chain *, str, const str *, size_t))
{
	str words[MILTERS_WORDS];
	struct milter_answer a;
	size_t n;

	if (!asked(s))
		return true;
	n = milters_split(args, keyword, words);
	a = ask(s->milters, words[0], words + 1, n - 1);
	return take(s, &a);
}

bool milters_mail(struct session *s, str args)
{
	return ask_path(s, args, "FROM", milter_mail);
}

bool milters_rcpt(struct session *s, str args)
{
	return ask_path(s, args, "TO", milter_rcpt);
}

void milters_rcpt_refused(struct session *s, str args)
{
	str words[MILTERS_WORDS];
	size_t n;

	if (!asked(s) || !milter_wants_rejected(s->milters))
		return;
	n = milters_split(args, "TO", words);
	s->rcpt_refused = true;
	milter_rcpt_rejected(s->milters, words[0], words + 1, n - 1);
	s->rcpt_refused = false;
}

/* Between and after the RCPT commands, macros and log lines tell the first recipient. */
static void tell_first_rcpt(struct session *s)
{
	if (s->tx.nrcpts)
		s->tx.rcpt = s->tx.rcpts[0].address;
}

bool milters_data(struct session *s)
{
	struct milter_answer a;
	bool good;

	if (!asked(s))
		return true;
	tell_first_rcpt(s);
	a = milter_data(s->milters);
	good = take(s, &a);
	s->tx.rcpt = (str){NULL, 0};
	return good;
}

bool milters_unknown(struct session *s, str verb)
{
	struct milter_answer a;
	bool good;

	if (!asked(s))
		return true;
	tell_first_rcpt(s);
	a = milter_unknown(s->milters, verb);
	good = take(s, &a);
	s->tx.rcpt = (str){NULL, 0};
	return good;
}

bool milters_session(struct session *s)
{
	struct milter_answer a;

	if (!s->milters)
		return true;
	a = milter_session(s->milters);
	if (a.verdict == MILTER_CONTINUE)
		return true;
	buf_clear(&s->verdict);
	buf_str(&s->verdict, a.reply);
	reply_soften(&s->verdict);
	return false;
}

void milters_abort(struct session *s)
{
	if (s->milters)
		milter_abort(s->milters);
}

/* --- the whole message */

bool milters_want_message(const struct session *s)
{
	return asked(s) && milter_chain_wants_message(s->milters);
}

bool milters_message(
    struct session *s, struct milter_message *m, const struct milter_envelope_ops *ops, void *ctx)
{
	struct milter_answer a = milter_message_run(s->milters, m, ops, ctx);

	s->tx.judged = true;
	return take(s, &a);
}

struct milters_away {
	struct cleanup_handover h;
	struct buf chain;
	int fds[STREAM_FDS_MAX];
};

struct milters_away *milters_hand_over(struct session *s, struct cleanup *c)
{
	struct milters_away *away;

	if (s->tx.judged || !milters_want_message(s))
		return NULL;
	away = mem_zero(sizeof(*away));
	milter_chain_pack(s->milters, &away->chain);
	away->h.chain = buf_view(&away->chain);
	away->h.fds = away->fds;
	away->h.nfds = milter_chain_fds(s->milters, away->fds, STREAM_FDS_MAX);
	cleanup_milters(c, &away->h);
	return away;
}

void milters_take_back(struct session *s, struct milters_away *away)
{
	if (!away)
		return;
	if (away->h.taken)
		milter_chain_resume(s->milters, buf_view(&away->h.state));
	buf_free(&away->h.state);
	buf_free(&away->chain);
	free(away);
}
