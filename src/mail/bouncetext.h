/* Texts of delivery status notifications: built in, or from bounce_template_file (bounce(5)). */
#ifndef POSTERN_MAIL_BOUNCETEXT_H
#define POSTERN_MAIL_BOUNCETEXT_H

#include "base/buf.h"
#include "base/err.h"

enum bounce_text_kind {
	BOUNCE_TEXT_FAILURE,
	BOUNCE_TEXT_DELAY,
	BOUNCE_TEXT_SUCCESS,
	BOUNCE_TEXT_VERIFY,
	BOUNCE_TEXT_COUNT,
};
struct bounce_text {
	const char *name; /* "failure_template" */
	const char *charset, *from, *subject;
	const char *postmaster_subject; /* NULL: the kind has none */
	const char *text;		/* unexpanded, lines with \n */
};

/* Reads the template file over the built-in texts; path "" keeps them. What is wrong with a
 * template is reported through warn, and the built-in text stays. 0, or -1 and err when the file
 * cannot be read, or a line outside of templates is no assignment. */
int bounce_texts_load(const char *path, void (*warn)(const char *text), struct err *err);
/* The same with the file's content, which is copied; what was loaded before is forgotten. */
int bounce_texts_parse(
    const char *path, str content, void (*warn)(const char *text), struct err *err);
const struct bounce_text *bounce_text(enum bounce_text_kind kind);
/* Appends the text with its $parameters expanded. */
int bounce_text_expand(const struct bounce_text *t, struct buf *out, struct err *err);
/* The whole template in the file's syntax (postconf -b, -t). */
void bounce_text_print(const struct bounce_text *t, bool expand, struct buf *out);

#endif
