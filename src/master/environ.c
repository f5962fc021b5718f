#include "base/mem.h"
#include "master/master.h"
#include "param/param.h"

#include <stdlib.h>

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What debugging builds and tests need to reach the workers. */
static const char *const always[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "POSTERN_FAULTS"};

struct saved {
	char *name, *value;
};

static void save(struct saved **v, size_t *n, str name, const char *value)
{
	if (name.n == 0 || value == NULL)
		return;
	*v = mem_realloc(*v, sizeof **v * (*n + 1));
	(*v)[(*n)++] = (struct saved){mem_memdup(name.p, name.n), mem_strdup(value)};
}

/* One word of import_environment: NAME, NAME=value or {NAME = value}. */
static void save_word(struct saved **v, size_t *n, str word)
{
	ptrdiff_t eq;
	char *text;

	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = str_trim(str_mem(word.p + 1, word.n - 2));
	eq = str_chr(word, '=');
	if (eq >= 0) {
		text = str_dup(str_trim(str_from(word, (size_t)eq + 1)));
		save(v, n, str_trim(str_head(word, (size_t)eq)), text);
	} else {
		text = str_dup(word);
		save(v, n, word, getenv(text));
	}
	free(text);
}

void environ_clean(void)
{
	struct saved *v = NULL;
	size_t n = 0;
	str rest = str_of(conf.import_environment), word;

	while (str_word_braced(&rest, ", \t\r\n", &word))
		save_word(&v, &n, word);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		save(&v, &n, str_of(always[i]), getenv(always[i]));
	clearenv();
	setenv("PATH", SAFE_PATH, 1);
	for (size_t i = 0; i < n; i++) {
		setenv(v[i].name, v[i].value, 1);
		free(v[i].name);
		free(v[i].value);
	}
	free(v);
	setenv("MAIL_CONFIG", master.config_dir, 1);
}
