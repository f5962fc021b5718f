#include "param/param.h"
#include <limits.h>

/* number [ "s" | "m" | "h" | "d" | "w" ] */
int time_parse(str text, char default_unit, int *seconds, struct err *err)
{
	str digits = text;
	char unit = default_unit;
	uint64_t n, factor;

	if (text.n && !(text.p[text.n - 1] >= '0' && text.p[text.n - 1] <= '9')) {
		unit = text.p[text.n - 1];
		digits = str_head(text, text.n - 1);
	}
	switch (unit) {
	case 's':
		factor = 1;
		break;
	case 'm':
		factor = 60;
		break;
	case 'h':
		factor = 3600;
		break;
	case 'd':
		factor = 86400;
		break;
	case 'w':
		factor = 604800;
		break;
	default:
		return err_set(err, "bad time unit: \"%.*s\"", STR_FMT(str_head(text, 100)));
	}
	if (!str_to_u64(digits, &n))
		return err_set(err, "bad time value: \"%.*s\"", STR_FMT(str_head(text, 100)));
	if (n > INT_MAX / factor)
		return err_set(
		    err, "time value is too large: \"%.*s\"", STR_FMT(str_head(text, 100)));
	*seconds = (int)(n * factor);
	return 0;
}
