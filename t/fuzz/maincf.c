/* main.cf: any bytes are parsed, and every value is expanded, without harm. */
#include "param/conf.h"
#include "param/expand.h"
#include "param/param.h"
#include <stddef.h>
#include <stdint.h>

static const char *raw(void *ctx, str name)
{
	const struct maincf_entry *e = maincf_get(ctx, name);

	return e ? e->value : NULL;
}

static const char *look(void *ctx, str name)
{
	(void)name;
	return ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maincf m = {0};
	struct param_scope scope = {.raw = raw, .ctx = &m, .dir = "/etc/postern"};
	struct buf out = {0};
	const char *value;

	if (size > 1 << 16)
		return 0;
	maincf_parse(&m, "main.cf", str_mem(data, size), NULL, NULL);
	HTAB_FOREACH (e, &m.names) {
		param_value(&scope, str_mem(e->key, e->n), &value, NULL);
	}
	expand_text(&out, str_mem(data, size), look, "x", NULL);
	expand_scan(str_mem(data, size), look, NULL, NULL);
	buf_free(&out);
	param_scope_free(&scope);
	maincf_free(&m);
	return 0;
}
