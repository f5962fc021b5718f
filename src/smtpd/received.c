#include "smtpd/received.h"

#include "mail/dsn.h"
#include "mail/header.h"
#include "mail/received.h"
#include "param/param.h"

/* With-protocol-types of RFC 3848 and RFC 6531 4.3. */
static str protocol(const struct session *s)
{
	return s->tx.env.flags & SENDER_SMTPUTF8 ? STR("UTF8SMTP") : str_of(s->protocol);
}

void received_header(struct session *s, struct buf *out)
{
	struct buf text = {0};
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
	received_put(&text, &r);
	header_wire(out, buf_view(&text));
	buf_free(&text);
}
