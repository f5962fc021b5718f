#include "smtp/edit.h"

#include "log/log.h"
#include "mail/hdraddr.h"
#include "param/param.h"
#include "smtp/smtp.h"
#include "smtpwire/wire.h"
#include "table/table.h"

#include <stdlib.h>

static struct maps *header_checks, *mime_checks, *nested_checks, *body_checks;

struct edit {
	struct delivery *d;
	struct mime *mime;
	struct buf *out; /* of the present feed */
	bool drop_line;
};

void edit_setup(void)
{
	header_checks = maps_open("smtp_header_checks", conf.smtp_header_checks, 0);
	mime_checks = maps_open("smtp_mime_header_checks", conf.smtp_mime_header_checks, 0);
	nested_checks = maps_open("smtp_nested_header_checks", conf.smtp_nested_header_checks, 0);
	body_checks = maps_open("smtp_body_checks", conf.smtp_body_checks, 0);
	generic_setup();
}

static bool any_checks(void)
{
	return !maps_empty(header_checks) || !maps_empty(mime_checks) ||
	       !maps_empty(nested_checks) || !maps_empty(body_checks);
}

bool edit_wanted(void)
{
	return generic_wanted() || any_checks();
}

/* A check's action on text; what is to be sent is appended to *result. False: nothing of it is
 * sent. The client side knows WARN, INFO, PREPEND, REPLACE, IGNORE, STRIP, DUNNO
 * (header_checks(5)). */
static bool act(
    struct edit *e, const char *kind, str action, str text, struct buf *prepend, struct buf *result)
{
	str rest = action, word, arg;

	str_word(&rest, " \t", &word);
	arg = str_trim(rest);
	if (str_eq_nocase(word, STR("IGNORE")) || str_eq_nocase(word, STR("STRIP"))) {
		if (str_eq_nocase(word, STR("STRIP")))
			log_info("%.*s: strip: %s %.*s", STR_FMT(e->d->m.queue_id), kind,
			    STR_FMT(str_head(text, 200)));
		return false;
	}
	if (str_eq_nocase(word, STR("WARN")) || str_eq_nocase(word, STR("INFO"))) {
		log_info("%.*s: %s: %s %.*s: %.*s", STR_FMT(e->d->m.queue_id),
		    str_eq_nocase(word, STR("WARN")) ? "warning" : "info", kind,
		    STR_FMT(str_head(text, 200)), STR_FMT(arg));
	} else if (str_eq_nocase(word, STR("REPLACE")) && arg.n) {
		log_info("%.*s: replace: %s %.*s: %.*s", STR_FMT(e->d->m.queue_id), kind,
		    STR_FMT(str_head(text, 200)), STR_FMT(arg));
		buf_str(result, arg);
		return true;
	} else if (str_eq_nocase(word, STR("PREPEND")) && arg.n) {
		log_info("%.*s: prepend: %s %.*s: %.*s", STR_FMT(e->d->m.queue_id), kind,
		    STR_FMT(str_head(text, 200)), STR_FMT(arg));
		buf_str(prepend, arg);
	} else if (!str_eq_nocase(word, STR("DUNNO"))) {
		log_warn("smtp client %s checks: unsupported action: %.*s", kind, STR_FMT(action));
	}
	buf_str(result, text);
	return true;
}

static bool check(struct edit *e, struct maps *maps, const char *kind, str text,
    struct buf *prepend, struct buf *result)
{
	struct buf action = {0};
	struct err err;
	bool keep = true;

	if (!maps_empty(maps) && maps_get(maps, text, &action, &err) == TABLE_FOUND)
		keep = act(e, kind, buf_view(&action), text, prepend, result);
	else
		buf_str(result, text);
	buf_free(&action);
	return keep;
}

static bool generic_field_address(void *ctx, str address, struct buf *out)
{
	struct err err;
	struct edit *e = ctx;

	if (generic_address(address, out, &err) < 0) {
		log_warn("%.*s: %s", STR_FMT(e->d->m.queue_id), err.text);
		return false;
	}
	return !str_eq(buf_view(out), address);
}

static void put_field(struct edit *e, const struct header_row *row, str text)
{
	struct buf out = {0};
	str name, value;

	if ((row->flags & (H_SENDER | H_RCPT)) && generic_wanted() &&
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
	struct buf prepend = {0}, result = {0};
	struct maps *maps = class == MIME_PRIMARY ? header_checks
			    : class == MIME_PART  ? mime_checks
						  : nested_checks;
	bool keep =
	    check(e, maps, class == MIME_PART ? "mime-header" : "header", text, &prepend, &result);

	if (prepend.n)
		header_wire(e->out, buf_view(&prepend));
	if (keep)
		put_field(e, row, buf_view(&result));
	buf_free(&prepend);
	buf_free(&result);
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	struct edit *e = ctx;

	(void)line;
	(void)at_end;
	buf_cstr(e->out, "\r\n");
}

static void on_body(void *ctx, str wire)
{
	buf_str(((struct edit *)ctx)->out, wire);
}

/* Whole lines are checked; of a long line its first piece decides. */
static void on_body_line(void *ctx, str piece, unsigned which)
{
	struct edit *e = ctx;
	struct buf prepend = {0}, result = {0};

	if (which & LINE_FIRST) {
		e->drop_line = !check(e, body_checks, "body", piece, &prepend, &result);
		if (prepend.n)
			wire_line(e->out, buf_view(&prepend));
		piece = buf_view(&result);
	}
	if (!e->drop_line)
		mime_put_piece(e->out, piece, which);
	buf_free(&prepend);
	buf_free(&result);
}

struct edit *edit_new(struct delivery *d, const struct mime_limits *limits)
{
	static const struct mime_ops blocks = {
	    .field = on_field, .header_end = on_header_end, .body = on_body};
	static const struct mime_ops lines = {
	    .field = on_field, .header_end = on_header_end, .body_line = on_body_line};
	struct edit *e = mem_zero(sizeof(*e));
	unsigned flags = maps_empty(body_checks) ? 0 : MIME_LINES;

	if (!maps_empty(mime_checks) || !maps_empty(nested_checks))
		flags |= MIME_FIELDS;
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

void edit_free(struct edit *e)
{
	mime_free(e->mime);
	free(e);
}
