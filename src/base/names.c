#include "base/names.h"

int64_t names_value(const struct name_row *t, str name, int64_t fallback)
{
	for (; t->name; t++)
		if (str_eq_nocase(str_of(t->name), name))
			return t->value;
	return fallback;
}

const char *names_name(const struct name_row *t, int64_t value)
{
	for (; t->name; t++)
		if (t->value == value)
			return t->name;
	return NULL;
}

int names_mask(const struct name_row *t, str list, uint64_t *mask, struct err *err)
{
	const struct name_row *row;
	str word;

	*mask = 0;
	while (str_word(&list, ", \t\r\n", &word)) {
		for (row = t; row->name; row++)
			if (str_eq_nocase(str_of(row->name), word))
				break;
		if (!row->name)
			return err_set(err, "unknown name \"%.*s\"", STR_FMT(word));
		*mask |= (uint64_t)row->value;
	}
	return 0;
}
