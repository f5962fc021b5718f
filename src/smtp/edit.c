#include "smtp/edit.h"

#include "log/log.h"
#include "mail/checks.h"
#include "mail/hdraddr.h"
#include "param/param.h"
#include "smtp/smtp.h"

#include <stdlib.h>

static struct checks checks = {
    .where = C_CLIENT,
    .params = {"smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks",
	"smtp_body_checks"},
};

struct edit {
	struct delivery *d;
	struct mime *mime;
	struct buf *out; /* of the present feed */
	bool line_open;	 /* a piece of a line was written, but not its end */
	bool failed;	 /* a look-up */
};

void edit_setup(void)
{
	checks.lists[CHECK_HEADER] = conf.smtp_header_checks;
	checks.lists[CHECK_MIME] = conf.smtp_mime_header_checks;
	checks.lists[CHECK_NESTED] = conf.smtp_nested_header_checks;
	checks.lists[CHECK_BODY] = conf.smtp_body_checks;
	checks_open(&checks);
	generic_setup();
}

bool edit_wanted(void)
{
	return generic_wanted() || checks_any(&checks);
}

/* When a table fails the message waits: it must not go out unchecked. */
static void check(struct edit *e, enum check_class class, str text, struct check_result *r)
{
	const char *verb;
	struct err err;

	if (checks_look(&checks, class, text, r, &err) < 0) {
		log_warn("%.*s: %s", STR_FMT(e->d->m.queue_id), err.text);
		e->failed = true;
		return;
	}
	if (!(verb = check_verb(r->action)))
		return;
	log_info("%.*s: %s: %s %.*s%s%.*s", STR_FMT(e->d->m.queue_id), verb,
	    check_class_name(class), STR_FMT(str_head(text, 200)), r->text.n ? ": " : "",
	    STR_FMT(r->text));
}

static bool generic_field_address(void *ctx, str address, struct buf *out)
{
	struct err err;
	struct edit *e = ctx;

	if (generic_address(address, out, &err) < 0) {
		log_warn("%.*s: smtp_generic_maps: %s", STR_FMT(e->d->m.queue_id), err.text);
		e->failed = true;
		return false;
	}
	return !str_eq(buf_view(out), address);
}

static void put_field(struct edit *e, enum mime_class class, const struct header_row *row, str text)
{
	struct buf out = {0};
	str name, value;

	if (class == MIME_PRIMARY && (row->flags & (H_SENDER | H_RCPT)) && generic_wanted() &&
	    header_split(text, &name, &value)) {
		size_t prefix = (size_t)(value.p - text.p);
		buf_str(&out, str_head(text, prefix));
		if (hdraddr_rewrite(value, prefix, conf.header_address_token_limit,
			generic_field_address, e, &out))
			text = buf_view(&out);
	}
	header_wire(e->out, text);
	buf_free(&out);
}

static void on_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	struct edit *e = ctx;
	struct check_result r = {0};

	check(e, check_class_of(class), text, &r);
	if (r.prepend)
		header_wire(e->out, r.text);
	if (r.replace) {
		text = r.text;
		row = header_find(str_head(text, header_name_length(text)));
	}
	if (!r.drop)
		put_field(e, class, row, text);
	check_result_free(&r);
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	struct edit *e = ctx;

	(void)line;
	if (!at_end)
		buf_cstr(e->out, "\r\n");
}

static void on_body(void *ctx, str wire)
{
	buf_str(((struct edit *)ctx)->out, wire);
}

/* A long line comes in pieces; each is checked by itself. */
static void on_body_line(void *ctx, str piece, unsigned which)
{
	struct edit *e = ctx;
	struct check_result r = {0};

	check(e, CHECK_BODY, piece, &r);
	checks_put_piece(e->out, &e->line_open, piece, which, &r);
	check_result_free(&r);
}

struct edit *edit_new(struct delivery *d, const struct mime_limits *limits)
{
	static const struct mime_ops blocks = {
	    .field = on_field, .header_end = on_header_end, .body = on_body};
	static const struct mime_ops lines = {
	    .field = on_field, .header_end = on_header_end, .body_line = on_body_line};
	struct edit *e = mem_zero(sizeof(*e));
	unsigned flags = checks_mime_flags(&checks);

	e->d = d;
	e->mime = mime_new(flags, limits, flags & MIME_LINES ? &lines : &blocks, e);
	return e;
}

void edit_feed(struct edit *e, str wire, struct buf *out)
{
	e->out = out;
	mime_feed(e->mime, wire);
}

void edit_end(struct edit *e, struct buf *out)
{
	e->out = out;
	mime_end(e->mime);
}

bool edit_failed(const struct edit *e)
{
	return e->failed;
}

void edit_free(struct edit *e)
{
	mime_free(e->mime);
	free(e);
}
