#include "milter/address.h"

#include "mail/addr.h"
#include "mail/hdraddr.h"

static bool count(void *ctx, str address, struct buf *out)
{
	size_t *n = ctx;

	(void)address;
	(void)out;
	++*n;
	return false;
}

int milter_address_check(str text, struct err *err)
{
	if (text.n > MILTER_ADDRESS_MAX)
		return err_set(err, "address of %zu bytes", text.n);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ')
			return err_set(err, "control character in address");
	return 0;
}

str milter_address(struct arena *arena, str text, bool *more)
{
	struct buf a = {0};
	size_t n = 0;
	str address;

	hdraddr_each(text, 0, count, &n);
	*more = n > 1;
	hdraddr_one(text, &a);
	address = arena_str(arena, buf_view(&a));
	buf_free(&a);
	return address;
}

bool milter_address_same(str a, str b)
{
	return str_eq(addr_local(a), addr_local(b)) &&
	       str_eq_nocase(addr_domain(a), addr_domain(b));
}
