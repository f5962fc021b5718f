/* Mail that did not come over SMTP, as non_smtpd_milters see it: a session of its own, from
 * localhost when nobody knows better (MILTER_README). */
#include "cleanup/address.h"
#include "cleanup/message.h"

#include "log/log.h"
#include "milter/milter.h"

#include <stdlib.h>

struct milter_session {
	struct message *m;
	struct milter_chain *chain;
	str sender, rcpt; /* shown so far; p NULL: none */
};

/* --- what it is like */

static const char *attr(struct message *m, const char *name, const char *otherwise)
{
	str value = envelope_attr(&m->env, name);

	return value.n ? arena_cstr(&m->arena, value) : otherwise;
}

static const char *client_name(struct message *m)
{
	return attr(m, "client_name", "localhost");
}

static const char *client_addr(struct message *m)
{
	return attr(m, "client_address", "127.0.0.1");
}

static const char *client_port(struct message *m)
{
	return attr(m, "client_port", "0");
}

static const char *client_ptr(struct message *m)
{
	return attr(m, "reverse_client_name", client_name(m));
}

static const char *client_both(struct message *m)
{
	return arena_printf(&m->arena, "%s [%s]", client_name(m), client_addr(m));
}

static const char *queue_id(struct message *m)
{
	return m->id;
}

static const char *server_addr(struct message *m)
{
	return attr(m, "server_address", "127.0.0.1");
}

static const char *server_port(struct message *m)
{
	return attr(m, "server_port", "0");
}

static const char *auth_type(struct message *m)
{
	return attr(m, "sasl_method", NULL);
}

static const char *auth_authen(struct message *m)
{
	return attr(m, "sasl_username", NULL);
}

static const char *auth_author(struct message *m)
{
	return attr(m, "sasl_sender", NULL);
}

static const struct {
	const char *name;
	const char *(*value)(struct message *m);
} macros[] = {
    {"i", queue_id},
    {"_", client_both},
    {"client_name", client_name},
    {"client_addr", client_addr},
    {"client_port", client_port},
    {"client_ptr", client_ptr},
    {"daemon_addr", server_addr},
    {"daemon_port", server_port},
    {"auth_type", auth_type},
    {"auth_authen", auth_authen},
    {"auth_author", auth_author},
};

static str macro(void *ctx, str name)
{
	struct milter_session *s = ctx;
	const char *value = NULL;

	if (name.n > 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = str_mem(name.p + 1, name.n - 2);
	if (str_eq(name, STR("mail_addr")))
		return s->sender;
	if (str_eq(name, STR("rcpt_addr")))
		return s->rcpt;
	for (size_t i = 0; i < ARRAY_SIZE(macros) && !value; i++)
		if (str_eq(name, str_of(macros[i].name)))
			value = macros[i].value(s->m);
	return value ? str_of(value) : (str){NULL, 0};
}

struct milter_session *session_new(struct message *m, const struct milters *list)
{
	struct milter_session *s = mem_zero(sizeof(*s));
	const char *client = arena_printf(&m->arena, "%s[%s]", client_name(m), client_addr(m));

	s->m = m;
	s->chain = milter_chain_new(list, macro, s, client);
	return s;
}

struct milter_chain *session_chain(struct milter_session *s)
{
	return s->chain;
}

void session_free(struct milter_session *s)
{
	if (!s)
		return;
	milter_chain_free(s->chain);
	free(s);
}

/* --- what is said. Addresses are complete, and without <> (as Postfix has it). */

static str complete(struct message *m, str address)
{
	struct buf a = {0};
	str out;

	buf_str(&a, address);
	address_complete(m, "local", &a);
	out = arena_str(&m->arena, buf_view(&a));
	buf_free(&a);
	return out;
}

static struct milter_answer hello(struct milter_session *s, const char **stage)
{
	struct message *m = s->m;
	struct milter_answer a;

	*stage = "CONNECT";
	a = milter_connect(s->chain, client_name(m), client_addr(m), client_port(m), NULL);
	if (a.verdict != MILTER_CONTINUE)
		return a;
	*stage = "EHLO";
	return milter_helo(s->chain, str_of(attr(m, "helo_name", client_name(m))));
}

static struct milter_answer envelope(struct milter_session *s, const char **stage)
{
	struct message *m = s->m;
	struct milter_answer a;

	*stage = "MAIL";
	s->sender = complete(m, m->env.sender.address);
	a = milter_mail(s->chain, s->sender, NULL, 0);
	for (size_t i = 0; i < m->ngiven && a.verdict == MILTER_CONTINUE; i++) {
		*stage = "RCPT";
		s->rcpt = complete(m, m->given[i].address);
		a = milter_rcpt(s->chain, s->rcpt, NULL, 0);
	}
	return a;
}

struct milter_answer session_play(struct milter_session *s, const char **stage, str *to)
{
	struct milter_answer a = hello(s, stage);

	if (a.verdict == MILTER_CONTINUE)
		a = envelope(s, stage);
	if (a.verdict == MILTER_CONTINUE) {
		*stage = "DATA";
		a = milter_data(s->chain);
	}
	*to = s->rcpt;
	return a;
}
