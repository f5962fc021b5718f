/* MAIL and RCPT paths: what was accepted survives quoting, and parses again to the same. */
#include "mail/addr.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf address = {0}, external = {0}, back = {0}, path_text = {0}, again = {0};
	unsigned flags = size ? data[0] & 15 : 0;
	str in = size ? str_mem(data + 1, size - 1) : STR(""), path, rest;

	if (addr_parse_path(in, flags, &address, &path, &rest)) {
		str got = buf_view(&address);

		if (path.p < in.p || path.p + path.n > in.p + in.n || rest.p + rest.n > in.p + in.n)
			abort();
		addr_quote(&external, got);
		if (!memchr(got.p, '\r', got.n) && !memchr(got.p, '\n', got.n) &&
		    !memchr(got.p, 0, got.n)) {
			addr_unquote(&back, buf_view(&external));
			if (str_chr(addr_domain(got), '"') < 0 &&
			    str_chr(addr_domain(got), '\\') < 0 && !str_eq(buf_view(&back), got))
				abort();
		}
		buf_printf(&path_text, "<%.*s>", STR_FMT(buf_view(&external)));
		if (str_is_ascii(got) &&
		    !addr_parse_path(buf_view(&path_text), flags, &again, &path, &rest))
			abort();
	}
	buf_clear(&external);
	addr_log(&external, in);
	addr_fold(&external, in, true);
	addr_domain_valid(in, true);
	addr_domain_to_unicode(&external, in);
	addr_extension(in, "+-", true, STR("double-bounce"));
	buf_free(&address);
	buf_free(&external);
	buf_free(&back);
	buf_free(&path_text);
	buf_free(&again);
	return 0;
}
