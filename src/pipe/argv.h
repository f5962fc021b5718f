/* The argv= of a pipe service: words with macros in them, and the command line that they become for
 * one delivery. */
#ifndef POSTERN_PIPE_ARGV_H
#define POSTERN_PIPE_ARGV_H

#include "base/err.h"
#include "ipc/deliver.h"

enum {				   /* flags= that are about arguments */
	ARGV_FOLD_DOMAIN = 1 << 0, /* h */
	ARGV_FOLD_LOCAL = 1 << 1,  /* u */
	ARGV_QUOTE = 1 << 2,	   /* q */
};

/* A word cut into texts and macros. */
struct argv_part;
struct argv_word {
	struct argv_part *parts;
	size_t n;
	bool per_rcpt; /* becomes one argument per recipient */
};
struct argv_template {
	struct argv_word *v;
	size_t n;
};
/* Reads $name, ${name}, $(name) and $$. The words must outlive the template. -1 and err: unknown
 * macro, bad syntax. */
int argv_parse(struct argv_template *t, const char *const *words, struct err *err);
void argv_free(struct argv_template *t);

/* The command line for a delivery, with a NULL at its end, all of the delivery's arena. null_sender
 * is the text for an empty sender. */
const char *const *argv_expand(
    const struct argv_template *t, struct delivery *d, unsigned flags, const char *null_sender);

#endif
