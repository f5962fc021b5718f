/* RCPT (RFC 5321 4.1.1.3):
 *     "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF
 * Parameters: NOTIFY, ORCPT (RFC 3461 4.1, 4.2). */
#include "smtpd/session.h"

#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/path.h"
#include "smtpd/proxy.h"
#include "smtpd/restrict.h"
#include "smtpwire/cmd.h"
#include "smtpwire/esmtp.h"

static const char *take_notify(struct session *s, struct ipc_env_rcpt *r, str value)
{
	if (s->discard & EHLO_DSN)
		return "501 5.7.1 DSN support is disabled";
	if (r->notify || !dsn_parse_notify(value, &r->notify))
		return "501 5.5.4 Error: Bad NOTIFY parameter syntax";
	return NULL;
}

static const char *take_orcpt(struct session *s, struct ipc_env_rcpt *r, str value)
{
	if (s->discard & EHLO_DSN)
		return "501 5.7.1 DSN support is disabled";
	if (r->orcpt.n || !orcpt_valid(value))
		return "501 5.5.4 Error: Bad ORCPT parameter syntax";
	r->orcpt = value;
	return NULL;
}

static bool take_params(struct session *s, struct ipc_env_rcpt *r, str rest)
{
	str name, value, word;

	while (esmtp_param(&rest, &name, &value, &word)) {
		const char *refusal = "";

		if (str_eq_nocase(name, STR("NOTIFY")) && value.p)
			refusal = take_notify(s, r, value);
		else if (str_eq_nocase(name, STR("ORCPT")) && value.p)
			refusal = take_orcpt(s, r, value);
		if (!refusal)
			continue;
		if (*refusal)
			session_reply(s, "%s", refusal);
		else
			session_reply(s, "555 5.5.4 Unsupported option: %.*s", STR_FMT(word));
		return false;
	}
	return true;
}

/* What is over the limit is refused softly; a client that goes on and on collects errors. */
static bool over_limit(struct session *s)
{
	static const char text[] = "452 4.5.3 Error: too many recipients";

	if (s->tx.nrcpts < (size_t)conf.smtpd_recipient_limit)
		return false;
	if (s->tx.over_limit++ < (size_t)conf.smtpd_recipient_overshoot_limit)
		session_reply_free(s, text);
	else
		session_reply(s, text);
	return true;
}

/* RFC 3461 4.2: the original recipient of a client that names none is the address as it was given,
 * with the route and the quotes that we do without. */
static void keep_given(struct arena *a, str path, struct ipc_env_rcpt *env)
{
	struct buf plain = {0}, orcpt = {0};

	path = str_trim(path);
	if (path.n > 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
		path = str_trim((str){path.p + 1, path.n - 2});
	addr_quote(&plain, env->address);
	if (path.n > 0 && str_is_ascii(path) && !str_eq(path, buf_view(&plain))) {
		buf_cstr(&orcpt, "rfc822;");
		xtext_encode(&orcpt, path);
		env->orcpt = arena_str(a, buf_view(&orcpt));
	}
	buf_free(&plain);
	buf_free(&orcpt);
}

static bool parse(struct session *s, str args, struct arena *a, struct ipc_env_rcpt *env)
{
	str path;

	if (!smtp_cmd_keyword(&args, "TO") || args.n == 0) {
		session_reply(s, "501 5.5.4 Syntax: RCPT TO:<address>");
		return false;
	}
	path = args;
	if (!path_parse(s, a, "RCPT", false, &args, &env->address)) {
		session_reply(s, "501 5.1.3 Bad recipient address syntax");
		return false;
	}
	if (!path_utf8_declared(s, env->address) || !take_params(s, env, args))
		return false;
	if (env->orcpt.n == 0)
		keep_given(a, str_head(path, (size_t)(args.p - path.p)), env);
	return true;
}

static void one_rcpt(struct session *s, str args, struct arena *a)
{
	struct ipc_env_rcpt env = {0};

	if (!parse(s, args, a, &env) || over_limit(s))
		return;
	s->tx.rcpt = env.address;
	if (!restrict_rcpt(s)) {
		milters_rcpt_refused(s, args);
		session_reply_text(s, buf_view(&s->verdict));
		return;
	}
	if (!milters_rcpt(s, args)) {
		session_reply_text(s, buf_view(&s->verdict));
		return;
	}
	if (!transaction_open(s))
		return;
	if (s->tx.proxy && proxy_rcpt(s->tx.proxy, args) < 0) {
		session_reply_text(s, proxy_refusal(s->tx.proxy));
		return;
	}
	transaction_add_rcpt(s, env, args);
	session_reply(s, "250 2.1.5 Ok");
}

void cmd_rcpt(struct session *s, str args)
{
	struct arena a = {0};

	if (!s->tx.open) {
		session_reply(s, "503 5.5.1 Error: need MAIL command");
		return;
	}
	if (s->bdat != BDAT_NONE) {
		session_reply(s, "503 5.5.1 Error: RCPT after BDAT");
		return;
	}
	one_rcpt(s, args, &a);
	s->tx.rcpt = (str){0};
	arena_free(&a);
}
