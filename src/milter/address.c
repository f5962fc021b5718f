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

int milter_address(struct arena *arena, str text, str *address, bool *more, struct err *err)
{
	struct buf a = {0};
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ')
			return err_set(err, "control character in address");
	hdraddr_each(text, 0, count, &n);
	*more = n > 1;
	hdraddr_one(text, &a);
	*address = arena_str(arena, buf_view(&a));
	buf_free(&a);
	return 0;
}

bool milter_address_same(str a, str b)
{
	return str_eq(addr_local(a), addr_local(b)) &&
	       str_eq_nocase(addr_domain(a), addr_domain(b));
}
