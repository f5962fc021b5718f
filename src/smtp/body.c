/* The content on its way out. As a rule it goes as it lies in the queue; it is converted only when
 * the server lacks 8BITMIME, a line is too long, or addresses and headers are to be edited. */
#include "smtp/smtp.h"

#include "base/clock.h"
#include "log/log.h"
#include "mail/mime.h"
#include "param/param.h"
#include "queue/queue.h"
#include "smtp/edit.h"
#include "smtpwire/wire.h"

#include <errno.h>
#include <unistd.h>

#define PIECE (32 * 1024) /* content up to this size goes in one write with its final dot */
#define STEP  (64 * 1024) /* what one time limit is for */
#define END   ".\r\n"

static struct mime_limits limits;

void body_setup(void)
{
	limits = mime_limits();
	edit_setup();
}

bool body_is_eight_bit(const struct delivery *d)
{
	return (d->m.content_flags &
		   (CONTENT_MIME_8BIT | CONTENT_8BIT_BODY | CONTENT_8BIT_HEADER)) != 0;
}

/* --- pace */

/* smtp_data_xfer_timeout is for each step; with smtp_per_request_deadline it is for all of them,
 * and what was sent gives back time at smtp_min_data_rate. */
struct pace {
	int64_t left_ms, begun_ms;
};

static int64_t pace_limit(void)
{
	return conf.smtp_data_xfer_timeout * 1000L;
}

static int64_t step_begin(struct pace *p)
{
	p->begun_ms = loop_now();
	return deadline_in(conf.smtp_per_request_deadline ? p->left_ms : pace_limit());
}

static void step_end(struct pace *p, size_t n)
{
	if (!conf.smtp_per_request_deadline || conf.smtp_min_data_rate <= 0)
		return;
	p->left_ms -= loop_now() - p->begun_ms;
	if (p->left_ms < 0)
		p->left_ms = 0;
	p->left_ms += (int64_t)n * 1000 / conf.smtp_min_data_rate;
	if (p->left_ms > pace_limit())
		p->left_ms = pace_limit();
}

/* --- sending */

/* The stages that this server and configuration need; each takes wire form and gives wire form. */
struct sender {
	struct conn *c;
	struct delivery *d;
	struct pace pace;
	struct edit *edit;
	struct mime_down *down;
	struct wire_fold *fold, fold_state;
	struct buf edited, lowered, folded;
};

static enum body_result out(struct sender *s, str wire)
{
	while (wire.n > 0) {
		str step = str_head(wire, STEP);
		enum wait w = stream_write(s->c->io, step.p, step.n, step_begin(&s->pace));
		if (w != WAIT_OK) {
			chat_broke(s->c, w);
			return BODY_LOST;
		}
		step_end(&s->pace, step.n);
		wire = str_from(wire, step.n);
	}
	return BODY_SENT;
}

static enum body_result unreadable(const struct delivery *d, const char *why)
{
	log_warn("%.*s: cannot read %.*s: %s", STR_FMT(d->m.queue_id), STR_FMT(d->m.path), why);
	return BODY_FAILED;
}

/* Reads the piece at the offset into buf, which has room for it. */
static enum body_result read_piece(
    const struct delivery *d, uint64_t at, struct buf *to, size_t want)
{
	char *p = buf_room(to, want);
	ssize_t n;

	for (size_t have = 0; have < want; have += (size_t)n) {
		n = pread(
		    d->content_fd, p + have, want - have, (off_t)(d->m.content_offset + at + have));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return unreadable(
			    d, n < 0 ? strerror(errno) : "it is shorter than it should be");
	}
	buf_added(to, want);
	return BODY_SENT;
}

static size_t next_size(const struct delivery *d, uint64_t at, size_t most)
{
	uint64_t left = d->m.content_length - at;

	return left < most ? (size_t)left : most;
}

static enum body_result send_file(struct sender *s)
{
	struct delivery *d = s->d;
	enum wait w;
	size_t n;

	for (uint64_t at = 0; at < d->m.content_length; at += n) {
		n = next_size(d, at, STEP);
		errno = 0;
		w = stream_send_file(s->c->io, d->content_fd, (int64_t)(d->m.content_offset + at),
		    n, step_begin(&s->pace));
		if (w == WAIT_ERROR && errno == EIO)
			return unreadable(d, "it is shorter than it should be");
		if (w != WAIT_OK) {
			chat_broke(s->c, w);
			return BODY_LOST;
		}
		step_end(&s->pace, n);
	}
	return BODY_SENT;
}

static enum body_result send_as_is(struct sender *s)
{
	struct buf *to = &s->c->io->out;

	if (s->d->m.content_length > PIECE)
		return send_file(s);
	buf_room(to, (size_t)s->d->m.content_length + sizeof(END));
	return read_piece(s->d, 0, to, (size_t)s->d->m.content_length);
}

/* --- converting */

static enum body_result pass(struct sender *s, str wire, bool end)
{
	if (s->edit) {
		buf_clear(&s->edited);
		edit_feed(s->edit, wire, &s->edited);
		if (end)
			edit_end(s->edit, &s->edited);
		if (edit_failed(s->edit))
			return BODY_FAILED;
		wire = buf_view(&s->edited);
	}
	if (s->down) {
		buf_clear(&s->lowered);
		mime_down_feed(s->down, wire, &s->lowered);
		if (end)
			mime_down_end(s->down, &s->lowered);
		wire = buf_view(&s->lowered);
	}
	if (s->fold) {
		bool before = s->fold->folded;
		buf_clear(&s->folded);
		wire_fold_feed(s->fold, wire, &s->folded);
		if (s->fold->folded && !before)
			log_info("%.*s: breaking line > %zu bytes with <CR><LF>SPACE",
			    STR_FMT(s->d->m.queue_id), s->fold->limit);
		if (end)
			wire_fold_end(s->fold, &s->folded);
		wire = buf_view(&s->folded);
	}
	return out(s, wire);
}

static enum body_result send_converted(struct sender *s)
{
	enum body_result r = BODY_SENT;
	struct buf piece = {0};
	size_t n;

	for (uint64_t at = 0; r == BODY_SENT && at < s->d->m.content_length; at += n) {
		n = next_size(s->d, at, PIECE);
		buf_clear(&piece);
		r = read_piece(s->d, at, &piece, n);
		if (r == BODY_SENT)
			r = pass(s, buf_view(&piece), false);
	}
	buf_free(&piece);
	return r == BODY_SENT ? pass(s, STR(""), true) : r;
}

static void choose_stages(struct sender *s)
{
	size_t longest = (size_t)conf.smtp_line_length_limit;

	if (edit_wanted())
		s->edit = edit_new(s->d, &limits);
	if (body_is_eight_bit(s->d) && !(s->c->caps.mask & EHLO_8BITMIME) &&
	    !conf.disable_mime_output_conversion)
		s->down = mime_down_new(&limits);
	/* What was edited may have become longer. */
	if (longest > 0 && (s->edit || s->d->m.max_line > longest)) {
		s->fold = &s->fold_state;
		s->fold_state.limit = longest;
	}
}

static void sender_free(struct sender *s)
{
	if (s->edit)
		edit_free(s->edit);
	if (s->down)
		mime_down_free(s->down);
	buf_free(&s->edited);
	buf_free(&s->lowered);
	buf_free(&s->folded);
}

static enum body_result send_extra(struct sender *s)
{
	struct buf lines = {0};
	enum body_result r;

	extra_headers(s->d, &lines);
	r = out(s, buf_view(&lines));
	buf_free(&lines);
	return r;
}

enum body_result body_send(struct conn *c, struct delivery *d)
{
	struct sender s = {.c = c, .d = d, .pace.left_ms = pace_limit()};
	enum body_result r;
	enum wait w;

	c->phase = "sending message body";
	if (stream_buffered(c->io) > 0)
		return BODY_EARLY;
	r = send_extra(&s);
	choose_stages(&s);
	if (r == BODY_SENT)
		r = s.edit || s.down || s.fold ? send_converted(&s) : send_as_is(&s);
	sender_free(&s);
	if (r == BODY_SENT && d->m.content_length > PIECE && stream_input_ready(c->io))
		return BODY_EARLY;
	if (r == BODY_SENT && (w = pix_before_dot(c)) != WAIT_OK) {
		chat_broke(c, w);
		return BODY_LOST;
	}
	return r == BODY_SENT ? out(&s, STR(END)) : r;
}
