/* MAIL and RCPT with their parameters (RFC 5321 4.1.1, RFC 1870, RFC 3461, RFC 6152, RFC 6531). */
#include "smtp/smtp.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "queue/envelope.h"

static void quote(struct buf *out, str address)
{
	if (conf.smtp_quote_rfc821_envelope)
		addr_quote(out, address);
	else
		buf_str(out, address);
}

/* A line break would begin a command of its own; quoting would hide it. */
static bool is_sane(str address)
{
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] < ' ' || address.p[i] == 127)
			return false;
	return true;
}

/* The address as this server gets it: generic maps, A-labels where SMTPUTF8 is not used, quotes. */
static int put_address(
    struct delivery *d, struct buf *out, str address, bool utf8, struct trouble *t)
{
	struct buf a = {0}, ascii = {0};
	struct err err;
	int status = 0;

	if (generic_address(address, &a, &err) < 0) {
		log_warn("%.*s: smtp_generic_maps: %s", STR_FMT(d->m.queue_id), err.text);
		*t = (struct trouble){
		    .dsn = "4.3.0", .text = "address mapping failed", .relay = "none"};
		status = -1;
	} else if (!is_sane(buf_view(&a))) {
		*t = (struct trouble){.permanent = true,
		    .dsn = "5.1.3",
		    .text = "bad address syntax",
		    .relay = "none"};
		status = -1;
	} else if (!utf8 && !str_is_ascii(buf_view(&a)) &&
		   addr_to_ascii_domain(&ascii, buf_view(&a))) {
		quote(out, buf_view(&ascii));
	} else {
		quote(out, buf_view(&a));
	}
	buf_free(&a);
	buf_free(&ascii);
	return status;
}

int command_mail(
    const struct conn *c, struct delivery *d, bool utf8, struct buf *out, struct trouble *t)
{
	const struct ipc_deliver *m = &d->m;
	uint64_t caps = c->caps.mask;

	buf_cstr(out, "MAIL FROM:<");
	if (put_address(d, out, m->sender, utf8, t) < 0) {
		if (t->permanent)
			t->dsn = "5.1.7";
		return -1;
	}
	buf_char(out, '>');
	/* What may yet be converted has no known size. */
	if ((caps & EHLO_SIZE) && ((caps & EHLO_8BITMIME) || conf.disable_mime_output_conversion ||
				      (m->sender_flags & SENDER_BODY_7BIT)))
		buf_printf(out, " SIZE=%llu", (unsigned long long)m->size);
	/* By what client and Content-Transfer-Encoding declared (detect_8bit_encoding_header); the
	 * content's bytes only tell whether to convert it. */
	if ((caps & EHLO_8BITMIME) && (m->content_flags & CONTENT_MIME_8BIT))
		buf_cstr(out, " BODY=8BITMIME");
	else if ((caps & EHLO_8BITMIME) && (m->sender_flags & SENDER_BODY_7BIT))
		buf_cstr(out, " BODY=7BIT");
	if (caps & EHLO_DSN) {
		if (m->envid.n && is_sane(m->envid))
			buf_printf(out, " ENVID=%.*s", STR_FMT(m->envid));
		if (m->ret != DSN_RET_NONE)
			buf_printf(out, " RET=%s", m->ret == DSN_RET_FULL ? "FULL" : "HDRS");
	}
	if (utf8)
		buf_cstr(out, " SMTPUTF8");
	return 0;
}

/* RFC 3461 5.2.1: without an ORCPT we may give the address that the message came with. */
static void put_orcpt(struct buf *out, const struct delivery_rcpt *r, bool utf8)
{
	str orig = r->orig_address.n ? r->orig_address : r->address;
	struct buf quoted = {0};

	if (r->orcpt.n && is_sane(r->orcpt)) {
		if (utf8 || str_is_ascii(r->orcpt))
			buf_printf(out, " ORCPT=%.*s", STR_FMT(r->orcpt));
		return;
	}
	if (!str_is_ascii(orig))
		return;
	buf_cstr(out, " ORCPT=rfc822;");
	addr_quote(&quoted, orig);
	xtext_encode(out, buf_view(&quoted));
	buf_free(&quoted);
}

int command_rcpt(const struct conn *c, struct delivery *d, const struct delivery_rcpt *r, bool utf8,
    struct buf *out, struct trouble *t)
{
	buf_cstr(out, "RCPT TO:<");
	if (put_address(d, out, r->address, utf8, t) < 0)
		return -1;
	buf_char(out, '>');
	if (c->caps.mask & EHLO_DSN) {
		put_orcpt(out, r, utf8);
		if (r->notify) {
			buf_cstr(out, " NOTIFY=");
			dsn_print_notify(out, r->notify);
		}
	}
	return 0;
}
