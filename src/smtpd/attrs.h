/* XCLIENT and XFORWARD: words of the form NAME=value and what they may hold. */
#ifndef POSTERN_SMTPD_ATTRS_H
#define POSTERN_SMTPD_ATTRS_H

#include "smtpd/session.h"

#define ATTR_VALUE_MAX 255

enum attr_kind {
	ATTR_NAME,  /* host name */
	ATTR_ADDR,  /* 1.2.3.4, IPV6:::1 */
	ATTR_PORT,  /* number */
	ATTR_PROTO, /* SMTP, ESMTP */
	ATTR_TEXT,  /* anything; unprintable characters become ? */
	ATTR_LOGIN, /* the same; what means something in headers may be in it */
	ATTR_WHERE, /* LOCAL, REMOTE */
};
struct attr_row {
	const char *name;
	enum attr_kind kind;
};
struct attr {
	const struct attr_row *row;
	str value; /* decoded; of an address without its IPV6: */
	bool unavailable, temporary;
};
/* Takes the words of a command (args) apart, at most max of them into attr; values live in the
 * arena. Their number, or -1 when a reply was made. rows ends with a NULL name. */
int attrs_parse(struct session *s, const char *verb, str args, const struct attr_row *rows,
    struct arena *a, struct attr *attr, int max);

#endif
