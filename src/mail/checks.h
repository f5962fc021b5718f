/* Header and body checks: the tables, the actions, and those actions that change text. What
 * concerns the whole message is its user's (cleanup). */
#ifndef POSTERN_MAIL_CHECKS_H
#define POSTERN_MAIL_CHECKS_H

#include "base/err.h"
#include "mail/mime.h"
#include "table/table.h"

enum { C_CLEANUP = 1 << 0, C_CLIENT = 1 << 1, C_MILTER = 1 << 2 };
enum check_action {
	CHECK_NONE = 0, /* no table has the text, or its result is no valid action (warned of) */
#define CHECK(NAME, where) CHECK_##NAME,
#include "mail/checks.tbl"
#undef CHECK
};
enum check_class { CHECK_HEADER, CHECK_MIME, CHECK_NESTED, CHECK_BODY, CHECK_CLASSES };

struct checks {
	unsigned where;			   /* C_* */
	const char *params[CHECK_CLASSES]; /* names of the parameters */
	const char *lists[CHECK_CLASSES];  /* their values */
	struct maps *maps[CHECK_CLASSES];  /* set by checks_open() */
};
/* Opens the tables of the lists. */
void checks_open(struct checks *c);
bool checks_any(const struct checks *c);
/* Flags for mime_new(): what these tables have to be shown. */
unsigned checks_mime_flags(const struct checks *c);
enum check_class check_class_of(enum mime_class class);

struct check_result {
	enum check_action action;
	struct buf answer; /* the table's result */
	str text;	   /* of the answer: what follows the action's name, trimmed */
	bool drop;	   /* IGNORE, STRIP: nothing is left */
	bool replace;	   /* REPLACE: text takes the place of what was checked */
	bool prepend;	   /* PREPEND: text goes in front of it */
};
/* Looks text up and takes the result apart; bad arguments are warned of and become CHECK_NONE. 0;
 * -1 and err: a table failed. *r is {0} at first and is freed with check_result_free() in either
 * case. May wait. */
int checks_look(const struct checks *c, enum check_class class, str text, struct check_result *r,
    struct err *err);
void check_result_free(struct check_result *r);

/* Appends what is left of a piece of a body line after its check (wire form). Long lines come in
 * pieces that are checked one by one: *open is false at first, and says whether the present line
 * has an end yet to come. */
void checks_put_piece(
    struct buf *out, bool *open, str piece, unsigned which, const struct check_result *r);

/* The word a log line begins with: "warning", "reject"...; NULL for actions that are not logged. */
const char *check_verb(enum check_action action);
/* "header" or "body". */
const char *check_class_name(enum check_class class);

#endif
