#include "mail/received.h"

#include "base/clock.h"
#include "mail/addr.h"
#include "mail/header.h"

/* What a client said stands in a header that others parse: no line breaks, nothing invisible. */
static void put_clean(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n && i < 1000; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_char(out, c < ' ' || c == 127 ? '?' : (char)c);
	}
}

static void put_comment(struct buf *out, str text)
{
	str line;

	buf_cstr(out, "\n\t(");
	for (bool first = true; str_split(&text, '\n', &line); first = false) {
		if (!first)
			buf_cstr(out, "\n\t ");
		put_clean(out, str_trim(line));
	}
	buf_char(out, ')');
}

static void put_client(struct buf *out, const struct received *r)
{
	buf_cstr(out, "from ");
	put_clean(out, r->helo);
	buf_cstr(out, " (");
	put_clean(out, r->client_name);
	buf_cstr(out, " [");
	if (str_chr(r->client_addr, ':') >= 0 && !str_starts_nocase(r->client_addr, STR("IPv6:")))
		buf_cstr(out, "IPv6:");
	put_clean(out, r->client_addr);
	buf_cstr(out, "])");
	if (r->tls.n)
		put_comment(out, r->tls);
	if (r->auth.n)
		put_comment(out, r->auth);
	buf_cstr(out, "\n\t");
}

void received_put(struct buf *out, const struct received *r)
{
	char date[CLOCK_MAIL_DATE];

	buf_cstr(out, "Received: ");
	if (r->helo.n)
		put_client(out, r);
	buf_cstr(out, "by ");
	buf_str(out, r->myhostname);
	buf_cstr(out, " (");
	buf_str(out, r->mail_name);
	if (!r->helo.n)
		buf_printf(out, ", from userid %ld", r->userid);
	buf_char(out, ')');
	if (r->helo.n) {
		buf_cstr(out, " with ");
		buf_str(out, r->protocol);
	}
	if (r->queue_id.n) {
		buf_cstr(out, r->helo.n ? " id " : "\n\tid ");
		buf_str(out, r->queue_id);
	}
	if (r->rcpt.n) {
		struct buf rcpt = {0};

		buf_cstr(out, "\n\tfor <");
		addr_quote(&rcpt, r->rcpt);
		put_clean(out, buf_view(&rcpt));
		buf_char(out, '>');
		buf_free(&rcpt);
	}
	/* Without a recipient a session's line is full. */
	buf_cstr(out, r->helo.n && !r->rcpt.n ? ";\n\t" : "; ");
	buf_cstr(out, clock_mail_date(r->when, date));
}

unsigned received_count(str header)
{
	str line;
	unsigned count = 0;

	while (str_split(&header, '\n', &line)) {
		size_t n = header_name_length(line);

		if (line.n == 0 || (line.n == 1 && line.p[0] == '\r'))
			break;
		if (n && str_eq_nocase(str_head(line, n), STR("Received")))
			count++;
	}
	return count;
}
