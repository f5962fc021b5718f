/* What the modules of src/dns share. */
#ifndef POSTERN_DNS_DNS_INT_H
#define POSTERN_DNS_DNS_INT_H

#include "base/htab.h"
#include "dns/dns.h"
#include "loop/co.h"

/* channel.c: questions and raw replies */

struct dns_ask {
	struct cond answered;
	bool done;
	bool abandoned; /* the callback frees it */
	int status;	/* c-ares' */
	struct buf reply;
};
/* Asks; finish with dns_ask_wait(), then dns_ask_free(). */
struct dns_ask *dns_ask_start(const char *name, int type);
enum wait dns_ask_wait(struct dns_ask *q);
void dns_ask_free(struct dns_ask *q);

/* reply.c: what a reply says. 0, or -1 when it is malformed. */

struct dns_reply {
	int rcode;
	struct dns_result result; /* n 0: no record of this type at the end of the aliases */
	bool unusable;		  /* there were some, but with impossible names */
};
int dns_reply_parse(
    str packet, const char *name, enum dns_type type, struct arena *arena, struct dns_reply *r);

/* Writes the question for name to out; -1 when it is no possible name. */
int dns_question(const char *name, int type, uint16_t id, struct buf *out);

#define DNS_RCODE_OK	   0
#define DNS_RCODE_SERVFAIL 2
#define DNS_RCODE_NXDOMAIN 3

/* files.c: the system's configuration */

#define DNS_SEARCH_MAX 6

struct dns_conf {
	struct buf servers; /* address:port,... when resolv.conf names ports, else empty */
	char *search[DNS_SEARCH_MAX];
	int nsearch;
	int ndots, timeout, attempts; /* timeout in seconds */
	bool rotate;
	unsigned version; /* grows with every change */
};
/* Looks at the files again, at most once a second. */
const struct dns_conf *dns_conf_get(void);
const char *dns_conf_path(void);
void dns_conf_parse(struct dns_conf *c, str text);
void dns_conf_free(struct dns_conf *c);

struct dns_hosts {
	struct arena arena;
	struct htab names; /* lower case name -> struct hosts_addr, in the file's order */
	struct htab addrs; /* address as text -> canonical name */
};
struct hosts_addr {
	struct hosts_addr *next;
	struct hostaddr addr;
};
const struct dns_hosts *dns_hosts_get(void);
void dns_hosts_parse(struct dns_hosts *h, str text);
void dns_hosts_free(struct dns_hosts *h);

/* True when nsswitch.conf names only sources that hosts file and DNS stand for. */
bool dns_nsswitch_is_plain(void);
bool dns_nsswitch_parse(str text);

#endif
