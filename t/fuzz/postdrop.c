/* Frames on postdrop's standard input: what is taken is safe to store and to send. */
// with: src/cmd/postdrop/receive.c
#include "cmd/postdrop/postdrop.h"

#include "param/param.h"

#include <stdlib.h>

static void check(const struct drop *d)
{
	str c = buf_view(&d->content);

	if (str_find(c, STR("\r\n.\r\n")) >= 0 || str_starts(c, STR(".\r\n")))
		abort();
	for (size_t i = 0; i < c.n; i++)
		if (c.p[i] == '\n' && (i == 0 || c.p[i - 1] != '\r'))
			abort();
	if (str_chr(d->env.sender.address, '\n') >= 0 || str_chr(d->env.sender.envid, ' ') >= 0)
		abort();
	for (size_t i = 0; i < d->env.nrcpts; i++)
		if (str_chr(d->env.rcpts[i].address, '\r') >= 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? data[0] + 1 : 1;
	enum drop_state state = DROP_MORE;
	struct drop d;
	struct err err;

	if (!conf.verp_delimiter_filter)
		conf.verp_delimiter_filter = "-=+";
	drop_init(&d);
	for (size_t at = 1; at < size && state == DROP_MORE; at += step) {
		buf_add(&d.in, data + at, size - at < step ? size - at : step);
		state = drop_take(&d, &err);
	}
	if (state == DROP_COMPLETE)
		check(&d);
	drop_free(&d);
	return 0;
}
