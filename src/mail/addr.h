/* Mail addresses.
 *
 * Two forms exist. Internal: the local part without quotes or backslashes (user name@dom, "" for
 * the null address); this is what tables, queue and programs use. External: quoted where RFC 5321
 * or 5322 needs it
 * ("user name"@dom); this is what goes over the wire, into headers and into keys that people write.
 * The last @ of an internal address separates its domain. */
#ifndef POSTERN_MAIL_ADDR_H
#define POSTERN_MAIL_ADDR_H

#include "base/buf.h"
#include "base/err.h"

/* Splits at the last @; domain is "" when there is none. Slices point into address. */
void addr_split(str address, str *local, str *domain);
str addr_domain(str address);
/* user@site.domain without routing operators: in standard form, nobody needs to be asked. */
bool addr_is_complete(str address); /* "" when there is none */
str addr_local(str address);	    /* the whole address when there is no @ */

/* Appends the external form of an internal address: quotes only the local part and only where it is
 * no dot-string (RFC 5321 4.1.2). UTF-8 needs no quotes. */
void addr_quote(struct buf *out, str address);
/* Appends the internal form: quotes and backslashes of the local part removed, comments left as
 * they are. For addresses that were checked before or come from tables. Never fails. */
void addr_unquote(struct buf *out, str address);
bool addr_local_needs_quotes(str local);

/* Index in local of the delimiter that begins the extension (user+ext), or -1 when there is none.
 * delimiters is recipient_delimiter. Never split: mailer-daemon, postmaster, double-bounce
 * (double_bounce: the configured name), an empty user name, and with '-' and owner_special the
 * forms owner-list and list-request. The first delimiter after the first byte counts. */
ptrdiff_t addr_extension(str local, const char *delimiters, bool owner_special, str double_bounce);

enum {			      /* addr_parse_path flags */
	ADDR_STRICT = 1 << 0, /* strict_rfc821_envelopes: <> needed; no phrases, comments */
	ADDR_UTF8 =
	    1
	    << 1, /* SMTPUTF8 was asked for: the domain may be UTF-8, and all must be well-formed */
	ADDR_NULL = 1 << 2,    /* <> is allowed (MAIL) */
	ADDR_NUMERIC = 1 << 3, /* resolve_numeric_domain: user@1.2.3.4 is allowed (kept as it is) */
	ADDR_NULL_DOMAIN = 1 << 4, /* resolve_null_domain: user@ is allowed */
	ADDR_WHOLE = 1 << 5,	   /* all of args is the path (VRFY) */
};
/* Parses the path of MAIL FROM: or RCPT TO: (RFC 5321 4.1.1.2, 4.1.2) at the start of args (which
 * may begin with spaces): appends its internal form to *address, sets *path to the text it was read
 * from (for messages and logs: "<a b@c>") and *rest to the text behind it (ESMTP parameters,
 * trimmed). Source routes (@a,@b:user@dom) are dropped. When not strict, missing <>, "Name <addr>",
 * "group: addr;" and comments are tolerated too. A domain or literal is checked; there need not be
 * one. False: bad syntax (*path and *rest are set; *path is {NULL,0} when a < is never closed). */
bool addr_parse_path(str args, unsigned flags, struct buf *address, str *path, str *rest);

/* Domain part: a host name as hostname_valid(), a literal [1.2.3.4] or [IPv6:...], or UTF-8 labels
 * when utf8. Numeric (1.2.3.4) is not valid. */
bool addr_domain_valid(str domain, bool utf8);
/* "[1.2.3.4]" or "[IPv6:::1]": *ip is the text of a valid address in it. */
bool addr_literal(str domain, str *ip);

bool utf8_valid(str s); /* RFC 3629: no overlong forms, no surrogates */

/* Internationalised domains (libidn2, IDNA2008 with UTS 46 non-transitional mapping). Appends;
 * false when the name cannot be converted. ASCII names pass through to_ascii in lower case. */
bool addr_domain_to_ascii(struct buf *out, str domain);
bool addr_domain_to_unicode(struct buf *out, str domain);
/* The address with its domain as A-labels; false when that cannot be. The local part may stay
 * UTF-8. */
bool addr_to_ascii_domain(struct buf *out, str address);

/* Key for tables: ASCII (and with utf8, UTF-8) letters in lower case. Appends. */
void addr_fold(struct buf *out, str address, bool utf8);

/* Address shown in logs: at most 1000 bytes, unprintable bytes as '?'. Appends the external form.
 */
void addr_log(struct buf *out, str address);

#endif
