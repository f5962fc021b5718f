/* The mail transaction's beginning, end and memory. */
#include "log/event.h"
#include "param/param.h"
#include "smtpd/content.h"
#include "smtpd/session.h"
#include "smtpd/standalone.h"

#include <stdlib.h>

void transaction_reset(struct session *s)
{
	struct arena arena = s->tx.arena;

	if (s->content)
		content_abort(s);
	arena_free(&arena);
	memset(&s->tx, 0, sizeof(s->tx));
	s->bdat = BDAT_NONE;
}

/* "up.client.test[192.0.2.7]" of XFORWARD; empty when it told neither. */
static void upstream(const struct forwarded *f, struct buf *out)
{
	if (f->client)
		buf_cstr(out, f->name ? f->name : "unknown");
	if (f->addr)
		buf_printf(out, "[%s]", f->addr);
	if (f->addr && conf.smtpd_client_port_logging)
		buf_printf(out, ":%s", f->port ? f->port : "unknown");
}

void transaction_open(struct session *s)
{
	const struct forwarded *f = s->forwarded;
	struct buf up = {0}, sender = {0};

	if (s->tx.queue_id[0] || standalone_drops())
		return;
	queue_id_new(s->tx.queue_id);
	if (f)
		upstream(f, &up);
	buf_str(&sender, s->tx.sasl_sender);
	log_smtpd_client(s->tx.queue_id, s->client.namaddr, s->sasl_method, s->sasl_username,
	    sender.n ? buf_text(&sender) : NULL, f ? f->ident : NULL, up.n ? buf_text(&up) : NULL);
	buf_free(&up);
	buf_free(&sender);
}

void forwarded_reset(struct session *s)
{
	struct forwarded *f = s->forwarded;

	if (!f)
		return;
	free(f->name);
	free(f->addr);
	free(f->port);
	free(f->proto);
	free(f->helo);
	free(f->ident);
	free(f->source);
	free(f);
	s->forwarded = NULL;
}
