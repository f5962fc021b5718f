/* What a milter asked for at the end of a message, kept until its verdict: then all of it is done,
 * or nothing. Private to src/milter. */
#ifndef POSTERN_MILTER_EDIT_H
#define POSTERN_MILTER_EDIT_H

#include "base/arena.h"
#include "milter/body.h"
#include "milter/fields.h"
#include "milter/message.h"
#include "milter/wire.h"

struct milter_edits {
	struct arena arena; /* texts of fields must outlive it: they are copied when applied */
	struct milter_reply *v;
	size_t n, cap;
	struct milter_body *body; /* the new one, or NULL */
	unsigned ignored;	  /* fields with bad names */
};

/* Notes a change; leading: values of fields bring their own space. -1 and err: too much of it, no
 * address, or the new body cannot be kept. May wait. */
int milter_edits_add(struct milter_edits *e, const struct milter_reply *r, bool leading,
    const char *milter, struct err *err);
/* Whether they can be done to this header in little time: 0, or -1 and err. Clients may send
 * millions of fields, and a filter may want each of many away. */
int milter_edits_check(
    const struct milter_edits *e, const struct milter_fields *f, struct err *err);
/* Does what concerns header and envelope, in order; true when the header is another. Texts go to a.
 * May wait. */
bool milter_edits_apply(struct milter_edits *e, struct milter_fields *f, struct arena *a,
    const struct milter_envelope_ops *ops, void *ctx);
void milter_edits_free(struct milter_edits *e);

#endif
