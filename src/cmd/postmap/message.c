#include "cmd/postmap/message.h"
#include "mail/mime.h"
#include "param/param.h"
#include <stdio.h>
#include <stdlib.h>

struct message_options message_options;

struct query {
	struct tool *t;
	struct table **v;
	size_t n;
};

static void field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	struct query *q = ctx;

	(void)class, (void)row;
	if (message_options.header)
		tool_show_found(q->t, q->v, q->n, text, true);
}

static void header_end(void *ctx, str line, bool at_end)
{
	struct query *q = ctx;

	(void)line;
	/* The line between is the body's. */
	if (message_options.body && !at_end)
		tool_show_found(q->t, q->v, q->n, STR(""), true);
}

static void body_line(void *ctx, str piece, unsigned which)
{
	struct query *q = ctx;

	(void)which;
	if (message_options.body)
		tool_show_found(q->t, q->v, q->n, piece, true);
}

static void feed(struct mime *m)
{
	struct buf wire = {0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		buf_clear(&wire);
		mime_put_piece(&wire, str_chomp(str_mem(line, (size_t)n)), LINE_FIRST | LINE_LAST);
		mime_feed(m, buf_view(&wire));
	}
	mime_end(m);
	buf_free(&wire);
	free(line);
}

void message_query(struct tool *t, struct table **v, size_t n)
{
	static const struct mime_ops ops = {
	    .field = field,
	    .header_end = header_end,
	    .body_line = body_line,
	};
	struct mime_limits limits = mime_limits();
	struct query q = {t, v, n};
	struct mime *m = mime_new(
	    MIME_LINES | MIME_FIELDS | (message_options.mime ? 0 : MIME_OFF), &limits, &ops, &q);

	feed(m);
	mime_free(m);
}
