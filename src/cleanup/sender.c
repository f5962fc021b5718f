/* The envelope sender: standard form, canonical maps, masquerading. */
#include "cleanup/address.h"
#include "cleanup/message.h"

#include "mail/addr.h"
#include "param/param.h"

void sender_setup(void)
{
	address_setup();
}

/* MAILER-DAEMON of ours is how people write the null sender. */
static bool is_mailer_daemon(str address)
{
	return str_eq_nocase(addr_local(address), STR("MAILER-DAEMON")) &&
	       str_eq_nocase(addr_domain(address), str_of(conf.myorigin));
}

static void map(struct message *m, str *address)
{
	struct buf a = {0};

	buf_str(&a, *address);
	if (address_complete(m, "local", &a) == 0) {
		if (is_mailer_daemon(buf_view(&a)))
			buf_clear(&a);
		address_canonical(m, ADDRESS_ENVELOPE_SENDER, &a);
	}
	*address = arena_str(&m->arena, buf_view(&a));
	buf_free(&a);
}

void sender_map(struct message *m)
{
	if (m->env.sender.address.p == m->sender_mapped)
		return;
	map(m, &m->env.sender.address);
	m->sender_mapped = m->env.sender.address.p;
}
