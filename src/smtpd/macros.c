#include "smtpd/macros.h"

#include "ipc/rewrite.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpwire/reply.h"

static str text_of(const char *text)
{
	return text ? str_of(text) : (str){NULL, 0};
}

static str own_text(struct session *s)
{
	return buf_view(&s->macro_text);
}

/* --- the client */

static str client_id(struct session *s)
{
	const struct client *c = &s->client;
	bool forged = c->name_status != NAME_OK && c->reverse_status == NAME_OK;

	buf_printf(&s->macro_text, "%s [%s]%s", c->reverse_name, c->addr,
	    forged ? " (may be forged)" : "");
	return own_text(s);
}

static str client_addr(struct session *s)
{
	return text_of(s->client.addr);
}

static str client_name(struct session *s)
{
	return text_of(s->client.name);
}

static str client_port(struct session *s)
{
	return text_of(s->client.port);
}

static str client_ptr(struct session *s)
{
	return text_of(s->client.reverse_name);
}

/* Undocumented, but asked for: whether name and address agree. */
static str client_resolve(struct session *s)
{
	const struct client *c = &s->client;

	if (c->name_status == NAME_OK)
		return STR("OK");
	if (c->name_status == NAME_TEMPORARY)
		return STR("TEMP");
	return c->reverse_status == NAME_OK ? STR("FORGED") : STR("FAIL");
}

/* Nobody counts connections by client. */
static str client_connections(struct session *s)
{
	(void)s;
	return STR("0");
}

static str daemon_addr(struct session *s)
{
	return text_of(s->server_addr);
}

static str daemon_port(struct session *s)
{
	return text_of(s->server_port);
}

static str auth_type(struct session *s)
{
	return text_of(s->sasl_method);
}

static str auth_authen(struct session *s)
{
	return text_of(s->sasl_username);
}

static str auth_author(struct session *s)
{
	return s->tx.sasl_sender.n ? s->tx.sasl_sender : (str){NULL, 0};
}

/* --- the message */

static str queue_id(struct session *s)
{
	return s->tx.queue_id[0] ? str_of(s->tx.queue_id) : (str){NULL, 0};
}

enum part { ADDR, HOST, MAILER };

static int route(str address, struct arena *a, struct resolved *r)
{
	int64_t deadline = deadline_in((int64_t)conf.ipc_timeout * 1000);
	str full = address;
	struct err err;

	if (address.n && rewrite_address(STR("local"), address, a, &full, deadline, &err) < 0) {
		log_warn("%s", err.text);
		return -1;
	}
	if (rewrite_resolve(STR(""), full, false, a, r, deadline, &err) < 0) {
		log_warn("%s", err.text);
		return -1;
	}
	return 0;
}

/* Part of where an address leads; the address itself in external form, in lower case. */
static str routed(struct session *s, str address, enum part part)
{
	struct buf quoted = {0};
	struct arena a = {0};
	struct resolved r;

	if (route(address, &a, &r) < 0) {
		arena_free(&a);
		return (str){NULL, 0};
	}
	if (part == ADDR && address.n) {
		addr_quote(&quoted, r.recipient);
		buf_lower(&s->macro_text, buf_view(&quoted));
		buf_free(&quoted);
	} else if (part != ADDR) {
		buf_str(&s->macro_text, part == HOST ? r.nexthop : r.transport);
	}
	arena_free(&a);
	return own_text(s);
}

/* The envelope is for the events about the envelope. */
static bool at_content(const struct session *s)
{
	return strcmp(s->stage, "END-OF-MESSAGE") == 0;
}

static str mail_part(struct session *s, enum part part)
{
	if (!s->tx.sender.p || at_content(s))
		return (str){NULL, 0};
	return routed(s, s->tx.sender, part);
}

static str mail_addr(struct session *s)
{
	return mail_part(s, ADDR);
}

static str mail_host(struct session *s)
{
	return mail_part(s, HOST);
}

static str mail_mailer(struct session *s)
{
	return mail_part(s, MAILER);
}

/* A recipient that we refuse is shown as error:code with the reason for an address. */
static str refused_part(struct session *s, enum part part)
{
	str dsn, text;
	int code;

	if (part == MAILER)
		return STR("error");
	if (!reply_split(buf_view(&s->verdict), &code, &dsn, &text))
		return (str){NULL, 0};
	if (part == HOST)
		return dsn;
	if (text.n && text.p[0] == '<' && str_find(text, STR(">: ")) > 0)
		text = str_from(text, (size_t)str_find(text, STR(">: ")) + 3);
	return text;
}

static str rcpt_part(struct session *s, enum part part)
{
	if (s->rcpt_refused)
		return refused_part(s, part);
	if (s->tx.rcpt.n == 0 || at_content(s))
		return (str){NULL, 0};
	return routed(s, s->tx.rcpt, part);
}

static str rcpt_addr(struct session *s)
{
	return rcpt_part(s, ADDR);
}

static str rcpt_host(struct session *s)
{
	return rcpt_part(s, HOST);
}

static str rcpt_mailer(struct session *s)
{
	return rcpt_part(s, MAILER);
}

/* --- */

static const struct {
	const char *name;
	str (*value)(struct session *s);
} rows[] = {
    {"i", queue_id},
    {"_", client_id},
    {"client_addr", client_addr},
    {"client_connections", client_connections},
    {"client_name", client_name},
    {"client_port", client_port},
    {"client_ptr", client_ptr},
    {"client_resolve", client_resolve},
    {"daemon_addr", daemon_addr},
    {"daemon_port", daemon_port},
    {"auth_authen", auth_authen},
    {"auth_author", auth_author},
    {"auth_type", auth_type},
    {"mail_addr", mail_addr},
    {"mail_host", mail_host},
    {"mail_mailer", mail_mailer},
    {"rcpt_addr", rcpt_addr},
    {"rcpt_host", rcpt_host},
    {"rcpt_mailer", rcpt_mailer},
};

str macro_value(void *ctx, str name)
{
	struct session *s = ctx;

	if (name.n > 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = str_mem(name.p + 1, name.n - 2);
	buf_clear(&s->macro_text);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_eq(name, str_of(rows[i].name)))
			return rows[i].value(s);
	return (str){NULL, 0};
}
