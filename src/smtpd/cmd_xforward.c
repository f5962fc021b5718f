/* XFORWARD (XFORWARD_README): an authorised client tells for whom it sends the next message.
 *     "XFORWARD" 1*( SP attribute "=" xtext ) */
#include "smtpd/attrs.h"

#include <stdlib.h>

static const struct attr_row rows[] = {
    {"NAME", ATTR_NAME},
    {"ADDR", ATTR_ADDR},
    {"PORT", ATTR_PORT},
    {"PROTO", ATTR_TEXT},
    {"HELO", ATTR_TEXT},
    {"IDENT", ATTR_TEXT},
    {"SOURCE", ATTR_WHERE},
    {NULL, 0},
};

static char **place(struct forwarded *f, const char *name)
{
	char **const places[] = {
	    &f->name, &f->addr, &f->port, &f->proto, &f->helo, &f->ident, &f->source};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(rows[i].name, name) == 0)
			return places[i];
	return NULL;
}

static void apply(struct session *s, const struct attr *a)
{
	char **where;

	if (!s->forwarded)
		s->forwarded = mem_zero(sizeof(*s->forwarded));
	where = place(s->forwarded, a->row->name);
	free(*where);
	if (where != &s->forwarded->ident && where != &s->forwarded->source)
		s->forwarded->client = true;
	*where = a->unavailable || a->value.n == 0 ? NULL : str_dup(a->value);
}

void cmd_xforward(struct session *s, str args)
{
	struct attr attr[16];
	struct arena a = {0};
	int n;

	if (s->tx.open) {
		session_reply(s, "503 5.5.1 Error: MAIL transaction in progress");
		return;
	}
	if (!s->xforward) {
		session_reply(s, "550 5.7.0 Error: insufficient authorization");
		return;
	}
	n = attrs_parse(s, "XFORWARD", args, rows, &a, attr, ARRAY_SIZE(attr));
	for (int i = 0; i < n; i++)
		apply(s, &attr[i]);
	if (n > 0)
		session_reply(s, "250 2.0.0 Ok");
	arena_free(&a);
}
