#include "smtpd/proxy_checks.h"

#include "log/event.h"
#include "log/log.h"
#include "mail/checks.h"
#include "mail/dsn.h"
#include "param/param.h"

static struct checks tables = {.where = C_MILTER,
    .params = {"milter_header_checks", "milter_header_checks", "milter_header_checks",
	"milter_header_checks"},
    .lists = {"", "", "", ""}};

void proxy_checks_setup(void)
{
	tables.lists[CHECK_HEADER] = conf.milter_header_checks;
	checks_open(&tables);
}

/* "5.7.1 text" */
static const char *reason(struct session *s, str text)
{
	if (text.n == 0)
		return "5.7.1 message content rejected";
	if (dsn_valid(text) > 0 && text.p[0] != '2')
		return arena_cstr(&s->tx.arena, text);
	return arena_printf(&s->tx.arena, "5.7.1 %.*s", STR_FMT(text));
}

static void act(struct session *s, const struct check_result *r, const char **refusal)
{
	const char *why;

	switch (r->action) {
	case CHECK_REJECT:
		why = reason(s, r->text);
		if (!*refusal)
			*refusal =
			    arena_printf(&s->tx.arena, "%s %s", why[0] == '4' ? "451" : "550", why);
		break;
	case CHECK_DISCARD:
		s->tx.act.discard = true;
		break;
	case CHECK_HOLD:
		s->tx.act.hold = true;
		break;
	case CHECK_FILTER:
	case CHECK_REDIRECT:
	case CHECK_BCC:
	case CHECK_PREPEND:
		log_warn("milter_header_checks: with smtpd_proxy_filter specified, action %s is "
			 "unavailable",
		    check_verb(r->action));
		break;
	default:
		break;
	}
}

static void log_check(struct session *s, const struct check_result *r, str field)
{
	const char *verb = check_verb(r->action), *why = NULL;

	if (!verb)
		return;
	if (r->action == CHECK_REJECT)
		why = reason(s, r->text);
	else if (r->text.n)
		why = arena_cstr(&s->tx.arena, r->text);
	log_cleanup_check(s->tx.queue_id, arena_printf(&s->tx.arena, "milter-header-%s", verb),
	    "header", field, s->client.namaddr, s->tx.sender,
	    s->tx.nrcpts ? s->tx.rcpts[s->tx.nrcpts - 1].address : LOG_NONE, s->protocol, s->helo,
	    why);
}

bool proxy_check_field(struct session *s, str *text, const char **refusal)
{
	struct check_result r = {0};
	struct err err;

	if (!checks_any(&tables))
		return true;
	if (checks_look(&tables, CHECK_HEADER, *text, &r, &err) < 0) {
		log_warn("%s", err.text);
		*refusal = "451 4.3.0 Error: queue file write error";
	} else {
		log_check(s, &r, *text);
		act(s, &r, refusal);
		if (r.replace)
			*text = arena_str(&s->tx.arena, r.text);
	}
	check_result_free(&r);
	return !r.drop;
}
