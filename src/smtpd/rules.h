/* Restriction lists as parsed from main.cf. */
#ifndef POSTERN_SMTPD_RULES_H
#define POSTERN_SMTPD_RULES_H

#include "smtpd/dnsbl.h"
#include "smtpd/eval.h"
#include "smtpd/policy.h"

struct rule {
	const char *name; /* as written */
	enum outcome (*check)(struct eval *e, const struct rule *r);
	struct table *table;		     /* TABLE argument */
	const char *word;		     /* WORD argument */
	const struct dnsbl *dnsbl;	     /* DNSBL argument */
	const struct policy_service *policy; /* POLICY argument */
	const struct rules *class;	     /* restriction class; check is NULL then */
	const char
	    *broken; /* why this rule cannot work: a configuration error when it is reached */
};
struct rules {
	struct rule *v;
	size_t n;
};

/* Parses the restriction classes. */
void rules_setup(void);
/* Parses a list of main.cf, for good; what is wrong in it becomes a rule that fails when it is
 * reached. list tells what a bare "type:table" means. */
struct rules *rules_parse(const char *text, enum list_id list);
/* The same for a text that a table returned: names of restrictions and classes; tables must have
 * been named in main.cf. */
const struct rules *rules_of_text(struct arena *a, str text, enum list_id list);
/* Says what is wrong with a rule that was reached. */
void rules_warn_broken(const struct rule *r);
/* True when mail for anybody cannot pass this list: it has a working reject-type restriction. */
bool rules_close_relay(const struct rules *r);

#endif
