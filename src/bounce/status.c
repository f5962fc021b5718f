/* The part for machines: message/delivery-status (RFC 3464 2), in UTF-8 as
 * message/global-delivery-status (RFC 6533 4). */
#include "bounce/report.h"

#include "base/clock.h"
#include "ipc/deliver.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"

/* One UTF-8 character at the start of s: its length, and its code point; 0 for what is none. */
static size_t utf8_char(str s, unsigned long *point)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n == 0 || s.n < n || !utf8_valid(str_head(s, n)))
		return 0;
	*point = c & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++)
		*point = *point << 6 | ((unsigned char)s.p[i] & 0x3f);
	return n;
}

/* RFC 6533 3: EmbeddedUnicodeChar = "\x{" HEXPOINT "}" */
void status_ascii_address(struct buf *out, str address)
{
	unsigned long point;

	while (address.n > 0) {
		size_t n = (unsigned char)address.p[0] < 0x80 ? 0 : utf8_char(address, &point);

		if (n)
			buf_printf(out, "\\x{%lX}", point);
		else
			buf_char(out, (unsigned char)address.p[0] < 0x80 ? address.p[0] : '?');
		address = str_from(address, n ? n : 1);
	}
}

/* In a report that is ASCII other bytes cannot be shown. */
static void presentable(const struct report *r, struct buf *line)
{
	for (size_t i = 0; i < line->n; i++)
		if ((unsigned char)line->p[i] >= 0x80 && !report_is_global(r))
			line->p[i] = '?';
}

/* A field of words, folded. */
static void field(const struct report *r, struct cleanup *c, struct buf *line)
{
	presentable(r, line);
	report_fold(c, buf_view(line));
	buf_free(line);
}

/* A field with an address or an ID: one line, whose white space means something. */
static void whole_field(const struct report *r, struct cleanup *c, struct buf *line)
{
	presentable(r, line);
	report_line(c, line);
	buf_free(line);
}

static void address_field(
    const struct report *r, struct cleanup *c, const char *name, const char *gap, str external)
{
	struct buf line = {0};

	buf_printf(&line, "%s: %s;%s", name, str_is_ascii(external) ? "rfc822" : "utf-8", gap);
	if (report_is_global(r))
		buf_str(&line, external);
	else
		status_ascii_address(&line, external);
	whole_field(r, c, &line);
}

static void per_message(const struct report *r, struct cleanup *c)
{
	char date[CLOCK_MAIL_DATE];
	struct buf line = {0}, text = {0};

	cleanup_line(c, "Reporting-MTA: dns; %s", conf.myhostname);
	if (r->m.envid.n && xtext_decode(&text, r->m.envid)) {
		buf_printf(&line, "Original-Envelope-Id: %s", buf_text(&text));
		whole_field(r, c, &line);
	}
	buf_clear(&text);
	cleanup_line(c, "X-%s-Queue-ID: %.*s", conf.mail_name, STR_FMT(r->m.queue_id));
	report_sender(r, &text);
	buf_printf(&line, "X-%s-Sender", conf.mail_name);
	address_field(r, c, buf_text(&line), " ", buf_view(&text));
	cleanup_line(c, "Arrival-Date: %s", clock_mail_date(r->m.arrival_us / 1000000, date));
	buf_free(&line);
	buf_free(&text);
}

static const char *action(const struct report *r, const struct ipc_rcpt_status *st)
{
	if (r->m.kind == NOTIFY_DELAY)
		return "delayed";
	return st->kind == RCPT_BOUNCED	   ? "failed"
	       : st->kind == RCPT_DEFERRED ? "delayed"
					   : "delivered";
}

/* "rfc822;xtext" with its text decoded, or the address that the message came with. */
static void original_recipient(
    const struct report *r, const struct report_rcpt *x, struct cleanup *c)
{
	ptrdiff_t semi = str_chr(x->rcpt.orcpt, ';');
	struct buf text = {0}, line = {0};

	if (semi > 0 && xtext_decode(&text, str_from(x->rcpt.orcpt, (size_t)semi + 1))) {
		buf_printf(&line, "Original-Recipient: %.*s;%s", (int)semi, x->rcpt.orcpt.p,
		    buf_text(&text));
		whole_field(r, c, &line);
	} else if (x->rcpt.orig_address.n) {
		buf_clear(&text);
		report_address(&text, x->rcpt.orig_address);
		address_field(r, c, "Original-Recipient", "", buf_view(&text));
	}
	buf_free(&text);
}

static void diagnostic(const struct report *r, const struct ipc_rcpt_status *st, struct cleanup *c)
{
	struct buf line = {0};

	if (st->mta_name.n)
		cleanup_line(
		    c, "Remote-MTA: %.*s; %.*s", STR_FMT(st->mta_type), STR_FMT(st->mta_name));
	if (st->diag.n) {
		buf_printf(&line, "Diagnostic-Code: %.*s; %.*s", STR_FMT(st->diag_type),
		    STR_FMT(st->diag));
	} else {
		buf_printf(&line, "Diagnostic-Code: X-%s; ", conf.mail_name);
		report_reason(r, st, &line);
	}
	field(r, c, &line);
}

static void per_rcpt(const struct report *r, const struct report_rcpt *x, struct cleanup *c)
{
	const struct ipc_rcpt_status *st = &x->status;
	char date[CLOCK_MAIL_DATE];
	struct buf final = {0};

	cleanup_line(c, "%s", "");
	report_address(&final, x->rcpt.address);
	address_field(r, c, "Final-Recipient", " ", buf_view(&final));
	buf_free(&final);
	original_recipient(r, x, c);
	if (str_eq(st->action, STR(ACTION_PASSED_ON)))
		cleanup_line(c, "Action: relayed");
	else if (st->action.n && r->m.kind != NOTIFY_DELAY)
		cleanup_line(c, "Action: %.*s", STR_FMT(st->action));
	else
		cleanup_line(c, "Action: %s", action(r, st));
	cleanup_line(c, "Status: %.*s", STR_FMT(st->dsn));
	diagnostic(r, st, c);
	if (r->m.kind == NOTIFY_DELAY && r->m.expire_us)
		cleanup_line(
		    c, "Will-Retry-Until: %s", clock_mail_date(r->m.expire_us / 1000000, date));
}

void status_part(const struct report *r, struct cleanup *c)
{
	cleanup_line(c, "Content-Description: Delivery report");
	cleanup_line(
	    c, "Content-Type: message/%sdelivery-status", report_is_global(r) ? "global-" : "");
	if (report_is_global(r))
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	per_message(r, c);
	for (size_t i = 0; i < r->nrcpts; i++)
		per_rcpt(r, &r->rcpts[i], c);
}
