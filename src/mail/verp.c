#include "mail/verp.h"

#include "mail/addr.h"

const char *verp_delims_error(str delims, const char *filter)
{
	if (delims.n != 2)
		return "need two VERP delimiter characters";
	if (!delims.p[0] || !delims.p[1] || !strchr(filter, delims.p[0]) ||
	    !strchr(filter, delims.p[1]))
		return "VERP delimiter characters are not in verp_delimiter_filter";
	return NULL;
}

void verp_sender(struct buf *out, str delims, str sender, str rcpt)
{
	ptrdiff_t at = str_rchr(sender, '@');
	str local, domain;

	if (at <= 0 || delims.n != 2) {
		buf_str(out, sender);
		return;
	}
	addr_split(rcpt, &local, &domain);
	buf_str(out, str_head(sender, (size_t)at));
	buf_char(out, delims.p[0]);
	buf_str(out, local);
	if (domain.n) {
		buf_char(out, delims.p[1]);
		buf_str(out, domain);
	}
	buf_str(out, str_from(sender, (size_t)at));
}
