#include "param/table.h"
#include "param/dirs.h"
#include "param/param.h"
#include <limits.h>
#include <stdlib.h>

#define ACTS	   NULL
#define NOT_YET	   ""
#define NEVER(why) why

#define ROW(t, member, name, def, unit, lo, hi, words, acts, programs, since, prose)               \
	{name, def, PARAM_TYPE_##t, offsetof(struct conf, member), unit, lo, hi, words, acts,      \
	    programs, since, prose},

const struct param_row param_rows[] = {
#define PARAM_STR(m, name, def, acts, programs, since, prose)                                      \
	ROW(STR, m, name, def, 0, 0, 0, NULL, acts, programs, since, prose)
#define PARAM_RAW(m, name, def, acts, programs, since, prose)                                      \
	ROW(RAW, m, name, def, 0, 0, 0, NULL, acts, programs, since, prose)
#define PARAM_ENUM(m, name, def, words, acts, programs, since, prose)                              \
	ROW(ENUM, m, name, def, 0, 0, 0, words, acts, programs, since, prose)
#define PARAM_COMPUTED(m, name, acts, programs, since, prose)                                      \
	ROW(COMPUTED, m, name, NULL, 0, 0, 0, NULL, acts, programs, since, prose)
#define PARAM_INT(m, name, def, lo, hi, acts, programs, since, prose)                              \
	ROW(INT, m, name, def, 0, lo, hi, NULL, acts, programs, since, prose)
#define PARAM_TIME(m, name, def, unit, lo, hi, acts, programs, since, prose)                       \
	ROW(TIME, m, name, def, unit, lo, hi, NULL, acts, programs, since, prose)
#define PARAM_SIZE(m, name, def, lo, hi, acts, programs, since, prose)                             \
	ROW(SIZE, m, name, def, 0, lo, hi, NULL, acts, programs, since, prose)
#define PARAM_BOOL(m, name, def, acts, programs, since, prose)                                     \
	ROW(BOOL, m, name, def, 0, 0, 0, NULL, acts, programs, since, prose)
#include "param/param.tbl"
};
const size_t param_count = sizeof(param_rows) / sizeof(param_rows[0]);

const struct param_suffix param_suffixes[] = {
#define PARAM_TRANSPORT(suffix, type, def, programs, prose)                                        \
	{suffix, PARAM_TYPE_##type, def, programs, prose},
#include "param/param.tbl"
};
const size_t param_suffix_count = sizeof(param_suffixes) / sizeof(param_suffixes[0]);

const struct param_legacy param_legacies[] = {
#define PARAM_LEGACY(name, successor) {name, successor},
#include "param/param.tbl"
};
const size_t param_legacy_count = sizeof(param_legacies) / sizeof(param_legacies[0]);

const struct param_legacy param_deprecated[] = {
#define PARAM_LEGACY(name, successor)	  {name, successor},
#define PARAM_DEPRECATED(name, successor) {name, successor},
#include "param/param.tbl"
};
const size_t param_deprecated_count = sizeof(param_deprecated) / sizeof(param_deprecated[0]);

static int compare(const void *key, const void *row)
{
	return str_cmp(*(const str *)key, str_of(((const struct param_row *)row)->name));
}

const struct param_row *param_find(str name)
{
	return bsearch(&name, param_rows, param_count, sizeof(param_rows[0]), compare);
}

bool param_suffix_applies(const struct param_suffix *s, const char *command)
{
	str rest = str_of(s->programs), word;

	while (str_word(&rest, ",", &word))
		if (str_eq(word, str_of(command)))
			return true;
	return false;
}

const struct param_suffix *param_service_find(str name, const char *service, const char *command)
{
	if (!str_starts(name, str_of(service)))
		return NULL;
	name = str_from(name, strlen(service));
	for (size_t i = 0; i < param_suffix_count; i++)
		if (str_eq(name, str_of(param_suffixes[i].suffix)))
			return param_suffix_applies(&param_suffixes[i], command)
				   ? &param_suffixes[i]
				   : NULL;
	return NULL;
}
