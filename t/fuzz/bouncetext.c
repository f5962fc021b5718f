/* bounce_template_file: any bytes are read, and what was taken can be expanded and shown, in memory
 * that the file's size bounds. */
#include "mail/bouncetext.h"
#include "param/conf.h"
#include "param/param.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static void ignore(const char *text)
{
	(void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = {0};
	struct err err;

	if (size > 1 << 16)
		return 0;
	conf.myhostname = "mx.example.test";
	conf.mydomain = "example.test";
	bounce_texts_parse("file", str_mem(data, size), ignore, &err);
	for (int k = 0; k < BOUNCE_TEXT_COUNT; k++) {
		/* One that cannot be expanded is not taken. */
		if (bounce_text_expand(bounce_text(k), &out, &err) < 0)
			abort();
		bounce_text_print(bounce_text(k), true, &out);
	}
	buf_free(&out);
	param_scope_free(&conf_scope); /* it remembers each name that was asked for */
	return 0;
}
