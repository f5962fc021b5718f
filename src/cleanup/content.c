/* The content's way to the queue: MIME structure, limits, facts. */
#include "cleanup/message.h"

#include "log/log.h"
#include "param/param.h"

#include <errno.h>

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
	limits = (struct mime_limits){
	    .header_size = conf.header_size_limit,
	    .line = conf.line_length_limit,
	    .boundary = conf.mime_boundary_length_limit,
	    .nesting = conf.mime_nesting_limit,
	};
}

/* Gives the queue what was gathered. */
static void to_queue(struct message *m)
{
	struct err err;

	if (m->out.n == 0)
		return;
	wire_facts_feed(&m->facts, buf_view(&m->out));
	if (m->status == CLEANUP_OK &&
	    queue_message_content(m->queue, buf_view(&m->out), &err) < 0) {
		log_warn("%s: %s", m->id, err.text);
		message_fail(m, err.code == EFBIG ? CLEANUP_SIZE : CLEANUP_WRITE, NULL);
	}
	buf_clear(&m->out);
}

/* --- what mime.h tells */

static void on_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	(void)class;
	header_field(ctx, row, text);
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	struct message *m = ctx;

	(void)line;
	(void)at_end;
	header_finish(m);
	buf_cstr(&m->out, "\r\n");
}

static void on_body(void *ctx, str wire)
{
	struct message *m = ctx;

	to_queue(m); /* keep the order: header first */
	wire_facts_feed(&m->facts, wire);
	if (m->status == CLEANUP_OK) {
		struct err err;
		if (queue_message_content(m->queue, wire, &err) < 0) {
			log_warn("%s: %s", m->id, err.text);
			message_fail(m, err.code == EFBIG ? CLEANUP_SIZE : CLEANUP_WRITE, NULL);
		}
	}
}

static void on_error(void *ctx, enum mime_error e, str where)
{
	struct message *m = ctx;

	if (e == MIME_E_TRUNCATED_HEADER)
		return;
	log_info("%s: reject: mime-error %s: %.*s", m->id, mime_error_text(e),
	    STR_FMT(str_head(where, 200)));
	message_fail(m, CLEANUP_CONTENT,
	    arena_printf(&m->arena, "%s %s", mime_error_dsn(e), mime_error_text(e)));
}

static unsigned mime_flags(void)
{
	unsigned f = 0;

	if (conf.disable_mime_input_processing)
		f |= MIME_OFF;
	if (conf.strict_7bit_headers || conf.strict_8bitmime)
		f |= MIME_STRICT_7BIT_HEADERS;
	if (conf.strict_8bitmime_body || conf.strict_8bitmime)
		f |= MIME_STRICT_8BIT_BODY;
	if (conf.strict_mime_encoding_domain)
		f |= MIME_STRICT_ENCODING;
	return f;
}

static void begin(struct message *m)
{
	static const struct mime_ops ops = {
	    .field = on_field, .header_end = on_header_end, .body = on_body, .error = on_error};

	m->content_begun = true;
	m->mime = mime_new(mime_flags(), &limits, &ops, m);
	m->cleaning = strip || conf.cleanup_replace_stray_cr_lf;
	m->clean.strays = conf.cleanup_replace_stray_cr_lf;
	m->clean.strip = strip ? strip_set : NULL;
}

static void refuse_characters(struct message *m, str wire)
{
	for (size_t i = 0; reject && i < wire.n; i++) {
		if (!reject_set[(unsigned char)wire.p[i]])
			continue;
		message_fail(m, CLEANUP_CONTENT, "5.7.1 disallowed character");
		return;
	}
}

/* A CR that ends no line is rare: look for one before paying for the clean copy. */
static bool needs_cleaning(struct message *m, str wire)
{
	const char *p = wire.p, *end = wire.p + wire.n;

	if (strip || m->clean.cr_)
		return true;
	while ((p = memchr(p, '\r', end - p))) {
		if (p + 1 == end || p[1] != '\n')
			return true;
		p += 2;
	}
	return false;
}

void content_put(struct message *m, str wire)
{
	if (!m->content_begun)
		begin(m);
	refuse_characters(m, wire);
	if (m->cleaning && needs_cleaning(m, wire)) {
		struct buf clean = {0};
		wire_clean_feed(&m->clean, wire, &clean);
		mime_feed(m->mime, buf_view(&clean));
		buf_free(&clean);
	} else {
		mime_feed(m->mime, wire);
	}
	to_queue(m);
}

void content_end(struct message *m)
{
	struct ipc_env_message *em = &m->env.message;

	if (!m->content_begun)
		begin(m);
	if (m->cleaning) {
		struct buf clean = {0};
		wire_clean_end(&m->clean, &clean);
		mime_feed(m->mime, buf_view(&clean));
		buf_free(&clean);
	}
	mime_end(m->mime);
	to_queue(m);
	em->size = m->facts.size;
	em->max_line = (uint32_t)(m->facts.max_line > UINT32_MAX ? UINT32_MAX : m->facts.max_line);
	if (m->facts.eight_bit)
		em->content_flags |= CONTENT_8BIT_BODY;
	if (mime_declared_8bit(m->mime) && conf.detect_8bit_encoding_header)
		em->content_flags |= CONTENT_MIME_8BIT;
	if (!(m->flags & CLEANUP_FLAG_INTERNAL) && conf.message_size_limit > 0 &&
	    em->size > (uint64_t)conf.message_size_limit)
		message_fail(m, CLEANUP_SIZE, NULL);
}
