/* The part for people: the template's text, then each recipient with its reason. */
#include "bounce/report.h"

#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"

static void expand(const struct report *r, struct buf *out)
{
	const struct bounce_text *t = bounce_text(r->text);
	struct err err;

	if (bounce_text_expand(t, out, &err) < 0)
		log_warn("%s: %s", t->name, err.text);
}

bool text_is_eight_bit(const struct report *r, const struct notification *n)
{
	struct buf text = {0};
	bool found;

	if (!n->postmaster)
		expand(r, &text);
	found = !str_is_ascii(buf_view(&text));
	buf_free(&text);
	for (size_t i = 0; i < r->nrcpts && !found; i++)
		found = !str_is_ascii(r->rcpts[i].rcpt.address) ||
			!str_is_ascii(r->rcpts[i].rcpt.orig_address) ||
			!str_is_ascii(r->rcpts[i].status.reason);
	return found;
}

static void put_lines(struct cleanup *c, str text)
{
	str line;

	if (str_ends(text, STR("\n")))
		text.n--;
	while (str_split(&text, '\n', &line))
		cleanup_line(c, "%.*s", STR_FMT(line));
}

void report_reason(const struct report *r, const struct ipc_rcpt_status *st, struct buf *out)
{
	bool news = r->m.kind == NOTIFY_SUCCESS || r->m.kind == NOTIFY_TRACE;

	if (news && st->relay.n && !str_eq(st->relay, STR("none")))
		buf_printf(out, "delivery via %.*s: ", STR_FMT(st->relay));
	buf_str(out, st->reason);
}

/* "<user@dom>: reason" */
static void reason(const struct report *r, const struct report_rcpt *x, struct cleanup *c)
{
	struct buf text = {0};

	buf_char(&text, '<');
	report_address(&text, x->rcpt.address);
	buf_char(&text, '>');
	if (x->rcpt.orig_address.n && !str_eq_nocase(x->rcpt.orig_address, x->rcpt.address)) {
		buf_cstr(&text, " (expanded from <");
		report_address(&text, x->rcpt.orig_address);
		buf_cstr(&text, ">)");
	}
	buf_cstr(&text, ": ");
	report_reason(r, &x->status, &text);
	report_fold(c, buf_view(&text));
	buf_free(&text);
}

void text_part(const struct report *r, const struct notification *n, struct cleanup *c)
{
	const struct bounce_text *t = bounce_text(r->text);
	bool eight_bit = report_is_eight_bit(r, n);
	const char *charset = t->charset;
	struct buf text = {0};

	/* What we append is UTF-8 where it is not ASCII. */
	if (eight_bit && strcasecmp(charset, "us-ascii") == 0)
		charset = "utf-8";
	cleanup_line(c, "Content-Description: Notification");
	cleanup_line(c, "Content-Type: text/plain; charset=%s", charset);
	if (eight_bit)
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	if (!n->postmaster) {
		expand(r, &text);
		put_lines(c, buf_view(&text));
		buf_free(&text);
	}
	for (size_t i = 0; i < r->nrcpts; i++) {
		cleanup_line(c, "%s", "");
		reason(r, &r->rcpts[i], c);
	}
}
