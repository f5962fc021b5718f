/* The envelope sender: standard form, canonical maps, masquerading. */
#include "cleanup/address.h"
#include "cleanup/message.h"

#include "mail/addr.h"

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
	buf_free(&a);
}
