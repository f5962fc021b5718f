/* How restrictions refuse, defer and permit. */
#include "smtpd/eval.h"

#include "log/log.h"
#include "param/param.h"
#include "smtpd/restrict.h"
#include "smtpd/rules.h"
#include "table/matchlist.h"

#include <stdarg.h>

static struct matchlist *log_permit;

void eval_setup(void)
{
	log_permit = matchlist_open(
	    "smtpd_log_access_permit_actions", conf.smtpd_log_access_permit_actions, MATCH_STRING);
}

/* --- refusing */

static enum outcome refuse(struct eval *e, const char *reply)
{
	struct session *s = e->s;

	if (e->warn) {
		restrict_log(s, "reject_warning", reply);
		return OUT_DUNNO;
	}
	if (e->defer_if_reject && reply[0] == '5')
		reply = e->defer_if_reject;
	buf_clear(&s->verdict);
	buf_cstr(&s->verdict, reply);
	reply_soften(&s->verdict);
	restrict_log(s, "reject", buf_text(&s->verdict));
	return OUT_REJECT;
}

/* The class of the enhanced code follows the reply code. */
static const char *format(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason)
{
	return arena_printf(e->arena, "%d %c%s <%s>: %s rejected: %s", code, '0' + code / 100,
	    dsn[0] ? dsn + 1 : ".7.1", about.object, about.class, reason);
}

enum outcome eval_reject(struct eval *e, int code, const char *dsn, const char *fmt, ...)
{
	struct buf reply = {0};
	enum outcome o;
	va_list ap;

	buf_printf(&reply, "%d %c%s ", code, '0' + code / 100, dsn[0] ? dsn + 1 : ".7.1");
	va_start(ap, fmt);
	buf_vprintf(&reply, fmt, ap);
	va_end(ap);
	o = refuse(e, buf_text(&reply));
	buf_free(&reply);
	return o;
}

enum outcome eval_reject_subject(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason)
{
	return refuse(e, format(e, code, dsn, about, reason));
}

enum outcome eval_config_error(struct eval *e)
{
	e->warn = false;
	return eval_reject(e, 451, "4.3.5", "Server configuration error");
}

enum outcome eval_table_error(struct eval *e, struct subject about)
{
	return eval_reject_subject(e, 451, "4.3.5", about, "Server configuration error");
}

enum outcome eval_lookup_error(struct eval *e, struct subject about)
{
	return eval_reject(e, 451, "4.3.0", "<%s>: Temporary lookup failure", about.object);
}

void eval_defer_if_permit(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason)
{
	const char *reply = format(e, code, dsn, about, reason);

	if (e->warn)
		restrict_log(e->s, "reject_warning", reply);
	else if (!e->defer_if_permit) /* the first one counts */
		e->defer_if_permit = reply;
}

void eval_defer_if_reject(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason)
{
	if (!e->defer_if_reject)
		e->defer_if_reject = format(e, code, dsn, about, reason);
}

enum outcome eval_tempfail(struct eval *e, const char *action, int code, const char *dsn,
    struct subject about, const char *reason)
{
	if (strcasecmp(action, "defer") == 0)
		return eval_reject_subject(e, code, dsn, about, reason);
	eval_defer_if_permit(e, code, dsn, about, reason);
	return OUT_DUNNO;
}

enum outcome eval_settle(struct eval *e)
{
	if (!e->defer_if_permit)
		return OUT_DUNNO;
	e->warn = false;
	return refuse(e, e->defer_if_permit);
}

/* --- permitting */

enum outcome eval_permit(
    struct eval *e, const char *action, struct subject about, const char *table)
{
	struct err err;

	if (!e->defer_if_permit && !matchlist_empty(log_permit) &&
	    matchlist_name(log_permit, str_of(action), &err) == TABLE_FOUND)
		restrict_log(e->s, "permit",
		    arena_printf(e->arena, "action=%s for %s=%s %s%s", action, about.class,
			about.object, table ? "from " : "", table ? table : ""));
	return OUT_OK;
}

/* --- enhanced codes */

/* "X.1.N": what a recipient's code becomes for a sender, and the other way round. */
static const struct {
	const char *rcpt, *sender;
} pairs[] = {
    {".1.1", ".1.7"},
    {".1.2", ".1.8"},
    {".1.3", ".1.7"},
    {".1.4", ".1.7"},
    {".1.6", ".1.7"},
};

static const char *fit(const char *code, const char *class)
{
	bool sender = strcmp(class, "Sender address") == 0;

	if (strncmp(code, ".1.", 3) != 0)
		return code;
	if (!sender && strcmp(class, "Recipient address") != 0)
		return ".0.0";
	if (strcmp(code, ".1.0") == 0)
		return code;
	if (sender) {
		for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
			if (strcmp(code, pairs[i].rcpt) == 0)
				return pairs[i].sender;
		return strcmp(code, ".1.7") == 0 || strcmp(code, ".1.8") == 0 ? code : ".1.0";
	}
	if (strcmp(code, ".1.7") == 0)
		return ".1.3";
	return strcmp(code, ".1.8") == 0 ? ".1.2" : code;
}

const char *eval_fit_dsn(struct eval *e, const char *dsn, const char *class)
{
	const char *fitting = dsn[0] ? fit(dsn + 1, class) : NULL;

	if (!fitting || strcmp(fitting, dsn + 1) == 0)
		return dsn;
	log_info("mapping DSN status %s into %s status %c%s", dsn, class, dsn[0], fitting);
	return arena_printf(e->arena, "%c%s", dsn[0], fitting);
}

/* --- what replies are about */

static const char *text(struct eval *e, str s)
{
	return arena_cstr(e->arena, s);
}

struct subject eval_client(struct eval *e)
{
	return (struct subject){e->s->client.namaddr, "Client host"};
}

struct subject eval_helo(struct eval *e)
{
	return (struct subject){e->s->helo ? e->s->helo : "", "Helo command"};
}

struct subject eval_sender(struct eval *e)
{
	return (struct subject){text(e, e->s->tx.sender), "Sender address"};
}

struct subject eval_recipient(struct eval *e)
{
	return (struct subject){text(e, e->s->tx.rcpt), "Recipient address"};
}

struct subject eval_subject(struct eval *e)
{
	if (e->about)
		return *e->about;
	switch (e->list) {
	case LIST_CLIENT:
		return eval_client(e);
	case LIST_HELO:
		return eval_helo(e);
	case LIST_SENDER:
		return eval_sender(e);
	case LIST_ETRN:
		return (struct subject){text(e, e->etrn), "Etrn command"};
	case LIST_DATA:
		return (struct subject){"DATA", "Data command"};
	case LIST_END_OF_DATA:
		return (struct subject){"END-OF-MESSAGE", "End-of-data"};
	default:
		return eval_recipient(e);
	}
}

/* --- routes */

static int ask(struct eval *e, str sender, str address, struct resolved *r)
{
	int64_t deadline = deadline_in(conf.ipc_timeout * 1000L);
	struct err err;
	str full;

	if (rewrite_address(STR("local"), address, e->arena, &full, deadline, &err) == 0 &&
	    rewrite_resolve(sender, full, false, e->arena, r, deadline, &err) == 0)
		return 0;
	log_warn("%s", err.text);
	return -1;
}

/* sender: routes may depend on it. */
static const struct resolved *route(
    struct eval *e, str sender, str address, bool *have, struct resolved *r)
{
	if (!*have && ask(e, sender, address, r) < 0)
		return NULL;
	*have = true;
	return r;
}

const struct resolved *eval_rcpt_route(struct eval *e)
{
	return route(e, e->s->tx.sender, e->s->tx.rcpt, &e->have_rcpt_route, &e->rcpt_route);
}

const struct resolved *eval_sender_route(struct eval *e)
{
	return route(e, STR(""), e->s->tx.sender, &e->have_sender_route, &e->sender_route);
}
