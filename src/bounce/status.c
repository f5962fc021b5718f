/* The machine-readable part: message/delivery-status (RFC 3464 2). */
#include "bounce/report.h"

#include "base/clock.h"
#include "ipc/deliver.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"

static void address_field(struct cleanup *c, const char *name, str address)
{
	struct buf a = {0};

	addr_quote(&a, address);
	cleanup_line(
	    c, "%s: %s; %s", name, str_is_ascii(address) ? "rfc822" : "utf-8", buf_text(&a));
	buf_free(&a);
}

static void per_message(struct report *r, struct cleanup *c)
{
	struct buf text = {0};
	char date[CLOCK_MAIL_DATE];

	cleanup_line(c, "Reporting-MTA: dns; %s", conf.myhostname);
	if (r->m.envid.n && xtext_decode(&text, r->m.envid))
		cleanup_line(c, "Original-Envelope-Id: %s", buf_text(&text));
	buf_free(&text);
	cleanup_line(c, "X-%s-Queue-ID: %.*s", conf.mail_name, STR_FMT(r->m.queue_id));
	if (r->m.sender.n) {
		buf_printf(&text, "X-%s-Sender", conf.mail_name);
		address_field(c, buf_text(&text), r->m.sender);
		buf_free(&text);
	}
	cleanup_line(c, "Arrival-Date: %s", clock_mail_date(r->m.arrival_us / 1000000, date));
}

static const char *action(const struct report *r, const struct ipc_rcpt_status *st)
{
	if (r->m.kind == NOTIFY_DELAY)
		return "delayed";
	return st->kind == RCPT_BOUNCED	   ? "failed"
	       : st->kind == RCPT_DEFERRED ? "delayed"
					   : "delivered";
}

/* "rfc822;xtext" with its text decoded. */
static void original_recipient(struct report_rcpt *x, struct cleanup *c)
{
	ptrdiff_t semi = str_chr(x->rcpt.orcpt, ';');
	struct buf text = {0};

	if (semi > 0 && xtext_decode(&text, str_from(x->rcpt.orcpt, semi + 1)))
		cleanup_line(
		    c, "Original-Recipient: %.*s;%s", (int)semi, x->rcpt.orcpt.p, buf_text(&text));
	else if (x->rcpt.orig_address.n)
		cleanup_line(c, "Original-Recipient: rfc822;%.*s", STR_FMT(x->rcpt.orig_address));
	buf_free(&text);
}

static void per_rcpt(struct report *r, struct report_rcpt *x, struct cleanup *c)
{
	const struct ipc_rcpt_status *st = &x->status;
	char date[CLOCK_MAIL_DATE];

	cleanup_line(c, "%s", "");
	address_field(c, "Final-Recipient", x->rcpt.address);
	original_recipient(x, c);
	if (str_eq(st->action, STR(ACTION_PASSED_ON)))
		cleanup_line(c, "Action: relayed");
	else if (st->action.n && r->m.kind != NOTIFY_DELAY)
		cleanup_line(c, "Action: %.*s", STR_FMT(st->action));
	else
		cleanup_line(c, "Action: %s", action(r, st));
	cleanup_line(c, "Status: %.*s", STR_FMT(st->dsn));
	if (st->mta_name.n)
		cleanup_line(c, "Remote-MTA: %.*s; %.*s", st->mta_type.n ? (int)st->mta_type.n : 3,
		    st->mta_type.n ? st->mta_type.p : "dns", STR_FMT(st->mta_name));
	if (st->diag.n)
		cleanup_line(
		    c, "Diagnostic-Code: %.*s; %.*s", STR_FMT(st->diag_type), STR_FMT(st->diag));
	else
		cleanup_line(c, "Diagnostic-Code: X-%s; %.*s", conf.mail_name, STR_FMT(st->reason));
	if (r->m.kind == NOTIFY_DELAY && r->m.expire_us)
		cleanup_line(
		    c, "Will-Retry-Until: %s", clock_mail_date(r->m.expire_us / 1000000, date));
}

void status_part(struct report *r, struct cleanup *c)
{
	per_message(r, c);
	for (size_t i = 0; i < r->nrcpts; i++)
		per_rcpt(r, &r->rcpts[i], c);
}
