#include "trivial-rewrite/transport.h"

#include "mail/addrfind.h"
#include "param/param.h"
#include "table/matchlist.h"

static void set(struct buf *b, str s)
{
	buf_clear(b);
	buf_str(b, s);
}

/* Their next hop is the text of the refusal, not a place. */
static bool is_refusal(str transport)
{
	return str_eq(transport, str_of(conf.error_service_name)) ||
	       str_eq(transport, STR("retry"));
}

void transport_apply(struct route *r, str spec, str domain)
{
	ptrdiff_t colon = str_chr(spec, ':');
	str transport = str_trim(colon < 0 ? spec : str_head(spec, colon));
	str nexthop = str_trim(colon < 0 ? STR("") : str_from(spec, colon + 1));

	if (transport.n == 0 && nexthop.n == 0)
		return;
	if (transport.n)
		set(&r->transport, transport);
	if (nexthop.n == 0 && is_refusal(transport))
		nexthop = STR("Address is undeliverable");
	set(&r->nexthop, nexthop.n ? nexthop : domain);
}

enum table_result transport_find(
    struct maps *maps, str recipient, struct buf *value, struct err *err)
{
	unsigned parents =
	    matchlist_parent_matches("transport_maps") ? ADDR_FIND_PARENTS : ADDR_FIND_DOT_PARENTS;
	enum table_result t =
	    addr_find(maps, recipient, ADDR_FIND_TRANSPORT | parents, value, NULL, err);

	return t == TABLE_NONE ? maps_get_partial(maps, STR("*"), value, err) : t;
}
