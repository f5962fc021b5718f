/* The returned message: all of it, or its header. */
#include "bounce/report.h"

#include "log/log.h"
#include "mail/header.h"
#include "param/param.h"
#include "queue/queue.h"

#define THREAD_MAX 2000 /* bytes of a field that we quote */

bool original_is_eight_bit(const struct report *r)
{
	return (r->m.content_flags &
		   (CONTENT_8BIT_BODY | CONTENT_8BIT_HEADER | CONTENT_MIME_8BIT)) != 0;
}

/* The content of the message, open for reading. */
struct original {
	int fd;
	struct content_reader *in;
};

static int original_open(struct original *o, const struct report *r, struct err *err)
{
	struct buf path = {0};

	buf_str(&path, r->m.path);
	o->fd = queue_content_open(buf_text(&path), err);
	buf_free(&path);
	if (o->fd < 0)
		return -1;
	o->in = content_open(o->fd, r->m.content_offset, r->m.content_length);
	return 0;
}

static void original_close(struct original *o)
{
	content_close(o->in);
	queue_content_release(o->fd);
}

static const char *description(const struct report *r)
{
	switch (r->m.kind) {
	case NOTIFY_BOUNCE:
	case NOTIFY_DELAY:
		return "Undelivered Message";
	default:
		return "Message";
	}
}

static void part_headers(
    const struct report *r, const struct notification *n, struct cleanup *c, bool headers_only)
{
	struct buf sender = {0};

	cleanup_line(
	    c, "Content-Description: %s%s", description(r), headers_only ? " Headers" : "");
	if (report_is_global(r))
		cleanup_line(c, "Content-Type: message/global%s", headers_only ? "-headers" : "");
	else
		cleanup_line(
		    c, "Content-Type: %s", headers_only ? "text/rfc822-headers" : "message/rfc822");
	if (report_is_eight_bit(r, n))
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	report_sender(r, &sender);
	cleanup_line(c, "Return-Path: <%s>", buf_text(&sender));
	buf_free(&sender);
}

static void put_piece(struct buf *wire, const struct content_reader *in, str piece)
{
	if (content_line_begins(in) && piece.n > 0 && piece.p[0] == '.')
		buf_char(wire, '.');
	buf_str(wire, piece);
	if (content_line_ends(in))
		buf_cstr(wire, "\r\n");
}

/* Lines go on as they are: they may hold any byte. */
static int copy(struct original *o, struct cleanup *c, bool headers_only)
{
	struct buf wire = {0};
	str line;
	int more;

	while ((more = content_line(o->in, &line)) > 0 && !(headers_only && line.n == 0)) {
		buf_clear(&wire);
		put_piece(&wire, o->in, line);
		cleanup_content(c, buf_view(&wire));
	}
	buf_free(&wire);
	return more < 0 ? -1 : 0;
}

int original_part(const struct report *r, const struct notification *n, struct cleanup *c,
    bool headers_only, struct err *err)
{
	struct original o;
	int result;

	if (original_open(&o, r, err) < 0)
		return -1;
	part_headers(r, n, c, headers_only);
	result = copy(&o, c, headers_only);
	original_close(&o);
	if (result < 0)
		err_set(err, "%.*s: the message cannot be read", STR_FMT(r->m.queue_id));
	return result;
}

/* --- threads */

/* Adds a line of the header to the Message-ID if it belongs to that; *open: the next one may. */
static void take_line(struct buf *id, bool *open, str line)
{
	static const char name[] = "Message-ID:";

	if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '\t') {
		*open = str_starts_nocase(line, str_of(name));
		if (*open) {
			buf_clear(id);
			line = str_from(line, sizeof(name) - 1);
		}
	}
	if (!*open || id->n + line.n > THREAD_MAX)
		return;
	buf_char(id, ' ');
	buf_str(id, str_trim(line));
}

void original_thread(const struct report *r, struct buf *id)
{
	struct original o;
	bool open = false;
	struct err err;
	str line;

	if (original_open(&o, r, &err) < 0) {
		log_warn("%.*s: %s", STR_FMT(r->m.queue_id), err.text);
		return;
	}
	while (content_line(o.in, &line) > 0 && line.n > 0)
		if (content_line_begins(o.in))
			take_line(id, &open, line);
	original_close(&o);
}
