/* XCLIENT (XCLIENT_README): an authorised client speaks as somebody else.
 *     "XCLIENT" 1*( SP attribute "=" xtext ) */
#include "smtpd/attrs.h"
#include "smtpd/destination.h"
#include "smtpd/peer.h"

#include "param/param.h"

static const struct attr_row rows[] = {
    {"NAME", ATTR_NAME},
    {"REVERSE_NAME", ATTR_NAME},
    {"ADDR", ATTR_ADDR},
    {"PORT", ATTR_PORT},
    {"PROTO", ATTR_PROTO},
    {"HELO", ATTR_TEXT},
    {"LOGIN", ATTR_LOGIN},
    {"DESTADDR", ATTR_ADDR},
    {"DESTPORT", ATTR_PORT},
    {NULL, 0},
};

static void take_name(
    struct session *s, const struct attr *a, const char **name, enum name_status *status)
{
	*status = a->temporary ? NAME_TEMPORARY : a->unavailable ? NAME_UNKNOWN : NAME_OK;
	*name = a->unavailable ? "unknown" : arena_cstr(&s->arena, a->value);
}

static void take_addr(struct session *s, const struct attr *a)
{
	struct client *c = &s->client;

	c->sock.len = 0;
	if (!a->unavailable)
		hostaddr_parse(&c->sock, a->value, 0, NULL);
	c->addr = a->unavailable ? "unknown" : arena_cstr(&s->arena, a->value);
}

static void take_login(struct session *s, const struct attr *a)
{
	s->sasl_username = a->unavailable ? NULL : arena_cstr(&s->arena, a->value);
	s->sasl_method = a->unavailable ? NULL : "XCLIENT";
}

static void apply(struct session *s, const struct attr *a)
{
	struct client *c = &s->client;
	const char *name = a->row->name;
	const char *text = a->unavailable ? "unknown" : arena_cstr(&s->arena, a->value);

	if (strcmp(name, "NAME") == 0) {
		take_name(s, a, &c->name, &c->name_status);
		/* Whoever tells only one name tells both (clients from before REVERSE_NAME). */
		take_name(s, a, &c->reverse_name, &c->reverse_status);
	} else if (strcmp(name, "REVERSE_NAME") == 0) {
		take_name(s, a, &c->reverse_name, &c->reverse_status);
	} else if (strcmp(name, "ADDR") == 0) {
		take_addr(s, a);
	} else if (strcmp(name, "PORT") == 0) {
		c->port = text;
	} else if (strcmp(name, "PROTO") == 0) {
		if (!a->unavailable)
			s->protocol = str_eq_nocase(a->value, STR("ESMTP")) ? "ESMTP" : "SMTP";
	} else if (strcmp(name, "HELO") == 0) {
		session_set_helo(s, a->unavailable ? (str){0} : a->value);
	} else if (strcmp(name, "LOGIN") == 0) {
		take_login(s, a);
	} else if (strcmp(name, "DESTADDR") == 0) {
		s->server_addr = text;
	} else if (strcmp(name, "DESTPORT") == 0) {
		s->server_port = text;
	}
}

/* REVERSE_NAME after NAME, whatever their order in the command. */
static void apply_all(struct session *s, const struct attr *attr, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(attr[i].row->name, "REVERSE_NAME") != 0)
			apply(s, &attr[i]);
	for (int i = 0; i < n; i++)
		if (strcmp(attr[i].row->name, "REVERSE_NAME") == 0)
			apply(s, &attr[i]);
}

void cmd_xclient(struct session *s, str args)
{
	struct attr attr[16];
	struct arena a = {0};
	int n;

	if (s->tx.open) {
		session_reply(s, "503 5.5.1 Error: MAIL transaction in progress");
		return;
	}
	if (!s->xclient) {
		session_reply(s, "550 5.7.0 Error: insufficient authorization");
		return;
	}
	n = attrs_parse(s, "XCLIENT", args, rows, &a, attr, ARRAY_SIZE(attr));
	if (n > 0) {
		bool speaks_for_others = s->xforward;

		transaction_reset(s);
		forwarded_reset(s);
		content_is_local(s); /* stays what the connection was */
		session_set_helo(s, (str){NULL, 0});
		s->protocol = "SMTP";
		apply_all(s, attr, n);
		peer_copy(s);
		peer_rights(s);
		s->xforward = speaks_for_others; /* a proxy's right, not that of its clients */
		session_greet(s);
		s->failed = true; /* the log counts it so: its reply is that of a new connection */
	}
	arena_free(&a);
}
