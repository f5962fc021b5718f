#include "mailbox/copy.h"
#include "mail/addr.h"
#include "mail/header.h"
#include "param/param.h"
#include "queue/queue.h"
#include <errno.h>
#include <time.h>

#define PIECE (64u << 10)

static struct content_reader *open_content(const struct delivery *d)
{
	return content_open(d->content_fd, d->m.content_offset, d->m.content_length);
}

str copy_original(const struct delivery_rcpt *r)
{
	return r->orig_address.n > 0 ? r->orig_address : r->address;
}

static void from_line(struct buf *out, const struct copy *c)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[64];

	buf_cstr(out, "From ");
	if (c->sender.n == 0)
		buf_cstr(out, "MAILER-DAEMON");
	else
		addr_quote(out, c->sender);
	localtime_r(&now, &tm);
	strftime(text, sizeof text, "  %a %b %e %H:%M:%S %Y", &tm);
	buf_cstr(out, text);
	buf_str(out, c->eol);
}

static void header_line(struct buf *out, const struct copy *c, const char *name, str address)
{
	buf_printf(out, "%s: ", name);
	addr_quote(out, address);
	buf_str(out, c->eol);
}

static void put_top(struct buf *out, const struct copy *c)
{
	if (c->flags & COPY_FROM)
		from_line(out, c);
	if (c->flags & COPY_RETURN_PATH) {
		buf_cstr(out, "Return-Path: <");
		if (c->sender.n > 0)
			addr_quote(out, c->sender);
		buf_char(out, '>');
		buf_str(out, c->eol);
	}
	if (c->flags & COPY_ORIG_TO && conf.enable_original_recipient)
		header_line(out, c, "X-Original-To", copy_original(c->rcpt));
	if (c->flags & COPY_DELIVERED_TO)
		header_line(out, c, "Delivered-To", c->rcpt->address);
}

static void put_line(
    struct buf *out, const struct copy *c, str line, const struct content_reader *r)
{
	bool begins = content_line_begins(r);

	if (begins && c->flags & COPY_QUOTE_FROM && str_starts(line, STR("From ")))
		buf_char(out, '>');
	if (begins && c->flags & COPY_QUOTE_DOT && line.n > 0 && line.p[0] == '.')
		buf_char(out, '.');
	buf_str(out, line);
	if (content_line_ends(r))
		buf_str(out, c->eol);
}

int copy_message(const struct copy *c, int (*put)(struct buf *piece, void *arg), void *arg)
{
	struct content_reader *r = open_content(c->d);
	struct buf out = {0};
	int got, refused = 0, code;
	str line;

	put_top(&out, c);
	while ((got = content_line(r, &line)) == 1 && !refused) {
		put_line(&out, c, line, r);
		if (out.n >= PIECE)
			refused = put(&out, arg);
	}
	code = errno;
	content_close(r);
	if (got == 0 && !refused) {
		if (c->flags & COPY_BLANK)
			buf_str(&out, c->eol);
		refused = put(&out, arg);
	}
	buf_free(&out);
	errno = code;
	return refused ? 1 : got < 0 ? -1 : 0;
}

/* --- loops */

static bool same_address(const struct buf *field, str address)
{
	struct buf value = {0};
	str name, text;
	bool same = false;

	if (header_split(buf_view(field), &name, &text) &&
	    str_eq_nocase(name, STR("Delivered-To"))) {
		header_unfold(&value, text);
		same = str_eq_nocase(str_trim(buf_view(&value)), address);
	}
	buf_free(&value);
	return same;
}

/* One field is kept at a time, and of that not more than could be such an address. */
#define FIELD_MAX 4096

static int scan(struct content_reader *r, str address)
{
	struct buf field = {0};
	bool found = false;
	int got;
	str line;

	while ((got = content_line(r, &line)) == 1 && line.n > 0) {
		if (!content_line_begins(r)) {
			continue; /* that much is no address */
		} else if (line.p[0] != ' ' && line.p[0] != '\t') {
			found |= same_address(&field, address);
			buf_clear(&field);
		} else {
			buf_char(&field, '\n');
		}
		buf_str(&field,
		    str_head(line, FIELD_MAX - (field.n < FIELD_MAX ? field.n : FIELD_MAX)));
	}
	found |= same_address(&field, address);
	buf_free(&field);
	return got < 0 ? -1 : found;
}

int copy_delivered_before(const struct delivery *d, str address)
{
	struct content_reader *r = open_content(d);
	struct buf quoted = {0};
	int found, code;

	addr_quote(&quoted, address);
	found = scan(r, buf_view(&quoted));
	code = errno;
	buf_free(&quoted);
	content_close(r);
	errno = code;
	return found;
}
