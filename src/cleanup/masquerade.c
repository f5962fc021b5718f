#include "cleanup/masquerade.h"

#include "cleanup/canonical.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "table/matchlist.h"

static uint64_t classes;
static struct matchlist *exceptions;

void masquerade_setup(void)
{
	struct err err;

	if (names_mask(address_classes, str_of(conf.masquerade_classes), &classes, &err) < 0)
		log_fatal("masquerade_classes: %s", err.text);
	exceptions =
	    matchlist_open("masquerade_exceptions", conf.masquerade_exceptions, MATCH_STRING);
}

/* "sub.example.com" under "example.com", or the domain itself. */
static bool is_under(str domain, str parent)
{
	if (domain.n == parent.n)
		return str_eq_nocase(domain, parent);
	return domain.n > parent.n && domain.p[domain.n - parent.n - 1] == '.' &&
	       str_ends_nocase(domain, parent);
}

void masquerade(enum address_class class, struct buf *address)
{
	str local, domain, rest = str_of(conf.masquerade_domains), word;
	struct buf out = {0};
	struct err err;

	if (!*conf.masquerade_domains || !(classes & class))
		return;
	addr_split(buf_view(address), &local, &domain);
	if (domain.n == 0 || (!matchlist_empty(exceptions) &&
				 matchlist_name(exceptions, local, &err) == TABLE_FOUND))
		return;
	while (str_word(&rest, ", \t\r\n", &word)) {
		bool keep = word.p[0] == '!';
		str parent = str_from(word, keep);

		if (!is_under(domain, parent))
			continue;
		if (keep || domain.n == parent.n)
			return;
		buf_str(&out, local);
		buf_char(&out, '@');
		buf_str(&out, parent);
		buf_clear(address);
		buf_str(address, buf_view(&out));
		buf_free(&out);
		return;
	}
}
