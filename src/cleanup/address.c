#include "cleanup/address.h"

#include "cleanup/canonical.h"
#include "cleanup/masquerade.h"
#include "ipc/rewrite.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"

void address_setup(void)
{
	canonical_setup();
	masquerade_setup();
}

int address_complete(struct message *m, const char *context, struct buf *address)
{
	struct err err;
	str out;

	if (address->n == 0 || addr_is_complete(buf_view(address)))
		return 0;
	if (rewrite_address(str_of(context), buf_view(address), &m->arena, &out,
		deadline_in(conf.ipc_timeout * 1000L), &err) < 0) {
		log_warn("%s: %s", m->id, err.text);
		message_fail(m, CLEANUP_WRITE, NULL);
		return -1;
	}
	buf_clear(address);
	buf_str(address, out);
	return 0;
}

int address_canonical(struct message *m, enum address_class class, struct buf *address)
{
	if (!(m->flags & CLEANUP_FLAG_MAP))
		return 0;
	if (canonical_map(m, class, address) < 0)
		return -1;
	masquerade(class, address);
	return 0;
}
