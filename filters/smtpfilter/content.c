/* The content of a message: received to its end, checked, and only then given to the server behind,
 * whose reply is the client's. */
#include "filters/smtpfilter/smtpfilter.h"

#include "log/log.h"
#include "smtpwire/wire.h"

#include <errno.h>

static bool lost_client(struct session *s, enum wait w)
{
	if (w == WAIT_TIMEOUT)
		session_say(s, "421 4.4.2 Error: timeout exceeded");
	s->ending = true;
	return false;
}

static bool receive(struct session *s, struct wire_in *in, struct spool *message)
{
	enum wire_state state = WIRE_MORE;
	struct buf out = {0};
	size_t used;
	str data;

	while (state == WIRE_MORE) {
		enum wait w = stream_peek(s->io, 1, &data, session_deadline());

		if (w != WAIT_OK) {
			buf_free(&out);
			return lost_client(s, w);
		}
		state = wire_in_feed(in, data, &out, &used);
		stream_consume(s->io, used);
		spool_put(message, buf_view(&out));
		buf_clear(&out);
	}
	buf_free(&out);
	return true;
}

/* --- the check */

static const char *variable(struct session *s, const char *name, const char *value)
{
	return arena_printf(&s->arena, "%s=%s", name, value ? value : "");
}

static const char *const *environment(struct session *s)
{
	const char **env = arena_zero(&s->arena, 7 * sizeof(*env));
	struct buf rcpts = {0};

	for (size_t i = 0; i < s->nrcpts; i++)
		buf_printf(&rcpts, "%s%.*s", i ? "\n" : "", STR_FMT(s->rcpts[i]));
	env[0] = "PATH=/usr/local/bin:/usr/bin:/bin";
	env[1] = variable(s, "SENDER", arena_cstr(&s->arena, s->sender));
	env[2] = variable(s, "RECIPIENTS", buf_text(&rcpts));
	env[3] = variable(s, "CLIENT_NAME", s->client_name);
	env[4] = variable(s, "CLIENT_ADDRESS", s->client_addr);
	env[5] = variable(s, "CLIENT_HELO", s->client_helo);
	buf_free(&rcpts);
	return env;
}

static void judge(struct session *s, struct spool *message, struct check_outcome *r)
{
	if (sema_take(&setup.checks, session_deadline()) != WAIT_OK) {
		*r = (struct check_outcome){.verdict = CHECK_DEFER};
		buf_cstr(&r->text, "4.3.2 Content filter: too busy");
		return;
	}
	check_run(&setup.check, message, environment(s), r);
	sema_give(&setup.checks);
}

/* --- to the server behind */

static int give(void *arg, str wire)
{
	struct session *s = arg;
	enum wait w = stream_write(s->next, wire.p, wire.n, session_deadline());

	if (w != WAIT_OK)
		next_lost(s, w);
	return w == WAIT_OK ? 0 : -1;
}

/* False: the client has its reply, or will get it from the server's. */
static bool transmit(struct session *s, struct spool *message)
{
	struct err err = {0};

	if (next_ask(s, STR("DATA")) < 0)
		return false;
	if (s->reply.code != 354) {
		session_pass(s, s->lmtp ? s->nrcpts : 1);
		return false;
	}
	if (spool_read(message, give, s, &err) < 0) {
		if (!s->ending) {
			log_warn("%s", err.text);
			session_say(s, "421 4.3.0 Error: temporary file");
			s->ending = true;
		}
		return false;
	}
	return next_ask(s, STR(".")) == 0;
}

static void refuse(struct session *s, const char *code, str text)
{
	for (size_t i = 0; i < (s->lmtp ? s->nrcpts : 1); i++)
		stream_printf(s->io, session_deadline(), "%s %.*s\r\n", code, STR_FMT(text));
}

/* The transaction at the server behind ends without a message. */
static void give_up(struct session *s, const char *code, str text)
{
	refuse(s, code, text);
	stream_flush(s->io, session_deadline());
	if (next_ask(s, STR("RSET")) == 0 && s->reply.code / 100 != 2)
		next_lost(s, WAIT_ERROR);
}

static void conclude(struct session *s, struct spool *message)
{
	struct check_outcome r;

	judge(s, message, &r);
	log_info("from=<%.*s>, nrcpt=%zu, client=%s[%s], size=%llu, verdict=%s%s%s",
	    STR_FMT(s->sender), s->nrcpts, s->client_name ? s->client_name : "unknown",
	    s->client_addr ? s->client_addr : "unknown", (unsigned long long)spool_size(message),
	    check_verdict_name(r.verdict), r.text.n ? ": " : "", buf_text(&r.text));
	if (r.verdict == CHECK_REFUSE)
		give_up(s, "550", buf_view(&r.text));
	else if (r.verdict == CHECK_DEFER)
		give_up(s, "451", buf_view(&r.text));
	else if (r.verdict == CHECK_DISCARD)
		give_up(s, "250", STR("2.7.1 Ok: discarded"));
	else if (transmit(s, r.content ? r.content : message))
		session_pass(s, s->lmtp ? s->nrcpts : 1);
	check_outcome_free(&r);
}

void content_receive(struct session *s)
{
	struct spool *message = spool_new(setup.check.directory);
	struct err err = {0};
	struct wire_in in;

	session_say(s, "354 End data with <CR><LF>.<CR><LF>");
	wire_in_start(&in, WIRE_STRICT_END, s->size_limit);
	if (stream_flush(s->io, session_deadline()) == WAIT_OK && receive(s, &in, message)) {
		if (in.too_big) {
			give_up(s, "552", STR("5.3.4 Error: message file too big"));
		} else if (spool_end(message, &err) < 0) {
			log_warn("%s", err.text);
			give_up(s, "451", STR("4.3.0 Error: temporary file"));
		} else {
			conclude(s, message);
		}
	}
	spool_free(message);
	session_forget(s);
}
