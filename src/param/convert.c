#include "param/convert.h"
#include "param/param.h"
#include <inttypes.h>

int param_bool(const char *value)
{
	if (str_eq_nocase(str_of(value), STR("yes")))
		return 1;
	return str_eq_nocase(str_of(value), STR("no")) ? 0 : -1;
}

static int check_bounds(const struct param_row *row, int64_t n, struct err *err)
{
	if (n < row->lo)
		return err_set(err, "invalid %s parameter value %" PRId64 " < %" PRId64, row->name,
		    n, row->lo);
	if (n > row->hi)
		return err_set(err, "invalid %s parameter value %" PRId64 " > %" PRId64, row->name,
		    n, row->hi);
	return 0;
}

static int parse_number(const char *text, int64_t *n)
{
	bool minus = *text == '-';

	if (!str_to_i64(str_of(text + minus), n))
		return -1;
	if (minus)
		*n = -*n;
	return 0;
}

static int convert_number(
    const struct param_row *row, const char *value, int64_t *n, struct err *err)
{
	int seconds;

	if (row->type == PARAM_TYPE_TIME) {
		struct err why = {0};

		if (time_parse(str_of(value), row->unit, &seconds, &why) != 0)
			return err_set(err, "parameter %s: %s", row->name, why.text);
		*n = seconds;
	} else if (parse_number(value, n) != 0) {
		return err_set(err, "bad numerical configuration: %s = %.200s", row->name, value);
	}
	return check_bounds(row, *n, err);
}

static int check_word(const struct param_row *row, const char *value, struct err *err)
{
	str rest = str_of(row->words), v = str_of(value);

	for (;;) {
		ptrdiff_t bar = str_chr(rest, '|');

		if (str_eq_nocase(v, str_head(rest, bar < 0 ? rest.n : (size_t)bar)))
			return 0;
		if (bar < 0)
			return err_set(err, "bad value for %s: \"%.200s\"; specify one of: %s",
			    row->name, value, row->words);
		rest = str_from(rest, (size_t)bar + 1);
	}
}

int param_convert(const struct param_row *row, const char *value, void *to, struct err *err)
{
	int64_t n = 0;

	switch (row->type) {
	case PARAM_TYPE_STR:
	case PARAM_TYPE_RAW:
	case PARAM_TYPE_COMPUTED:
		break;
	case PARAM_TYPE_ENUM:
		if (check_word(row, value, err) != 0)
			return -1;
		break;
	case PARAM_TYPE_BOOL:
		n = param_bool(value);
		if (n < 0)
			return err_set(
			    err, "bad boolean configuration: %s = %.200s", row->name, value);
		*(bool *)to = n;
		return 0;
	case PARAM_TYPE_INT:
	case PARAM_TYPE_TIME:
	case PARAM_TYPE_SIZE:
		if (convert_number(row, value, &n, err) != 0)
			return -1;
		if (row->type == PARAM_TYPE_SIZE)
			*(int64_t *)to = n;
		else
			*(int *)to = (int)n;
		return 0;
	}
	*(const char **)to = value;
	return 0;
}
