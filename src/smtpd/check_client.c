/* Restrictions on the client's address, name and rights. */
#include "smtpd/client.h"
#include "smtpd/eval.h"
#include "smtpd/peer.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/own.h"
#include "param/param.h"

static bool has_own_address(const struct session *s)
{
	return s->client.sock.len > 0 && own_address(&s->client.sock);
}

static bool logged_in(const struct session *s)
{
	return conf.smtpd_sasl_auth_enable && s->sasl_username;
}

enum outcome check_mynetworks(struct eval *e, const struct rule *r)
{
	switch (peer_in_mynetworks(e->s)) {
	case ANSWER_YES:
		return eval_permit(e, r->name, eval_client(e), NULL);
	case ANSWER_NO:
		return OUT_DUNNO;
	default:
		eval_defer_if_reject(e, 451, "4.3.0", eval_client(e), "Temporary lookup failure");
		return OUT_DUNNO;
	}
}

enum outcome check_inet_interfaces(struct eval *e, const struct rule *r)
{
	return has_own_address(e->s) ? eval_permit(e, r->name, eval_client(e), NULL) : OUT_DUNNO;
}

enum outcome check_sasl_authenticated(struct eval *e, const struct rule *r)
{
	return logged_in(e->s) ? eval_permit(e, r->name, eval_client(e), NULL) : OUT_DUNNO;
}

/* A session without TLS has no certificate. */
enum outcome check_tls_clientcerts(struct eval *e, const struct rule *r)
{
	(void)e;
	(void)r;
	return OUT_DUNNO;
}

static enum outcome nameless(
    struct eval *e, enum name_status status, const char *dsn, const char *what)
{
	int code = status == NAME_TEMPORARY ? 450 : conf.unknown_client_reject_code;

	if (status == NAME_OK)
		return OUT_DUNNO;
	return eval_reject(e, code, dsn, "Client host rejected: cannot find your %shostname, [%s]",
	    what, e->s->client.addr);
}

enum outcome check_unknown_client(struct eval *e, const struct rule *r)
{
	(void)r;
	return nameless(e, e->s->client.name_status, "5.7.25", "");
}

enum outcome check_unknown_reverse_client(struct eval *e, const struct rule *r)
{
	(void)r;
	return nameless(e, e->s->client.reverse_status, "5.7.1", "reverse ");
}

/* A name whose own look-up finds nothing; one that leads elsewhere will do. */
enum outcome check_unknown_forward_client(struct eval *e, const struct rule *r)
{
	(void)r;
	return nameless(e, e->s->client.forward_status, "5.7.1", "forward ");
}

/* --- local_header_rewrite_clients */

struct clause {
	bool (*test)(const struct session *s);
	struct table *table;
};
static struct clause *clauses;
static size_t nclauses;

static bool in_mynetworks(const struct session *s)
{
	return peer_in_mynetworks((struct session *)s) == ANSWER_YES;
}

static bool has_certificate(const struct session *s)
{
	(void)s;
	return false;
}

static const struct {
	const char *word;
	bool (*test)(const struct session *s);
} words[] = {
    {"permit_inet_interfaces", has_own_address},
    {"permit_mynetworks", in_mynetworks},
    {"permit_sasl_authenticated", logged_in},
    {"permit_tls_clientcerts", has_certificate},
    {"permit_tls_all_clientcerts", has_certificate},
};

static void add_clause(str word)
{
	struct clause c = {0};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(word, str_of(words[i].word)))
			c.test = words[i].test;
	if (!c.test && str_chr(word, ':') > 0) {
		c.table = table_open(word, TABLE_FOLD, &err);
		if (!c.table)
			log_warn("local_header_rewrite_clients: %s", err.text);
	} else if (!c.test && !str_eq_nocase(word, STR("check_address_map"))) {
		log_warn("local_header_rewrite_clients: unknown word \"%.*s\"", STR_FMT(word));
	}
	if (c.test || c.table) {
		clauses = mem_realloc(clauses, (nclauses + 1) * sizeof(*clauses));
		clauses[nclauses++] = c;
	}
}

void check_client_setup(void)
{
	str rest = str_of(conf.local_header_rewrite_clients), word;

	while (str_word_braced(&rest, ", \t\r\n", &word))
		add_clause(word);
}

bool client_is_local(struct session *s)
{
	struct buf value = {0};
	struct err err;
	bool yes = false;

	for (size_t i = 0; i < nclauses && !yes; i++)
		yes = clauses[i].test ? clauses[i].test(s)
				      : table_get(clauses[i].table, str_of(s->client.addr), &value,
					    &err) == TABLE_FOUND;
	buf_free(&value);
	return yes;
}
