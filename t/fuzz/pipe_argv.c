// with: src/pipe/argv.c
/* Arguments of commands, with addresses of strangers: words, an empty line, sender, recipients. */
#include "base/mem.h"
#include "param/param.h"
#include "pipe/argv.h"
#include <stdint.h>
#include <stdlib.h>

#define WORDS_MAX 8
#define RCPTS_MAX 8

static size_t take_words(str *rest, const char **words)
{
	size_t n = 0;
	str line;

	while (n < WORDS_MAX && str_split(rest, '\n', &line) && line.n > 0)
		words[n++] = str_dup(line);
	words[n] = NULL;
	return n;
}

static void expand(const struct argv_template *t, str rest, unsigned flags)
{
	struct delivery_rcpt rcpts[RCPTS_MAX];
	struct delivery d = {.rcpts = rcpts};
	const char *const *v;
	str line = {0};
	size_t want = 0, got = 0;

	str_split(&rest, '\n', &line);
	d.m.sender = line;
	while (d.nrcpts < RCPTS_MAX && str_split(&rest, '\n', &line))
		rcpts[d.nrcpts++] = (struct delivery_rcpt){.address = line};
	for (size_t i = 0; i < t->n; i++)
		want += t->v[i].per_rcpt ? d.nrcpts : 1;
	for (v = argv_expand(t, &d, flags, "MAILER-DAEMON"); v[got];)
		got++;
	if (got != want)
		abort();
	arena_free(&d.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *words[WORDS_MAX + 1];
	struct argv_template t;
	struct err err;
	size_t n;
	str rest;

	if (size == 0)
		return 0;
	conf.recipient_delimiter = "+-";
	conf.double_bounce_sender = "double-bounce";
	conf.smtputf8_enable = true;
	rest = str_mem(data + 1, size - 1);
	n = take_words(&rest, words);
	if (argv_parse(&t, words, &err) == 0) {
		expand(&t, rest, data[0] & 7);
		argv_free(&t);
	}
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)words[i]);
	return 0;
}
