/* MAIL (RFC 5321 4.1.1.2):
 *     "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
 * Parameters: SIZE (RFC 1870), BODY (RFC 6152), RET ENVID (RFC 3461 4.3, 4.4), AUTH (RFC 4954 5),
 * SMTPUTF8 (RFC 6531 3.4). */
#include "smtpd/session.h"

#include "base/clock.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/path.h"
#include "smtpd/proxy.h"
#include "smtpd/restrict.h"
#include "smtpwire/cmd.h"
#include "smtpwire/esmtp.h"

#include <sys/statvfs.h>

static const char *take_size(struct session *s, str value)
{
	uint64_t n;

	if (!str_is_digits(value))
		return "501 5.5.4 Bad message size syntax";
	if (!str_to_u64(value, &n) || n > INT64_MAX)
		return "552 5.3.4 Message size exceeds file system imposed limit";
	s->tx.declared_size = (int64_t)n;
	return NULL;
}

static const char *take_body(struct session *s, str value)
{
	if (str_eq_nocase(value, STR("8BITMIME")))
		s->tx.env.flags |= SENDER_BODY_8BITMIME;
	else if (str_eq_nocase(value, STR("7BIT")))
		s->tx.env.flags |= SENDER_BODY_7BIT;
	else
		return "";
	return NULL;
}

static const char *take_ret(struct session *s, str value)
{
	if (s->discard & EHLO_DSN)
		return "501 5.7.1 DSN support is disabled";
	if (s->tx.env.ret != DSN_RET_NONE)
		return "501 5.5.4 Bad RET parameter syntax";
	if (str_eq_nocase(value, STR("FULL")))
		s->tx.env.ret = DSN_RET_FULL;
	else if (str_eq_nocase(value, STR("HDRS")))
		s->tx.env.ret = DSN_RET_HDRS;
	else
		return "501 5.5.4 Bad RET parameter syntax";
	return NULL;
}

static const char *take_envid(struct session *s, str value)
{
	struct buf plain = {0};
	bool good;

	if (s->discard & EHLO_DSN)
		return "501 5.7.1 DSN support is disabled";
	good =
	    value.n > 0 && value.n <= 100 && s->tx.env.envid.n == 0 && xtext_decode(&plain, value);
	for (size_t i = 0; good && i < plain.n; i++)
		good = (unsigned char)plain.p[i] >= ' ' && (unsigned char)plain.p[i] < 127;
	buf_free(&plain);
	if (!good)
		return "501 5.5.4 Bad ENVID parameter syntax";
	s->tx.env.envid = arena_str(&s->tx.arena, value);
	return NULL;
}

/* Who is said to have sent it is told to the log, policy servers and filters, who know whether the
 * client may say so. */
static const char *take_auth(struct session *s, str value)
{
	if (s->tx.sasl_sender.n)
		return "503 5.5.4 Error: multiple AUTH= options";
	if (!str_eq(value, STR("<>")))
		s->tx.sasl_sender = arena_str(&s->tx.arena, value);
	return NULL;
}

static const char *take_smtputf8(struct session *s, str value)
{
	if (value.p || !conf.smtputf8_enable || (s->discard & EHLO_SMTPUTF8))
		return "";
	s->tx.env.flags |= SENDER_SMTPUTF8;
	return NULL;
}

/* take() returns NULL, a refusal, or "" for a parameter that is not supported in this form. */
static const struct mail_param {
	const char *name;
	const char *(*take)(struct session *s, str value);
	bool needs_value;
} params[] = {
    {"SIZE", take_size, true},
    {"BODY", take_body, true},
    {"RET", take_ret, true},
    {"ENVID", take_envid, true},
    {"AUTH", take_auth, true},
    {"SMTPUTF8", take_smtputf8, false},
};

static bool take_params(struct session *s, str rest)
{
	str name, value, word;

	while (esmtp_param(&rest, &name, &value, &word)) {
		const char *refusal = "";

		for (size_t i = 0; i < ARRAY_SIZE(params); i++)
			if (str_eq_nocase(name, str_of(params[i].name)) &&
			    (value.p || !params[i].needs_value))
				refusal = params[i].take(s, value);
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

/* SMTPUTF8 changes which addresses are valid, so it is looked for before the path is parsed. */
static bool asks_utf8(str rest)
{
	str name, value;

	while (esmtp_param(&rest, &name, &value, NULL))
		if (str_eq_nocase(name, STR("SMTPUTF8")) && !value.p)
			return true;
	return false;
}

/* What a message takes while it waits for the before-queue filter (smtpd_proxy_options). */
static uint64_t collected(void)
{
	return proxy_configured() && proxy_late() ? (uint64_t)conf.message_size_limit : 0;
}

/* queue_minfree and room for a message of the largest size (as documented: 1.5 times). */
static bool enough_space(struct session *s)
{
	static int64_t checked_us; /* statvfs() is asked once a second */
	static uint64_t space;
	struct statvfs fs;
	uint64_t left;
	int64_t now = clock_mono_us();

	if (now - checked_us > 1000000 && statvfs(".", &fs) == 0) {
		space = (uint64_t)fs.f_bavail * fs.f_frsize;
		checked_us = now;
	}
	if (checked_us == 0)
		return true;
	left = space > collected() ? space - collected() : 0;
	if (left / 1.5 < conf.message_size_limit || left < (uint64_t)conf.queue_minfree ||
	    left / 1.5 < (uint64_t)s->tx.declared_size) {
		static int64_t warned_us;
		if (now - warned_us > 60 * 1000000L) {
			log_warn("not enough free space in mail queue: %llu bytes < 1.5*message "
				 "size limit",
			    (unsigned long long)left);
			warned_us = now;
		}
		return false;
	}
	return true;
}

/* What is refused for its size is logged like what rules refuse. */
static bool fits(struct session *s)
{
	const char *refusal = NULL;

	if (conf.message_size_limit > 0 && s->tx.declared_size > conf.message_size_limit)
		refusal = "552 5.3.4 Message size exceeds fixed limit";
	else if (!enough_space(s))
		refusal = "452 4.3.1 Insufficient system storage";
	if (!refusal)
		return true;
	restrict_log(s, "reject", refusal);
	session_reply(s, "%s", refusal);
	return false;
}

static bool parse(struct session *s, str args)
{
	str sender, all = args;
	uint32_t utf8 = asks_utf8(args) && conf.smtputf8_enable ? SENDER_SMTPUTF8 : 0;

	if (!smtp_cmd_keyword(&args, "FROM") || args.n == 0) {
		session_reply(s, "501 5.5.4 Syntax: MAIL FROM:<address>");
		return false;
	}
	s->tx.env.flags = utf8;
	if (!path_parse(s, &s->tx.arena, "MAIL", true, &args, &sender)) {
		session_reply(s, "501 5.1.7 Bad sender address syntax");
		return false;
	}
	if (!path_utf8_declared(s, sender))
		return false;
	s->tx.env.flags = 0;
	s->tx.sender = s->tx.env.address = sender;
	s->tx.mail_args = arena_str(&s->tx.arena, all);
	return take_params(s, args);
}

void cmd_mail(struct session *s, str args)
{
	if (conf.smtpd_helo_required && !s->helo) {
		session_reply(s, "503 5.5.1 Error: send HELO/EHLO first");
		return;
	}
	if (s->tx.open) {
		session_reply(s, "503 5.5.1 Error: nested MAIL command");
		return;
	}
	if (s->bdat != BDAT_NONE) {
		session_reply(s, "503 5.5.1 Error: MAIL after BDAT");
		return;
	}
	transaction_reset(s);
	if (!parse(s, args) || !fits(s)) {
		transaction_reset(s);
		return;
	}
	if (!restrict_mail(s) || !milters_mail(s, args)) {
		session_reply_text(s, buf_view(&s->verdict));
		transaction_reset(s);
		return;
	}
	s->tx.arrival_us = clock_wall_us();
	s->tx.open = true;
	if (!conf.smtpd_delay_open_until_valid_rcpt && !transaction_open(s)) {
		transaction_reset(s);
		return;
	}
	session_reply(s, "250 2.1.0 Ok");
}
