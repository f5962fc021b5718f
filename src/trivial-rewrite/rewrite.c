#include "trivial-rewrite/rewrite.h"

#include "mail/addr.h"
#include "param/param.h"

/* "@a,@b:user@site" and "@a:user@site": what stands behind the last route. */
static str strip_route(str address)
{
	ptrdiff_t colon;

	while (address.n > 0 && address.p[0] == '@' && (colon = str_chr(address, ':')) > 0 &&
	       (size_t)colon + 1 < address.n)
		address = str_from(address, colon + 1);
	return address;
}

bool rewrite_operator(str local, struct buf *out)
{
	ptrdiff_t bang = str_chr(local, '!'), percent = str_rchr(local, '%');

	if (conf.swap_bangpath && bang > 0 && (size_t)bang + 1 < local.n) {
		buf_str(out, str_from(local, bang + 1));
		buf_char(out, '@');
		buf_str(out, str_head(local, bang));
		return true;
	}
	if (conf.allow_percent_hack && percent > 0 && (size_t)percent + 1 < local.n) {
		buf_str(out, str_head(local, percent));
		buf_char(out, '@');
		buf_str(out, str_from(local, percent + 1));
		return true;
	}
	return false;
}

/* user -> user@origin */
static void complete_user(struct buf *a, const char *origin)
{
	if (str_rchr(buf_view(a), '@') < 0 && a->n > 0 && *origin)
		buf_printf(a, "@%s", origin);
}

/* user@host -> user@host.domain; user@site. -> user@site */
static void complete_domain(struct buf *a, const char *domain)
{
	str d = addr_domain(buf_view(a));

	if (d.n == 0)
		return;
	if (str_eq(d, STR(".")))
		return;
	if (str_ends(d, STR(".")))
		buf_cut(a, a->n - 1);
	else if (*domain && d.p[0] != '[' && str_chr(d, '.') < 0)
		buf_printf(a, ".%s", domain);
}

void rewrite_form(str context, str address, struct buf *out)
{
	bool local = str_eq(context, STR("local"));
	const char *origin = local ? conf.myorigin : conf.remote_header_rewrite_domain;
	const char *domain = local ? conf.mydomain : conf.remote_header_rewrite_domain;
	struct buf a = {0}, next = {0};

	if (!local && !*origin) {
		buf_str(out, address);
		return;
	}
	buf_str(&a, strip_route(address));
	if (str_rchr(buf_view(&a), '@') < 0 && rewrite_operator(buf_view(&a), &next)) {
		buf_clear(&a);
		buf_str(&a, buf_view(&next));
	}
	if (conf.append_at_myorigin)
		complete_user(&a, origin);
	complete_domain(&a, conf.append_dot_mydomain ? domain : "");
	buf_str(out, buf_view(&a));
	buf_free(&a);
	buf_free(&next);
}
