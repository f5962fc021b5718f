#include "smtpd/received.h"

#include "base/clock.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "mail/received.h"
#include "param/param.h"

/* With-protocol-types of RFC 3848 and RFC 6531 4.3. */
static str protocol(const struct session *s)
{
	bool known = s->sasl_username != NULL;

	if (s->tx.env.flags & SENDER_SMTPUTF8)
		return known ? STR("UTF8SMTPA") : STR("UTF8SMTP");
	if (known && strcmp(s->protocol, "ESMTP") == 0)
		return STR("ESMTPA");
	return str_of(s->protocol);
}

/* smtpd_hide_client_session: nothing of who it was and how it spoke. */
static void put_hidden(struct session *s, struct buf *text)
{
	char date[CLOCK_MAIL_DATE];

	buf_printf(text, "Received: by %s (%s)", conf.myhostname, conf.mail_name);
	if (s->tx.queue_id[0])
		buf_printf(text, " id %s", s->tx.queue_id);
	buf_printf(text, "; %s", clock_mail_date(s->tx.arrival_us / 1000000, date));
}

static void put_client(struct session *s, struct buf *text)
{
	struct received r = {
	    .helo = str_of(s->helo ? s->helo : s->client.name),
	    .client_name = str_of(s->client.name),
	    .client_addr = str_of(s->client.addr),
	    .myhostname = str_of(conf.myhostname),
	    .mail_name = str_of(conf.mail_name),
	    .protocol = protocol(s),
	    .queue_id = str_of(s->tx.queue_id),
	    .when = s->tx.arrival_us / 1000000,
	};

	if (s->tx.nrcpts == 1)
		r.rcpt = s->tx.rcpts[0].address;
	received_put(text, &r);
}

void received_header(struct session *s, struct buf *out)
{
	struct buf text = {0};

	if (conf.smtpd_hide_client_session)
		put_hidden(s, &text);
	else
		put_client(s, &text);
	header_wire(out, buf_view(&text));
	buf_free(&text);
}
