/* What the tests of tables share: files, and questions in one line. */
#ifndef POSTERN_T_TABLETEST_H
#define POSTERN_T_TABLETEST_H

#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "table/table.h"
#include <sys/stat.h>

static inline void spew(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, strlen(text), f) != strlen(text) || fclose(f) != 0)
		abort();
}

/* Replaces it as careful people do. */
static inline void respew(const char *path, const char *text)
{
	char temp[300];

	snprintf(temp, sizeof(temp), "%s.new", path);
	spew(temp, text);
	if (rename(temp, path) != 0)
		abort();
}

/* The value, "(none)" or "(error)", or "(bad spec)"; good until the next call. */
static inline const char *ask_flags(const char *spec, const char *key, unsigned flags)
{
	static struct buf value;
	struct err err = {0};
	struct table *t = table_open(str_of(spec), flags, &err);

	if (!t)
		return "(bad spec)";
	switch (table_get(t, str_of(key), &value, &err)) {
	case TABLE_FOUND:
		return buf_text(&value);
	case TABLE_NONE:
		return "(none)";
	default:
		return err.text[0] ? "(error)" : "(error without text)";
	}
}
static inline const char *ask(const char *spec, const char *key)
{
	return ask_flags(spec, key, TABLE_FOLD);
}

/* Until the answer is want, or five seconds are over. Inside of coroutines. */
static inline bool becomes(const char *spec, const char *key, const char *want)
{
	int64_t end = loop_now() + 5000;

	while (strcmp(ask(spec, key), want) != 0) {
		if (loop_now() > end)
			return false;
		co_sleep(20);
	}
	return true;
}

#define asks(spec, key, want) is_cstr(ask(spec, key), want, strchr(key, '\n') ? spec : spec " " key)

static inline int table_tests(void (*main)(void *arg), const char *settings)
{
	tmpconf(settings);
	loop_init();
	loop_run(main, NULL);
	return done();
}

#endif
