/* Who may use which sender: smtpd_sender_login_maps (SASL_README). */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/addrfind.h"
#include "param/param.h"

static struct maps *logins;

void check_login_setup(void)
{
	logins = maps_open(
	    "smtpd_sender_login_maps", conf.smtpd_sender_login_maps, TABLE_FOLD | TABLE_UTF8);
}

static bool names(str list, const char *user)
{
	str word;

	while (str_word(&list, ", \t\r\n", &word))
		if (str_eq_nocase(word, str_of(user)))
			return true;
	return false;
}

/* Owners of the sender: found, none, or the table fails. */
static enum table_result find_owners(struct eval *e, struct buf *owners)
{
	const struct resolved *route = eval_sender_route(e);
	str sender = route ? route->recipient : e->s->tx.sender;
	struct err err;
	enum table_result t = addr_find(logins, sender, ADDR_FIND_LOGIN, owners, NULL, &err);

	if (t == TABLE_ERROR)
		log_warn("%s", err.text);
	return t;
}

static bool applies(struct eval *e, const struct rule *r)
{
	if (conf.smtpd_sasl_auth_enable)
		return e->s->tx.sender.n > 0 && !maps_empty(logins);
	log_warn("restriction `%s' ignored: no SASL support", r->name);
	return false;
}

static enum outcome judge(struct eval *e, bool only_known)
{
	const char *user = e->s->sasl_username;
	struct buf owners = {0};
	enum table_result t = find_owners(e, &owners);
	bool owned = t == TABLE_FOUND, his = owned && user && names(buf_view(&owners), user);

	buf_free(&owners);
	if (t == TABLE_ERROR)
		return eval_table_error(e, eval_sender(e));
	if (user && !his && (owned || !only_known))
		return eval_reject_subject(e, 553, "5.7.1", eval_sender(e),
		    arena_printf(e->arena, "not owned by user %s", user));
	if (!user && owned)
		return eval_reject_subject(e, 553, "5.7.1", eval_sender(e), "not logged in");
	return OUT_DUNNO;
}

enum outcome check_sender_login(struct eval *e, const struct rule *r)
{
	return applies(e, r) ? judge(e, false) : OUT_DUNNO;
}

enum outcome check_known_sender_login(struct eval *e, const struct rule *r)
{
	return applies(e, r) ? judge(e, true) : OUT_DUNNO;
}

enum outcome check_auth_sender_login(struct eval *e, const struct rule *r)
{
	return applies(e, r) && e->s->sasl_username ? judge(e, false) : OUT_DUNNO;
}

enum outcome check_unauth_sender_login(struct eval *e, const struct rule *r)
{
	return applies(e, r) && !e->s->sasl_username ? judge(e, false) : OUT_DUNNO;
}
