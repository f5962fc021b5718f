/* Restrictions on the client's address and name. */
#include "smtpd/client.h"
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/own.h"
#include "param/param.h"
#include "table/matchlist.h"

static struct matchlist *mynetworks;

void check_client_setup(void)
{
	mynetworks = matchlist_open("mynetworks", conf.mynetworks, MATCH_HOST);
}

static enum table_result in_mynetworks(struct session *s)
{
	struct err err;

	return matchlist_host(mynetworks, str_of(s->client.name), str_of(s->client.addr), &err);
}

enum outcome check_mynetworks(struct eval *e, const struct rule *r)
{
	(void)r;
	switch (in_mynetworks(e->s)) {
	case TABLE_FOUND:
		return OUT_OK;
	case TABLE_NONE:
		return OUT_DUNNO;
	default:
		eval_defer_if_reject(e, 451, "4.3.0", "%s: %s rejected: Temporary lookup failure",
		    eval_object(e), eval_class(e));
		return OUT_DUNNO;
	}
}

enum outcome check_inet_interfaces(struct eval *e, const struct rule *r)
{
	(void)r;
	return own_address(&e->s->client.sock) ? OUT_OK : OUT_DUNNO;
}

enum outcome check_unknown_client(struct eval *e, const struct rule *r)
{
	const struct client *c = &e->s->client;

	(void)r;
	if (c->name_status == NAME_OK)
		return OUT_DUNNO;
	return eval_reject(e, c->name_status == NAME_TEMPORARY ? 450 : conf.unknown_client_reject_code,
	    "5.7.25", "Client host rejected: cannot find your hostname, [%s]", c->addr);
}

enum outcome check_unknown_reverse_client(struct eval *e, const struct rule *r)
{
	const struct client *c = &e->s->client;

	(void)r;
	if (c->reverse_status == NAME_OK)
		return OUT_DUNNO;
	return eval_reject(e, c->reverse_status == NAME_TEMPORARY ? 450 : conf.unknown_client_reject_code,
	    "5.7.1", "Client host rejected: cannot find your reverse hostname, [%s]", c->addr);
}

/* The words that local_header_rewrite_clients knows. */
bool client_is_local(struct session *s, const char *list)
{
	str rest = str_of(list), word;
	struct buf value = {0};
	struct err err;
	bool yes = false;

	while (!yes && str_word_braced(&rest, ", \t\r\n", &word)) {
		if (str_eq_nocase(word, STR("permit_inet_interfaces")))
			yes = own_address(&s->client.sock);
		else if (str_eq_nocase(word, STR("permit_mynetworks")))
			yes = in_mynetworks(s) == TABLE_FOUND;
		else if (str_chr(word, ':') > 0) { /* behind check_address_map, or bare */
			struct table *t = table_open(word, TABLE_FOLD, &err);
			yes = t && table_get(t, str_of(s->client.addr), &value, &err) == TABLE_FOUND;
		}
	}
	buf_free(&value);
	return yes;
}
