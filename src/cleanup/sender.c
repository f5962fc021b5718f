/* The envelope sender: standard form, canonical maps, masquerading. */
#include "cleanup/address.h"
#include "cleanup/message.h"

#include "mail/addr.h"
#include "mail/dsn.h"

void sender_setup(void)
{
	address_setup();
}

void sender_map(struct message *m)
{
	struct buf a = {0};

	buf_str(&a, m->env.sender.address);
	if (address_complete(m, "local", &a) == 0)
		address_canonical(m, ADDRESS_ENVELOPE_SENDER, &a);
	m->env.sender.address = arena_str(&m->arena, buf_view(&a));
	if (!str_is_ascii(m->env.sender.address))
		m->env.sender.flags |= SENDER_SMTPUTF8_RCPT;
	buf_free(&a);
}
