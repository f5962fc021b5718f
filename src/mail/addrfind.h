/* Looking up mail addresses in tables: which keys, in which order.
 *
 * Every key is tried in all tables of a list before the next key. Keys are in external form first
 * ("a b"@dom), and where that differs in internal form after it. Tables of patterns (regexp, pcre,
 * tcp, socketmap) are asked once, for the whole address. */
#ifndef POSTERN_MAIL_ADDRFIND_H
#define POSTERN_MAIL_ADDRFIND_H

#include "table/table.h"

enum {				  /* the keys, in the order they are tried in */
	ADDR_FIND_FULL = 1 << 0,  /* user+ext@domain */
	ADDR_FIND_NOEXT = 1 << 1, /* user@domain */
	ADDR_FIND_LOCALPART =
	    1 << 2,		   /* user+ext, user: the caller knows that the domain is local */
	ADDR_FIND_IF_OWN = 1 << 3, /* the same when the domain is myorigin or own_domain() has it */
	ADDR_FIND_AT_DOMAIN = 1 << 4,	 /* @domain */
	ADDR_FIND_DOMAIN = 1 << 5,	 /* domain */
	ADDR_FIND_PARENTS = 1 << 6,	 /* parent domains, "dom.tld" */
	ADDR_FIND_DOT_PARENTS = 1 << 7,	 /* parent domains, ".dom.tld" */
	ADDR_FIND_LOCALPART_AT = 1 << 8, /* user+ext@, user@ */

	/* canonical, virtual alias, generic, BCC, relocated */
	ADDR_FIND_CANONICAL =
	    ADDR_FIND_FULL | ADDR_FIND_NOEXT | ADDR_FIND_IF_OWN | ADDR_FIND_AT_DOMAIN,
	/* who exists: virtual_mailbox_maps, relay_recipient_maps; local_recipient_maps with
	 * ADDR_FIND_LOCALPART */
	ADDR_FIND_RECIPIENT = ADDR_FIND_FULL | ADDR_FIND_NOEXT | ADDR_FIND_AT_DOMAIN,
	/* sender-dependent relayhost and transport, SASL passwords by sender */
	ADDR_FIND_SENDER =
	    ADDR_FIND_FULL | ADDR_FIND_NOEXT | ADDR_FIND_IF_OWN | ADDR_FIND_AT_DOMAIN,
	/* smtpd_sender_login_maps */
	ADDR_FIND_LOGIN = ADDR_FIND_FULL | ADDR_FIND_NOEXT | ADDR_FIND_IF_OWN | ADDR_FIND_AT_DOMAIN,
	/* transport: "*" is the caller's last key; parents as matchlist_parent_matches() says */
	ADDR_FIND_TRANSPORT = ADDR_FIND_FULL | ADDR_FIND_NOEXT | ADDR_FIND_DOMAIN,
	/* access: with parents as matchlist_parent_matches() says */
	ADDR_FIND_ACCESS =
	    ADDR_FIND_FULL | ADDR_FIND_NOEXT | ADDR_FIND_DOMAIN | ADDR_FIND_LOCALPART_AT,
};

/* address is in internal form. value is overwritten. extension (may be NULL): the extension that
 * was not part of the key that matched, with its delimiter ("+ext"), or empty. TABLE_ERROR fills
 * err. May wait. */
enum table_result addr_find(struct maps *maps, str address, unsigned how, struct buf *value,
    struct buf *extension, struct err *err);

/* Rewrites an address: value is the result's first address in internal form; "@other" keeps the
 * user, and with propagate an extension that did not match goes into the result. count (may be
 * NULL): how many addresses the result has. May wait. */
enum table_result addr_map(struct maps *maps, str address, unsigned how, bool propagate,
    struct buf *value, size_t *count, struct err *err);
/* The same for a result of several addresses: value is a list in external form, ", " between them.
 */
enum table_result addr_map_list(struct maps *maps, str address, unsigned how, bool propagate,
    struct buf *value, struct err *err);

#endif
