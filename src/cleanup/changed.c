/* A message that milters have changed: its content is stored once more, as it is now. What was
 * stored at first goes when the new one is complete. */
#include "cleanup/message.h"

#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"

struct again {
	struct message *m;
	bool body;
};

static void no_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	(void)ctx;
	(void)class;
	(void)row;
	(void)text;
}

static void no_header_end(void *ctx, str line, bool at_end)
{
	(void)ctx;
	(void)line;
	(void)at_end;
}

static void no_body(void *ctx, str wire)
{
	(void)ctx;
	(void)wire;
}

static int put(void *ctx, str wire)
{
	struct again *a = ctx;
	struct message *m = a->m;

	wire_facts_feed(a->body ? &m->body : &m->head, wire);
	mime_feed(m->mime, wire);
	content_store(m, wire);
	a->body = true; /* the header comes in one piece */
	return m->status == CLEANUP_OK ? 0 : -1;
}

/* Only for what it declares itself to be: its structure was checked when it came in. */
static struct mime *reader(struct message *m)
{
	static const struct mime_ops silent = {
	    .field = no_field, .header_end = no_header_end, .body = no_body};
	struct mime_limits limits = mime_limits();

	return mime_new(conf.disable_mime_input_processing ? MIME_OFF : 0, &limits, &silent, m);
}

void changed_store(struct message *m, struct milter_message *content)
{
	struct queue_message *before = m->queue;
	struct again a = {.m = m};
	struct err err = {0};

	m->queue = queue_message_again(before);
	mime_free(m->mime);
	m->mime = reader(m);
	m->head = m->body = (struct wire_facts){0};
	m->env.message.content_flags = 0;
	m->env.sender.flags &= ~(uint32_t)SENDER_SMTPUTF8_HEADER;
	if (milter_message_write(content, put, &a, &err) < 0 && m->status == CLEANUP_OK) {
		log_warn("%s: %s", m->id, err.text);
		message_fail(m, CLEANUP_WRITE, NULL);
	}
	mime_end(m->mime);
	if (m->head.eight_bit)
		m->env.sender.flags |= SENDER_SMTPUTF8_HEADER;
	content_facts(m);
	queue_message_abort(before);
}
