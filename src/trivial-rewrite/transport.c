#include "trivial-rewrite/transport.h"
#include "table/table.h"

#include "mail/addr.h"
#include "param/param.h"
#include "table/matchlist.h"

static void set(struct buf *b, str s)
{
	buf_clear(b);
	buf_str(b, s);
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
	set(&r->nexthop, nexthop.n ? nexthop : domain);
}

struct look {
	struct maps *maps;
	struct buf *value, key;
	struct err *err;
};

static enum table_result get(struct look *l, bool partial)
{
	return partial ? maps_get_partial(l->maps, buf_view(&l->key), l->value, l->err)
		       : maps_get(l->maps, buf_view(&l->key), l->value, l->err);
}

static enum table_result find_parents(struct look *l, str domain)
{
	bool plain = matchlist_parent_matches("transport_maps");
	enum table_result t = TABLE_NONE;

	for (;;) {
		ptrdiff_t dot = str_chr(str_from(domain, 1), '.');
		if (dot < 0)
			return t;
		domain = str_from(domain, dot + 1 + plain);
		if (domain.n < 2)
			return t;
		buf_clear(&l->key);
		buf_str(&l->key, domain);
		if ((t = get(l, true)) != TABLE_NONE)
			return t;
	}
}

enum table_result transport_find(
    struct maps *maps, str recipient, struct buf *value, struct err *err)
{
	struct look l = {.maps = maps, .value = value, .err = err};
	str local, domain;
	enum table_result t;
	ptrdiff_t ext;

	addr_split(recipient, &local, &domain);
	addr_quote(&l.key, recipient);
	t = get(&l, false);
	ext = addr_extension(local, conf.recipient_delimiter, conf.owner_request_special,
	    str_of(conf.double_bounce_sender));
	if (t == TABLE_NONE && ext >= 0) {
		struct buf plain = {0};
		buf_str(&plain, str_head(local, ext));
		buf_char(&plain, '@');
		buf_str(&plain, domain);
		buf_clear(&l.key);
		addr_quote(&l.key, buf_view(&plain));
		buf_free(&plain);
		t = get(&l, true);
	}
	if (t == TABLE_NONE && domain.n) {
		buf_clear(&l.key);
		buf_str(&l.key, domain);
		if ((t = get(&l, true)) == TABLE_NONE)
			t = find_parents(&l, domain);
	}
	if (t == TABLE_NONE) {
		buf_clear(&l.key);
		buf_char(&l.key, '*');
		t = get(&l, true);
	}
	buf_free(&l.key);
	return t;
}
