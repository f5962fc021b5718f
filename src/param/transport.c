/* Parameters whose names begin with the name of a transport. */
#include "param/conf.h"
#include "param/convert.h"
#include "param/param.h"
#include "param/table.h"
#include <limits.h>

/* Its value, or NULL: the user has not set it and it is no built-in name. */
static const char *value_of(const char *transport, const char *suffix, struct buf *name)
{
	const char *value = NULL;
	struct err err = {0};

	buf_printf(name, "%s%s", transport, suffix);
	if (param_value(&conf_scope, buf_view(name), &value, &err) != 0) {
		conf_warn("%s/main.cf: parameter %s: %s", conf_dir(), buf_text(name), err.text);
		return NULL;
	}
	return value;
}

/* A bad value is told once: from then on it counts as not set. */
static int number_of(const char *transport, const char *suffix, enum param_type type, int fallback)
{
	struct buf name = {0};
	struct err err = {0};
	int n = fallback;
	const char *value = value_of(transport, suffix, &name);
	struct param_row row = {
	    .name = buf_text(&name), .type = type, .unit = 's', .lo = 0, .hi = INT_MAX};

	if (value && *value && param_convert(&row, value, &n, &err) != 0) {
		conf_warn("%s/main.cf: %s; the default is used", conf_dir(), err.text);
		maincf_set(&conf_main, buf_view(&name), STR(""), 0);
		htab_del(&conf_scope.cache, buf_view(&name));
		n = fallback;
	}
	buf_free(&name);
	return n;
}

int conf_transport_int(const char *transport, const char *suffix, int fallback)
{
	return number_of(transport, suffix, PARAM_TYPE_INT, fallback);
}

int conf_transport_time(const char *transport, const char *suffix, int fallback)
{
	return number_of(transport, suffix, PARAM_TYPE_TIME, fallback);
}

const char *conf_transport_str(const char *transport, const char *suffix, const char *fallback)
{
	struct buf name = {0};
	const char *value = value_of(transport, suffix, &name);

	buf_free(&name);
	return value ? value : fallback;
}
