/* The returned message: all of it, or its header. */
#include "bounce/report.h"

#include "param/param.h"
#include "queue/queue.h"

int original_part(
    struct report *r, struct cleanup *c, bool headers_only, const char *boundary, struct err *err)
{
	struct content_reader *in;
	struct buf path = {0};
	str line;
	int fd, more;

	buf_str(&path, r->m.path);
	fd = queue_content_open(buf_text(&path), err);
	buf_free(&path);
	if (fd < 0)
		return -1;
	cleanup_line(c, "--%s", boundary);
	cleanup_line(c, "Content-Description: %s%s",
	    r->m.kind == NOTIFY_DELAY	 ? "Delayed Message"
	    : r->m.kind == NOTIFY_BOUNCE ? "Undelivered Message"
					 : "Message",
	    headers_only ? " Headers" : "");
	cleanup_line(
	    c, "Content-Type: %s", headers_only ? "text/rfc822-headers" : "message/rfc822");
	if (r->m.content_flags & (CONTENT_8BIT_BODY | CONTENT_8BIT_HEADER | CONTENT_MIME_8BIT))
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	in = content_open(fd, r->m.content_offset, r->m.content_length);
	while ((more = content_line(in, &line)) > 0) {
		if (headers_only && line.n == 0)
			break;
		cleanup_line(c, "%.*s", STR_FMT(line));
	}
	content_close(in);
	queue_content_release(fd);
	if (more < 0)
		return err_set(err, "%.*s: the message cannot be read", STR_FMT(r->m.queue_id));
	return 0;
}
