/* MIME structure: the same events however the content is cut; what passes through is what came;
 * converted content is canonical wire form. */
#include "mail/mime.h"
#include "smtpwire/wire.h"

#include <stdlib.h>

static const struct mime_limits limits = {
    .header_size = 200, .line = 100, .boundary = 20, .nesting = 4};

struct seen {
	struct buf events, body;
};

static void on_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	struct seen *s = ctx;

	buf_printf(&s->events, "%d %d ", (int)class, (int)row->id);
	buf_str(&s->events, text);
	header_wire(&s->body, text);
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	struct seen *s = ctx;

	buf_printf(&s->events, "E%d%d", at_end, line.n > 0);
	if (!at_end && !line.n)
		buf_cstr(&s->body, "\r\n");
}

static void on_body(void *ctx, str wire)
{
	buf_str(&((struct seen *)ctx)->body, wire);
}

static void on_line(void *ctx, str piece, unsigned which)
{
	if (piece.n > limits.line + 2)
		abort();
	mime_put_piece(&((struct seen *)ctx)->body, piece, which);
}

static void on_error(void *ctx, enum mime_error e, str where)
{
	(void)where;
	buf_printf(&((struct seen *)ctx)->events, "!%d", (int)e);
}

static const struct mime_ops ops = {
    .field = on_field,
    .header_end = on_header_end,
    .body = on_body,
    .body_line = on_line,
    .error = on_error,
};

static void run(struct seen *s, str wire, size_t n, unsigned flags)
{
	struct mime *m = mime_new(flags, &limits, &ops, s);

	for (; wire.n; wire = str_from(wire, n))
		mime_feed(m, str_head(wire, n));
	mime_end(m);
	mime_free(m);
}

static void check_wire(str wire)
{
	size_t start = 0;

	for (size_t i = 0; i < wire.n; i++)
		if (wire.p[i] == '\n') {
			if (i == start || wire.p[i - 1] != '\r' ||
			    (wire.p[start] == '.' && wire.p[start + 1] != '.'))
				abort();
			start = i + 1;
		}
	if (start != wire.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen a = {0}, b = {0};
	struct wire_stuff stuff = {0};
	struct buf wire = {0}, down = {0};
	struct mime_down *d;
	unsigned flags = size ? data[0] & 63 : 0;
	size_t n = size > 1 ? data[1] % 64 + 1 : 1;

	if (size < 2)
		return 0;
	wire_stuff_feed(&stuff, str_mem(data + 2, size - 2), &wire);
	wire_stuff_end(&stuff, &wire);
	run(&a, buf_view(&wire), wire.n + 1, flags);
	run(&b, buf_view(&wire), n, flags);
	if (!str_eq(buf_view(&a.events), buf_view(&b.events)) ||
	    !str_eq(buf_view(&a.body), buf_view(&b.body)))
		abort();
	check_wire(buf_view(&a.body));
	d = mime_down_new(&limits);
	mime_down_feed(d, buf_view(&wire), &down);
	mime_down_end(d, &down);
	mime_down_free(d);
	check_wire(buf_view(&down));
	buf_free(&a.events);
	buf_free(&a.body);
	buf_free(&b.events);
	buf_free(&b.body);
	buf_free(&wire);
	buf_free(&down);
	return 0;
}
