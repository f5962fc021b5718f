/* The content on its way out. As a rule it goes as it lies in the queue; it is converted only when
 * the server lacks 8BITMIME, a line is too long, or addresses and headers are to be edited. */
#include "smtp/smtp.h"

#include "log/log.h"
#include "mail/mime.h"
#include "param/param.h"
#include "queue/queue.h"
#include "smtp/edit.h"
#include "smtpwire/wire.h"

#include <errno.h>
#include <unistd.h>

#define SMALL (32 * 1024) /* content up to this size goes in one write with its final dot */
#define PIECE (32 * 1024)

static struct mime_limits limits;

void body_setup(void)
{
	limits = (struct mime_limits){
	    .header_size = conf.header_size_limit,
	    .line = conf.line_length_limit,
	    .boundary = conf.mime_boundary_length_limit,
	    .nesting = conf.mime_nesting_limit,
	};
	edit_setup();
}

bool body_is_eight_bit(const struct delivery *d)
{
	return (d->m.content_flags &
		   (CONTENT_MIME_8BIT | CONTENT_8BIT_BODY | CONTENT_8BIT_HEADER)) != 0;
}

static int out(struct conn *c, str wire)
{
	if (stream_write(c->io, wire.p, wire.n, deadline_in(conf.smtp_data_xfer_timeout * 1000L)) ==
	    WAIT_OK)
		return 0;
	c->broken = true;
	return -1;
}

/* Reads the next piece of content; its length, 0 at the end, -1 when the file is too short. */
static ssize_t read_piece(const struct delivery *d, uint64_t at, char *p, size_t max)
{
	uint64_t left = d->m.content_length - at;
	size_t want = left < max ? (size_t)left : max;
	ssize_t n;

	if (want == 0)
		return 0;
	n = pread(d->content_fd, p, want, (off_t)(d->m.content_offset + at));
	if (n > 0)
		return n;
	log_warn("%.*s: cannot read %.*s: %s", STR_FMT(d->m.queue_id), STR_FMT(d->m.path),
	    n < 0 ? strerror(errno) : "it is shorter than it should be");
	return -1;
}

static int send_as_is(struct conn *c, struct delivery *d)
{
	int64_t deadline = deadline_in(conf.smtp_data_xfer_timeout * 1000L);
	ssize_t n;

	if (d->m.content_length > SMALL) {
		if (stream_send_file(c->io, d->content_fd, (int64_t)d->m.content_offset,
			(size_t)d->m.content_length, deadline) == WAIT_OK)
			return 0;
		c->broken = true;
		return -1;
	}
	for (uint64_t at = 0; at < d->m.content_length; at += (uint64_t)n) {
		char *p = buf_room(&c->io->out, SMALL);
		n = read_piece(d, at, p, SMALL);
		if (n < 0)
			return -2;
		buf_added(&c->io->out, (size_t)n);
	}
	return 0;
}

/* The stages that this server and configuration need; each takes wire form and gives wire form. */
struct pipeline {
	struct conn *c;
	struct edit *edit;
	struct mime_down *down;
	struct wire_fold *fold, fold_state;
	struct buf a, b, d;
};

static int pass(struct pipeline *p, str wire, bool end)
{
	if (p->edit) {
		buf_clear(&p->a);
		edit_feed(p->edit, wire, &p->a);
		if (end)
			edit_end(p->edit, &p->a);
		wire = buf_view(&p->a);
	}
	if (p->down) {
		buf_clear(&p->b);
		mime_down_feed(p->down, wire, &p->b);
		if (end)
			mime_down_end(p->down, &p->b);
		wire = buf_view(&p->b);
	}
	if (p->fold) {
		buf_clear(&p->d);
		wire_fold_feed(p->fold, wire, &p->d);
		if (end)
			wire_fold_end(p->fold, &p->d);
		wire = buf_view(&p->d);
	}
	return out(p->c, wire);
}

static int send_converted(struct pipeline *p, struct delivery *d)
{
	struct buf piece = {0};
	int status = 0;
	ssize_t n;

	for (uint64_t at = 0; status == 0; at += (uint64_t)n) {
		buf_clear(&piece);
		n = read_piece(d, at, buf_room(&piece, PIECE), PIECE);
		if (n <= 0) {
			status = n < 0 ? -2 : 1;
			break;
		}
		status = pass(p, str_mem(piece.p, (size_t)n), false);
	}
	buf_free(&piece);
	return status == 1 ? pass(p, STR(""), true) : status;
}

static void pipeline_free(struct pipeline *p)
{
	if (p->edit)
		edit_free(p->edit);
	if (p->down)
		mime_down_free(p->down);
	buf_free(&p->a);
	buf_free(&p->b);
	buf_free(&p->d);
}

int body_send(struct conn *c, struct delivery *d)
{
	struct pipeline p = {.c = c};
	int status;

	c->phase = "sending message body";
	if (edit_wanted())
		p.edit = edit_new(d, &limits);
	if (body_is_eight_bit(d) && !(c->caps.mask & EHLO_8BITMIME) &&
	    !conf.disable_mime_output_conversion)
		p.down = mime_down_new(&limits);
	if (conf.smtp_line_length_limit > 0 &&
	    d->m.max_line > (uint32_t)conf.smtp_line_length_limit) {
		p.fold = &p.fold_state;
		p.fold_state.limit = (size_t)conf.smtp_line_length_limit;
	}
	if (p.edit || p.down || p.fold)
		status = send_converted(&p, d);
	else
		status = send_as_is(c, d);
	pipeline_free(&p);
	if (status == 0)
		status = out(c, STR(".\r\n"));
	return status;
}
