/* Look-ups: search domains, aliases, and what went wrong in the words people know. */
#include "dns/dns_int.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>

#define ALIAS_LOOKUPS 10 /* of aliases whose target the resolver did not look up itself */

static const char *status_text(enum dns_status s)
{
	switch (s) {
	case DNS_NOTFOUND:
		return "Host not found";
	case DNS_NODATA:
		return "Host found but no data record of requested type";
	case DNS_RETRY:
		return "Host not found, try again";
	case DNS_INVALID:
		return "Malformed or unexpected name server reply";
	default:
		return "Non-recoverable error";
	}
}

static enum dns_status explain(
    enum dns_status s, const char *name, enum dns_type type, struct err *why)
{
	if (s != DNS_OK)
		err_set(why, "%sName service error for name=%s type=%s: %s",
		    s == DNS_INVALID ? "" : "Host or domain name not found. ", name,
		    dns_type_name(type), status_text(s));
	return s;
}

static enum dns_status status_of_failure(int ares_status)
{
	switch (ares_status) {
	case ARES_EBADNAME:
		return DNS_NOTFOUND;
	case ARES_EBADRESP:
	case ARES_EFORMERR:
		return DNS_INVALID;
	default:
		return DNS_RETRY; /* no server, no answer, servers that fail or refuse */
	}
}

static enum dns_status status_of_reply(const struct dns_reply *r)
{
	switch (r->rcode) {
	case DNS_RCODE_OK:
		if (r->result.n)
			return DNS_OK;
		return r->unusable ? DNS_INVALID : DNS_NODATA;
	case DNS_RCODE_NXDOMAIN:
		return DNS_NOTFOUND;
	case DNS_RCODE_SERVFAIL:
		return DNS_RETRY;
	default:
		return DNS_FAIL;
	}
}

/* One question. May wait. */
static enum dns_status ask(
    const char *name, enum dns_type type, struct arena *arena, struct dns_result *result)
{
	struct dns_ask *q = dns_ask_start(name, (int)type);
	struct dns_reply r = {.result = {.name = name}};
	enum dns_status s;

	if (dns_ask_wait(q) != WAIT_OK)
		s = DNS_RETRY;
	else if (q->status != ARES_SUCCESS)
		s = status_of_failure(q->status);
	else if (dns_reply_parse(buf_view(&q->reply), name, type, arena, &r) < 0)
		s = DNS_INVALID;
	else
		s = status_of_reply(&r);
	dns_ask_free(q);
	*result = r.result;
	if (s != DNS_OK)
		result->n = 0;
	return s;
}

/* A resolver that does not recurse may answer with no more than an alias. */
static enum dns_status ask_on(
    const char *name, enum dns_type type, struct arena *arena, struct dns_result *result)
{
	enum dns_status s;
	bool valid = true;

	for (int i = 0; i < ALIAS_LOOKUPS; i++) {
		s = ask(name, type, arena, result);
		valid = valid && result->dnssec_valid;
		result->dnssec_valid = valid;
		for (size_t k = 0; k < result->n; k++)
			result->rr[k].dnssec_valid = valid;
		if (s != DNS_NODATA || !result->name || !result->name[0] ||
		    str_eq_nocase(str_of(result->name), str_of(name)) || result->negative_ttl)
			return s;
		name = result->name;
	}
	return DNS_RETRY;
}

static int dots_of(const char *name)
{
	int n = 0;

	for (; *name; name++)
		n += *name == '.';
	return n;
}

/* As resolver(3) says of res_search. */
static enum dns_status search(const char *name, enum dns_type type, unsigned flags,
    struct arena *arena, struct dns_result *result)
{
	const struct dns_conf *conf = dns_conf_get();
	int dots = dots_of(name), n;
	bool as_is_first = dots >= conf->ndots;
	enum dns_status first = DNS_NOTFOUND, s;
	char *domains[DNS_SEARCH_MAX];

	if (as_is_first) {
		first = s = ask_on(name, type, arena, result);
		if (s == DNS_OK || s == DNS_RETRY)
			return s;
	}
	n = dots == 0 && (flags & DNS_DEFNAMES) ? 1 : 0;
	if (flags & DNS_DNSRCH && (dots > 0 || n))
		n = conf->nsearch;
	if (n > conf->nsearch)
		n = conf->nsearch;
	for (int i = 0; i < n; i++) /* a wait may change conf */
		domains[i] = arena_cstr(arena, str_of(conf->search[i]));
	for (int i = 0; i < n; i++) {
		s = ask_on(arena_printf(arena, "%s.%s", name, domains[i]), type, arena, result);
		if (s == DNS_OK || s == DNS_RETRY)
			return s;
		if (s == DNS_NODATA)
			first = s;
	}
	if (!as_is_first) {
		s = ask_on(name, type, arena, result);
		if (s != DNS_NOTFOUND)
			return s;
	}
	return first;
}

enum dns_status dns_query(const char *name, enum dns_type type, unsigned flags, struct arena *arena,
    struct dns_result *result, struct err *why)
{
	str plain = str_of(name);
	bool rooted = str_ends(plain, STR("."));
	enum dns_status s;

	*result = (struct dns_result){.name = name};
	if (why)
		*why = (struct err){0};
	if (rooted)
		plain.n--;
	if (!hostname_valid(plain, NULL)) {
		err_set(why, "Name service error for %s: invalid host or domain name", name);
		return DNS_NOTFOUND;
	}
	name = arena_cstr(arena, plain);
	if (flags && !rooted)
		s = search(name, type, flags, arena, result);
	else
		s = ask_on(name, type, arena, result);
	if (!result->name)
		result->name = name;
	return explain(s, name, type, why);
}

enum dns_status dns_lookup(const char *name, enum dns_type type, unsigned flags,
    struct arena *arena, struct dns_rr **list, size_t *n, struct err *why)
{
	struct dns_result result;
	enum dns_status s = dns_query(name, type, flags, arena, &result, why);

	*list = result.rr;
	*n = result.n;
	return s;
}
