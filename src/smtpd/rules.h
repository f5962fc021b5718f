/* Restriction lists as parsed from main.cf. */
#ifndef POSTERN_SMTPD_RULES_H
#define POSTERN_SMTPD_RULES_H

#include "smtpd/eval.h"

struct rule {
	const char *name;   /* as written */
	enum outcome (*check)(struct eval *e, const struct rule *r); /* NULL: broken, a configuration error */
	struct table *table; /* TABLE argument */
	const char *word;    /* argument as written */
	const struct rules *class; /* restriction class; check is NULL then */
	const char *broken;  /* why this rule cannot work, or NULL */
};
struct rules {
	struct rule *v;
	size_t n;
};

/* Parses the restriction classes. */
void rules_setup(void);
/* Parses a list; what is wrong in it becomes a rule that fails when it is reached. The result is the
 * caller's, for good. list tells what a bare "type:table" means. */
struct rules *rules_parse(const char *text, enum list_id list);
/* The same with a cache, for texts that tables return. */
const struct rules *rules_of_text(str text, enum list_id list);
/* True when mail for anybody cannot pass this list: it has a working reject-type restriction before any
 * "permit". */
bool rules_close_relay(const struct rules *r);

#endif
