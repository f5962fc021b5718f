#include "service/envlist.h"

#include "base/buf.h"
#include "base/mem.h"
#include "param/param.h"

#include <stdlib.h>

#define COMMAND_PATH "/usr/bin:/bin"

static char **find(struct envlist *e, str name)
{
	for (size_t i = 0; i < e->n; i++)
		if (str_starts(str_of(e->v[i]), name) && e->v[i][name.n] == '=')
			return &e->v[i];
	return NULL;
}

void envlist_set(struct envlist *e, str name, const char *value)
{
	struct buf text = {0};
	char **old;

	if (name.n == 0 || !value)
		return;
	buf_printf(&text, "%.*s=%s", STR_FMT(name), value);
	old = find(e, name);
	if (old) {
		free(*old);
		*old = text.p;
		return;
	}
	e->v = mem_realloc(e->v, (e->n + 2) * sizeof(*e->v));
	e->v[e->n++] = text.p;
	e->v[e->n] = NULL;
}

static void add_word(struct envlist *e, str word)
{
	ptrdiff_t eq;
	char *text;

	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = str_trim(str_mem(word.p + 1, word.n - 2));
	eq = str_chr(word, '=');
	text = str_dup(eq < 0 ? word : str_trim(str_from(word, (size_t)eq + 1)));
	if (eq < 0)
		envlist_set(e, word, getenv(text));
	else
		envlist_set(e, str_trim(str_head(word, (size_t)eq)), text);
	free(text);
}

void envlist_add(struct envlist *e, const char *list)
{
	str rest = str_of(list), word;

	while (str_word_braced(&rest, ", \t\r\n", &word))
		add_word(e, word);
}

void envlist_free(struct envlist *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
	free(e->v);
	*e = (struct envlist){0};
}

const char *const *envlist_for_commands(void)
{
	static struct envlist commands;

	if (!commands.v) {
		envlist_set(&commands, STR("PATH"), COMMAND_PATH);
		envlist_add(&commands, conf.export_environment);
	}
	return (const char *const *)commands.v;
}
