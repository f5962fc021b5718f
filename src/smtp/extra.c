/* flags=DOR of the service: header lines that the copy gets on its way out, and the loops that
 * Delivered-To: tells of. */
#include "smtp/smtp.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/header.h"
#include "queue/queue.h"

static void put(struct buf *out, const char *name, const char *open, str address, const char *close)
{
	struct buf text = {0};

	buf_printf(&text, "%s: %s", name, open);
	addr_quote(&text, address);
	buf_cstr(&text, close);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ')
			text.p[i] = '?';
	header_wire(out, buf_view(&text));
	buf_free(&text);
}

/* The one recipient that is left; NULL when there are more. */
static const struct delivery_rcpt *only_rcpt(const struct delivery *d)
{
	const struct delivery_rcpt *only = NULL;

	for (size_t i = 0; i < d->nrcpts; i++) {
		if (d->rcpts[i].done)
			continue;
		if (only)
			return NULL;
		only = &d->rcpts[i];
	}
	return only;
}

void extra_headers(const struct delivery *d, struct buf *out)
{
	const struct delivery_rcpt *r = only_rcpt(d);

	if (smtp_flags.return_path)
		put(out, "Return-Path", "<", d->m.sender, ">");
	if (!smtp_flags.delivered_to && !smtp_flags.original_to)
		return;
	if (!r) {
		log_warn("%.*s: flags=DO needs %.*s_destination_recipient_limit = 1",
		    STR_FMT(d->m.queue_id), STR_FMT(d->m.transport));
		return;
	}
	if (smtp_flags.original_to)
		put(out, "X-Original-To", "", r->orig_address.n ? r->orig_address : r->address, "");
	if (smtp_flags.delivered_to)
		put(out, "Delivered-To", "", r->address, "");
}

int extra_is_loop(const struct delivery *d, str rcpt)
{
	struct content_reader *in =
	    content_open(d->content_fd, d->m.content_offset, d->m.content_length);
	struct buf quoted = {0};
	int more, loop = 0;
	str line;

	addr_quote(&quoted, rcpt);
	while (!loop && (more = content_line(in, &line)) > 0 && line.n > 0)
		if (content_line_begins(in) && str_starts_nocase(line, STR("Delivered-To:")) &&
		    str_eq_nocase(str_trim(str_from(line, 13)), buf_view(&quoted)))
			loop = 1;
	if (!loop && more < 0)
		loop = -1;
	content_close(in);
	buf_free(&quoted);
	return loop;
}
