/* ETRN (RFC 1985): start delivery to a site. Its replies have no enhanced codes. */
#include "smtpd/session.h"

#include "ipc/flush.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/restrict.h"
#include "smtpd/standalone.h"
#include "smtpwire/esmtp.h"
#include "table/matchlist.h"

static struct matchlist *fast_flush;

void etrn_setup(void)
{
	fast_flush = matchlist_open("fast_flush_domains", conf.fast_flush_domains, MATCH_DOMAIN);
}

/* "@domain" and "#queue" ask for more than a domain (RFC 1985 5.3); here they mean the domain. */
static str plain(str site)
{
	return site.p[0] == '@' || site.p[0] == '#' ? str_from(site, 1) : site;
}

static bool valid_site(str site)
{
	str ip;

	if (str_starts(site, STR("[")))
		return addr_literal(site, &ip);
	site = plain(site);
	return hostname_valid(site, NULL);
}

/* Only for sites whose mail is worth finding quickly (ETRN_README). */
static void flush(struct session *s, str site)
{
	struct err err;

	if (matchlist_name(fast_flush, site, &err) != TABLE_FOUND) {
		log_warn("reject: ETRN %.*s... from %s", STR_FMT(str_head(site, 100)),
		    s->client.namaddr);
		session_reply(s, "459 <%.*s>: service unavailable", STR_FMT(site));
	} else if (flush_queue(STR(""), site, deadline_in(conf.ipc_timeout * 1000L), &err) < 0) {
		log_warn("ETRN %.*s: %s", STR_FMT(site), err.text);
		session_reply(s, "458 Unable to queue messages");
	} else {
		session_reply(s, "250 Queuing started");
	}
}

void cmd_etrn(struct session *s, str args)
{
	str rest = args, site, more;

	if (conf.smtpd_helo_required && !s->helo) {
		session_reply(s, "503 Error: send HELO/EHLO first");
	} else if (!milters_session(s)) {
		session_reply_text(s, buf_view(&s->verdict));
	} else if (s->tx.open) {
		session_reply(s, "503 Error: MAIL transaction in progress");
	} else if (!str_word(&rest, " \t", &site) || str_word(&rest, " \t", &more)) {
		session_reply(s, "500 Syntax: ETRN domain");
	} else if (!valid_site(site)) {
		session_reply(s, "501 Error: invalid parameter syntax");
	} else if (standalone()) {
		log_warn("do not use ETRN in \"sendmail -bs\" mode");
		session_reply(s, "458 Unable to queue messages");
	} else if (!restrict_etrn(s, site = plain(site))) {
		session_reply_text(s, buf_view(&s->verdict));
	} else {
		flush(s, site);
	}
}
