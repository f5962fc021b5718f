/* DNS lists: "domain[=d.d.d.d]", where each d is a number or a pattern as in
 * "127.0.[0;2..5].[1..255]". */
#ifndef POSTERN_SMTPD_DNSBL_H
#define POSTERN_SMTPD_DNSBL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hostaddr.h"

struct dnsbl_range {
	unsigned char from, to;
	struct dnsbl_range *next;
};
struct dnsbl {
	const char *domain;
	bool filtered;
	struct dnsbl_range *octet[4]; /* alternatives; only when filtered */
};

/* Parses the argument of a restriction; NULL and err for bad syntax. The result is in the arena. */
const struct dnsbl *dnsbl_parse(struct arena *a, str text, struct err *err);
/* Whether the list's filter takes an address that was found; addr: in network order. */
bool dnsbl_takes(const struct dnsbl *l, const unsigned char addr[4]);

enum dnsbl_answer { DNSBL_NOT_LISTED, DNSBL_LISTED, DNSBL_FAILED };
/* Is a domain listed? Answers are kept for a minute at most. A failure is logged. May wait. */
enum dnsbl_answer dnsbl_ask_name(const struct dnsbl *l, str name, struct arena *a);
/* Is a network address? *reversed gets its form below the list's domain. May wait. */
enum dnsbl_answer dnsbl_ask_addr(
    const struct dnsbl *l, const struct hostaddr *addr, struct arena *a, str *reversed);
/* Why a name (or reversed address) is listed: its TXT records, "" if there are none. May wait. */
const char *dnsbl_reason(const struct dnsbl *l, str name, struct arena *a);

#endif
