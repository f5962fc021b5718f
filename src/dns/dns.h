/* DNS look-ups over the loop (c-ares), and look-ups of hosts as the system does them.
 *
 * Servers, timeouts and search domains are those of /etc/resolv.conf, which is read again when it
 * changes. Results live in the caller's arena. Every function that asks may wait: for as long as
 * resolv.conf's timeout and attempts allow, or until the coroutine is cancelled (DNS_RETRY). What
 * answers say is hostile input: names are checked, and at most DNS_RR_MAX records are kept. */
#ifndef POSTERN_DNS_DNS_H
#define POSTERN_DNS_DNS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hostaddr.h"

#define DNS_RR_MAX   100
#define DNS_NAME_MAX 256 /* room for any name as text, with its NUL */

enum dns_status {
	DNS_OK,
	DNS_NOTFOUND, /* there is no such name (NXDOMAIN), or it is no name at all */
	DNS_NODATA,   /* the name has no record of this type */
	DNS_RETRY,    /* SERVFAIL, no answer, ...: try again later */
	DNS_INVALID,  /* a reply that makes no sense, or only records that are no use */
	DNS_FAIL,     /* the servers refuse for good */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52,
};

struct dns_rr {
	enum dns_type type;
	const char *name; /* the owner: the name at the end of aliases; no dot at the end */
	const char *data; /* NS, CNAME, PTR, MX, SRV: the host ("" for the root: null MX, RFC 7505);
			   * TXT: its strings joined, printable; SOA: the primary server; A, AAAA:
			   * as text */
	struct hostaddr addr;		   /* A, AAAA; port 0 */
	uint16_t pref;			   /* MX, SRV */
	uint16_t weight, port;		   /* SRV */
	uint8_t usage, selector, matching; /* TLSA (RFC 6698) */
	str bytes;			   /* TLSA: the association data */
	uint32_t minimum;		   /* SOA: the negative TTL it asks for */
	uint32_t ttl;			   /* seconds */
	bool dnssec_valid;		   /* the resolver vouches for the whole answer (AD) */
};

enum dns_flags {
	DNS_DEFNAMES = 1, /* RES_DEFNAMES: a name without dots gets the first search domain */
	DNS_DNSRCH = 2,	  /* RES_DNSRCH: search domains for other names too */
};

/* What is known after a look-up, whether it found something or not. */
struct dns_result {
	struct dns_rr *rr;
	size_t n;
	const char *name;      /* at the end of aliases */
	bool dnssec_valid;     /* of the answer, also a negative one */
	uint32_t negative_ttl; /* seconds, when there is no record and the reply says so; else 0 */
};

/* Looks up records of one type. why (may be NULL) gets the text that Postfix's users know, as in
 * "Host or domain name not found. Name service error for name=x type=MX: Host not found". May wait.
 */
enum dns_status dns_query(const char *name, enum dns_type type, unsigned flags, struct arena *arena,
    struct dns_result *result, struct err *why);
enum dns_status dns_lookup(const char *name, enum dns_type type, unsigned flags,
    struct arena *arena, struct dns_rr **list, size_t *n, struct err *why);

bool dns_is_null_mx(const struct dns_rr *list, size_t n); /* RFC 7505 3 */
const char *dns_type_name(enum dns_type type);		  /* "MX" */

/* "name ttl class type preference value" with dots at the ends of names, as the *_dns_reply_filter
 * tables see a record. */
void dns_rr_text(const struct dns_rr *rr, struct buf *out);

/* Addresses of a host (AF_INET, AF_INET6, or AF_UNSPEC for both), as getaddrinfo(3) finds them:
 * hosts file, DNS with search domains, other sources of nsswitch.conf. An address gives itself.
 * why: the reason only, in getaddrinfo's words ("Name or service not known"). May wait. */
enum dns_status dns_host_lookup(const char *name, int family, struct arena *arena,
    struct hostaddr **list, size_t *n, struct err *why);

/* The name of an address, as getnameinfo(3) finds it. Not verified, and it may be no valid host
 * name. May wait. */
enum dns_status dns_name_of(const struct hostaddr *a, char *name, size_t size, struct err *why);

/* For tests: other files than /etc/resolv.conf, /etc/hosts, /etc/nsswitch.conf. NULL: as before. */
void dns_use_files(const char *resolv_conf, const char *hosts, const char *nsswitch);

#endif
