/* The content's way to the queue: limits, characters, MIME structure, facts. */
#include "cleanup/message.h"

#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"

#include <errno.h>

#define SHOWN 100 /* bytes of offending text in the log */

static bool strip_set[256], reject_set[256];
static bool strip, reject;
static struct mime_limits limits;

void content_setup(void)
{
	strip = *conf.message_strip_characters != 0;
	reject = *conf.message_reject_characters != 0;
	if (!wire_char_set(conf.message_strip_characters, strip_set))
		log_fatal(
		    "bad value of message_strip_characters: %s", conf.message_strip_characters);
	if (!wire_char_set(conf.message_reject_characters, reject_set))
		log_fatal(
		    "bad value of message_reject_characters: %s", conf.message_reject_characters);
	limits = mime_limits();
}

/* Content that is refused is kept only if its sender will get it back. */
static bool storing(const struct message *m)
{
	if (m->discard)
		return false;
	return m->status == CLEANUP_OK ||
	       ((m->flags & CLEANUP_FLAG_BOUNCE_ON_ERROR) &&
		   (m->status == CLEANUP_CONTENT || m->status == CLEANUP_HOPS));
}

void content_store(struct message *m, str wire)
{
	struct err err;

	if (wire.n == 0 || !storing(m))
		return;
	if (queue_message_content(m->queue, wire, &err) < 0) {
		log_warn("%s: %s", m->id, err.text);
		message_fail(m,
		    err.code == EFBIG			       ? CLEANUP_SIZE
		    : err.code == ENOSPC || err.code == EDQUOT ? CLEANUP_SPACE
							       : CLEANUP_WRITE,
		    NULL);
	}
	m->last = wire.p[wire.n - 1];
}

static void check_size(struct message *m)
{
	if ((m->flags & CLEANUP_FLAG_INTERNAL) || conf.message_size_limit <= 0 ||
	    m->head.size + m->body.size <= (uint64_t)conf.message_size_limit ||
	    m->status != CLEANUP_OK)
		return;
	log_smtpd_size(m->id);
	message_fail(m, CLEANUP_SIZE, NULL);
}

/* Not of what was kept from an earlier piece, or has been changed. */
static bool is_plain(const struct message *m, str wire)
{
	const char *from = m->plain.p;

	return from && wire.p >= from && wire.p + wire.n <= from + m->plain.n;
}

static void to_queue(struct message *m, str wire)
{
	struct wire_facts *f = m->header_done ? &m->body : &m->head;

	if (is_plain(m, wire))
		wire_facts_feed_plain(f, wire);
	else
		wire_facts_feed(f, wire);
	check_size(m);
	content_store(m, wire);
}

/* Gives the queue what was gathered. */
static void flush(struct message *m)
{
	to_queue(m, buf_view(&m->out));
	buf_clear(&m->out);
}

/* --- what mime.h tells */

static void on_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	struct message *m = ctx;
	/* The first Received of all is our own. */
	bool own = row->id == HDR_RECEIVED && !m->header_done && !m->own_seen;

	m->own_seen |= own;
	if (!checks_field(m, class, &row, &text))
		return;
	if (m->header_done) { /* of a part */
		header_wire(&m->out, text);
		return;
	}
	if (own)
		m->own = m->nfields;
	header_field(m, row, text);
	if (own && m->nfields == m->own)
		m->own = MILTER_NO_FIELD; /* it was dropped */
}

/* non_empty_end_of_header_action */
static void no_empty_line(struct message *m, str line)
{
	static const char why[] = "5.6.0 message header is not followed by an empty line";

	if (strcasecmp(conf.non_empty_end_of_header_action, "reject") == 0) {
		checks_log(m, "reject", "content", str_head(line, SHOWN), why);
		message_fail(m, CLEANUP_CONTENT, why);
	} else if (strcasecmp(conf.non_empty_end_of_header_action, "add_header") == 0) {
		header_emit(m, STR("MIME-Error: message header is not followed by an empty line"));
	}
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	struct message *m = ctx;

	if (line.n > 0)
		no_empty_line(m, line);
	header_finish(m);
	if (!at_end)
		buf_cstr(&m->out, "\r\n");
	flush(m);
	m->head_length = queue_message_length(m->queue);
	m->header_done = true;
}

static void on_segment(void *ctx)
{
	struct message *m = ctx;

	m->checked = 0;
}

static void on_body(void *ctx, str wire)
{
	flush(ctx); /* fields of parts come first */
	to_queue(ctx, wire);
}

static void on_body_line(void *ctx, str piece, unsigned which)
{
	struct message *m = ctx;

	checks_body_line(m, piece, which);
	if (m->out.n > 32 * 1024)
		flush(m);
}

/* Too deep a structure hides headers of parts from those who want to look at them. */
static bool hides_headers(const struct message *m)
{
	return m->checking && (checks_flags() & MIME_FIELDS);
}

/* Headers that are too long are cut and not refused; structure that is too deep is, where it would
 * hide from checks. */
static void on_error(void *ctx, enum mime_error e, str where)
{
	struct message *m = ctx;
	struct buf what = {0};
	bool strict = !(m->flags & CLEANUP_FLAG_INTERNAL);

	if (e == MIME_E_TRUNCATED_HEADER || (e == MIME_E_NESTING && !hides_headers(m)))
		return;
	if (!strict || (m->status != CLEANUP_OK && !m->mime_error))
		return;
	checks_log_error(m, mime_error_text(e), str_head(where, SHOWN));
	if (m->mime_error && m->mime_error < e)
		return; /* the client is told of the gravest one */
	m->mime_error = e;
	m->status = CLEANUP_OK;
	buf_printf(&what, "%s %s", mime_error_dsn(e), mime_error_text(e));
	message_fail(m, CLEANUP_CONTENT, buf_text(&what));
	buf_free(&what);
}

static unsigned mime_flags(const struct message *m)
{
	unsigned f = 0;

	if (conf.disable_mime_input_processing)
		f |= MIME_OFF;
	if (conf.strict_8bitmime_body || conf.strict_8bitmime)
		f |= MIME_STRICT_8BIT_BODY;
	if (conf.strict_mime_encoding_domain)
		f |= MIME_STRICT_ENCODING;
	if (conf.strict_7bit_headers || conf.strict_8bitmime)
		f |= MIME_STRICT_7BIT_HEADERS | MIME_FIELDS; /* of parts too */
	if (m->checking)
		f |= checks_flags();
	return f;
}

static void begin(struct message *m)
{
	static const struct mime_ops blocks = {.field = on_field,
	    .header_end = on_header_end,
	    .body = on_body,
	    .part_header_end = on_segment,
	    .boundary = on_segment,
	    .error = on_error};
	static const struct mime_ops lines = {.field = on_field,
	    .header_end = on_header_end,
	    .body_line = on_body_line,
	    .part_header_end = on_segment,
	    .boundary = on_segment,
	    .error = on_error};
	unsigned flags;

	m->content_begun = true;
	sender_map(m); /* what it is now, log lines and a From field that is made will tell */
	m->checking = (m->flags & CLEANUP_FLAG_FILTER) != 0;
	flags = mime_flags(m);
	m->mime = mime_new(flags, &limits, flags & MIME_LINES ? &lines : &blocks, m);
	m->clean.strays = conf.cleanup_replace_stray_cr_lf;
	m->clean.strip = strip && m->checking ? strip_set : NULL;
	m->cleaning = m->clean.strays || m->clean.strip;
	if (conf.force_mime_input_conversion)
		m->down = mime_down_new(&limits);
}

/* The line up to the character that is not allowed, for the log. */
static str offending_line(str wire, size_t at)
{
	size_t from = at;
	str line;

	while (from > 0 && wire.p[from - 1] != '\n')
		from--;
	line = str_head(str_from(wire, from), SHOWN);
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\r' || line.p[i] == '\n' || line.p[i] == '\0')
			return str_head(line, i);
	return line;
}

static void refuse_characters(struct message *m, str wire)
{
	static const char why[] = "5.7.1 disallowed character";

	for (size_t i = 0; i < wire.n; i++) {
		if (!reject_set[(unsigned char)wire.p[i]])
			continue;
		checks_log(m, "reject", "content", offending_line(wire, i), why);
		message_fail(m, CLEANUP_CONTENT, why);
		return;
	}
}

/* A CR that ends no line is rare, and the clean copy is not for nothing. */
static bool needs_cleaning(const struct message *m, const struct wire_scan *scan)
{
	return m->cleaning && (m->clean.strip || m->clean.cr_ || scan->stray_cr);
}

static void parse(struct message *m, str wire)
{
	struct buf down = {0};

	if (m->down) {
		mime_down_feed(m->down, wire, &down);
		wire = buf_view(&down);
	}
	mime_feed(m->mime, wire);
	buf_free(&down);
}

void content_put(struct message *m, str wire)
{
	struct wire_scan scan;

	if (!m->content_begun)
		begin(m);
	if (!storing(m))
		return;
	if (reject && m->checking && m->status == CLEANUP_OK)
		refuse_characters(m, wire);
	scan = wire_scan(wire);
	m->plain = scan.eight_bit || scan.nul ? (str){0} : wire;
	if (needs_cleaning(m, &scan)) {
		struct buf clean = {0};

		wire_clean_feed(&m->clean, wire, &clean);
		parse(m, buf_view(&clean));
		buf_free(&clean);
	} else {
		parse(m, wire);
	}
	flush(m);
	m->plain = (str){0};
}

static void end_stages(struct message *m)
{
	struct buf rest = {0};

	if (m->cleaning) {
		wire_clean_end(&m->clean, &rest);
		parse(m, buf_view(&rest));
		buf_clear(&rest);
	}
	if (m->down) {
		mime_down_end(m->down, &rest);
		mime_feed(m->mime, buf_view(&rest));
	}
	mime_end(m->mime);
	flush(m);
	buf_free(&rest);
}

void content_facts(struct message *m)
{
	struct ipc_env_message *em = &m->env.message;
	bool declared = mime_declared_8bit(m->mime) && conf.detect_8bit_encoding_header;

	if (m->head.eight_bit)
		em->content_flags |= CONTENT_8BIT_HEADER;
	if (m->body.eight_bit)
		em->content_flags |= CONTENT_8BIT_BODY;
	if (declared || ((m->env.sender.flags & SENDER_BODY_8BITMIME) && !m->down))
		em->content_flags |= CONTENT_MIME_8BIT;
	wire_facts_add(&m->head, &m->body);
	em->size = m->head.size;
	em->max_line = (uint32_t)(m->head.max_line > UINT32_MAX ? UINT32_MAX : m->head.max_line);
}

void content_end(struct message *m)
{
	if (!m->content_begun)
		begin(m);
	if (storing(m))
		end_stages(m);
	content_facts(m);
	/* What was cut off for its size ends where a line ends all the same. */
	if (m->status == CLEANUP_SIZE && m->last && m->last != '\n') {
		struct err err;

		queue_message_content(m->queue, m->last == '\r' ? STR("\n") : STR("\r\n"), &err);
	}
}
