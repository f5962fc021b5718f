/* The bytes of a delivered message. */
#include "base/fault.h"
#include "base/file.h"
#include "mail/addr.h"
#include "param/param.h"
#include "queue/queue.h"
#include "virtual/box.h"
#include <errno.h>
#include <time.h>

#define PIECE (64u << 10)

struct sink {
	struct letter *l;
	int fd;
	struct buf out;
	uint64_t size, limit; /* 0: none */
};

static int sink_flush(struct sink *s)
{
	int fault = fault_at("virtual.write");
	size_t n = fault == FAULT_SHORT ? s->out.n / 2 : s->out.n;

	s->size += s->out.n;
	if (s->limit && s->size > s->limit)
		fault = EFBIG;
	if (fault > 0 || file_write_all(s->fd, s->out.p, n) < 0 || fault == FAULT_SHORT) {
		int code = fault > 0 ? fault : fault == FAULT_SHORT ? ENOSPC : errno;

		return err_errno(&s->l->err, code, "error writing message");
	}
	buf_clear(&s->out);
	return 0;
}

static void header_line(struct buf *out, const char *name, str address, bool path)
{
	buf_printf(out, path ? "%s: <" : "%s: ", name);
	addr_quote(out, address);
	buf_cstr(out, path ? ">\n" : "\n");
}

static void from_line(struct buf *out, str sender)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[64];

	buf_cstr(out, "From ");
	if (sender.n == 0)
		buf_cstr(out, "MAILER-DAEMON");
	addr_quote(out, sender);
	localtime_r(&now, &tm);
	strftime(text, sizeof text, "  %a %b %e %H:%M:%S %Y\n", &tm);
	buf_cstr(out, text);
}

static void put_top(struct sink *s, bool mbox)
{
	const struct letter *l = s->l;
	str orig = l->rcpt->orig_address;

	if (mbox)
		from_line(&s->out, l->d->m.sender);
	header_line(&s->out, "Return-Path", l->d->m.sender, true);
	if (conf.enable_original_recipient)
		header_line(&s->out, "X-Original-To", orig.n > 0 ? orig : l->rcpt->address, false);
	header_line(&s->out, "Delivered-To", l->rcpt->address, false);
}

static int put_content(struct sink *s, bool mbox)
{
	const struct ipc_deliver *m = &s->l->d->m;
	struct content_reader *r =
	    content_open(s->l->d->content_fd, m->content_offset, m->content_length);
	str line;
	int got;

	while ((got = content_line(r, &line)) == 1) {
		if (mbox && str_starts(line, STR("From ")))
			buf_char(&s->out, '>');
		buf_str(&s->out, line);
		buf_char(&s->out, '\n');
		if (s->out.n >= PIECE && sink_flush(s) < 0) {
			got = -2;
			break;
		}
	}
	if (got == -1)
		err_errno(&s->l->err, errno, "error reading message");
	content_close(r);
	return got < 0 ? -1 : 0;
}

int letter_write(struct letter *l, int fd, bool mbox, uint64_t have)
{
	struct sink s = {
	    .l = l, .fd = fd, .size = have, .limit = (uint64_t)conf.virtual_mailbox_limit};
	int r;

	l->writing = true;
	put_top(&s, mbox);
	r = put_content(&s, mbox);
	if (r == 0) {
		if (mbox)
			buf_char(&s.out, '\n');
		r = sink_flush(&s);
	}
	buf_free(&s.out);
	if (r == 0)
		l->writing = false;
	return r;
}
