/* Texts with $names of the session: smtpd_reject_footer, default_rbl_reply and their tables. */
#ifndef POSTERN_SMTPD_TEMPLATE_H
#define POSTERN_SMTPD_TEMPLATE_H

#include "smtpd/session.h"

/* More names than the session's own. */
struct template_extra {
	const char *name, *value;
};

void template_setup(void);
/* Appends the text with its names expanded, characters outside of smtpd_expansion_filter as '_'.
 * extra ends with a NULL name, or is NULL. False, with a warning, for bad syntax: what names the
 * parameter. */
bool template_expand(struct session *s, const char *what, str text,
    const struct template_extra *extra, struct buf *out);

#endif
