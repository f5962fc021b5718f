/* DNS messages: RFC 1035 4.1. */
#include "dns/dns_int.h"

#include <stdio.h>

#define HEADER	     12
#define CLASS_IN     1
#define POINTERS_MAX 128 /* of one name: each leads backwards, but not for long */
#define ANSWERS_MAX  (2 * DNS_RR_MAX)
#define ALIASES_MAX  16

/* Where a reader of the packet stands. */
struct cursor {
	const unsigned char *p;
	size_t n, at;
};

struct answer {
	const char *owner;
	unsigned type;
	uint32_t ttl;
	size_t data, len;
};

static bool get(struct cursor *c, int bytes, uint32_t *v)
{
	if (c->n - c->at < (size_t)bytes)
		return false;
	*v = 0;
	while (bytes--)
		*v = *v << 8 | c->p[c->at++];
	return true;
}

/* Appends one label as text; what could be mistaken for syntax is written as in RFC 1035 5.1. */
static bool add_label(char *out, size_t *used, const unsigned char *label, size_t n)
{
	if (*used) {
		if (*used + 1 >= DNS_NAME_MAX)
			return false;
		out[(*used)++] = '.';
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = label[i];
		bool odd = ch <= ' ' || ch >= 127 || ch == '.' || ch == '\\';
		if (*used + (odd ? 4 : 1) >= DNS_NAME_MAX)
			return false;
		if (odd) {
			snprintf(out + *used, 5, "\\%03u", ch);
			*used += 4;
		} else {
			out[(*used)++] = (char)ch;
		}
	}
	return true;
}

/* Reads a name, following compression pointers (4.1.4), and leaves the cursor behind it. */
static bool get_name(struct cursor *c, char out[DNS_NAME_MAX])
{
	size_t at = c->at, used = 0, after = 0;
	int pointers = 0;

	for (;;) {
		if (at >= c->n)
			return false;
		unsigned len = c->p[at++];
		if (len == 0)
			break;
		if (len >= 0xc0) {
			if (at >= c->n || ++pointers > POINTERS_MAX)
				return false;
			if (!after)
				after = at + 1;
			at = (size_t)(len & 0x3f) << 8 | c->p[at];
			continue;
		}
		if (len > 63 || c->n - at < len || !add_label(out, &used, c->p + at, len))
			return false;
		at += len;
	}
	out[used] = 0;
	c->at = after ? after : at;
	return true;
}

static bool get_record(
    struct cursor *c, struct answer *a, char owner[DNS_NAME_MAX], uint32_t *class)
{
	uint32_t type, len;

	if (!get_name(c, owner) || !get(c, 2, &type) || !get(c, 2, class) || !get(c, 4, &a->ttl) ||
	    !get(c, 2, &len) || c->n - c->at < len)
		return false;
	a->type = type;
	a->data = c->at;
	a->len = len;
	if (a->ttl > INT32_MAX) /* RFC 2181 8 */
		a->ttl = 0;
	c->at += len;
	return true;
}

static bool same_name(const char *a, const char *b)
{
	return str_eq_nocase(str_of(a), str_of(b));
}

/* Names in the data of records lead on to hosts; a name that cannot be one's is not passed on. The
 * root is: it has a meaning in MX and SRV records. */
static bool usable_host(const char *name, enum dns_type type)
{
	if (!name[0])
		return type == DNS_MX || type == DNS_SRV;
	return hostaddr_is_numeric(str_of(name)) || hostname_valid(str_of(name), NULL);
}

enum verdict { GOOD, USELESS, MALFORMED };

static enum verdict get_host(struct cursor *c, struct dns_rr *rr, struct arena *arena)
{
	char name[DNS_NAME_MAX];

	if (!get_name(c, name))
		return MALFORMED;
	rr->data = arena_cstr(arena, str_of(name));
	/* What an alias or a reverse name looks like is for the caller to judge. */
	if (rr->type == DNS_CNAME || rr->type == DNS_PTR || rr->type == DNS_SOA)
		return GOOD;
	return usable_host(name, rr->type) ? GOOD : USELESS;
}

static enum verdict get_address(struct cursor *c, struct dns_rr *rr, struct arena *arena)
{
	char text[HOSTADDR_TEXT];

	if (rr->type == DNS_A && c->n - c->at == 4) {
		rr->addr.in.sin_family = AF_INET;
		memcpy(&rr->addr.in.sin_addr, c->p + c->at, 4);
		rr->addr.len = sizeof(rr->addr.in);
	} else if (rr->type == DNS_AAAA && c->n - c->at == 16) {
		rr->addr.in6.sin6_family = AF_INET6;
		memcpy(&rr->addr.in6.sin6_addr, c->p + c->at, 16);
		rr->addr.len = sizeof(rr->addr.in6);
	} else {
		return MALFORMED;
	}
	rr->data = arena_cstr(arena, str_of(hostaddr_text(&rr->addr, text)));
	return GOOD;
}

static enum verdict get_text(struct cursor *c, struct dns_rr *rr, struct arena *arena)
{
	char *out = arena_alloc(arena, c->n - c->at + 1);
	size_t used = 0;

	while (c->at < c->n) {
		size_t len = c->p[c->at++];
		if (c->n - c->at < len)
			return MALFORMED;
		for (size_t i = 0; i < len; i++) {
			unsigned char ch = c->p[c->at++];
			out[used++] = ch < ' ' || ch == 127 ? '?' : (char)ch;
		}
	}
	out[used] = 0;
	rr->data = out;
	return GOOD;
}

static enum verdict get_soa(struct cursor *c, struct dns_rr *rr, struct arena *arena)
{
	char mailbox[DNS_NAME_MAX];
	uint32_t skip;

	if (get_host(c, rr, arena) != GOOD || !get_name(c, mailbox))
		return MALFORMED;
	for (int i = 0; i < 4; i++)
		if (!get(c, 4, &skip))
			return MALFORMED;
	return get(c, 4, &rr->minimum) ? GOOD : MALFORMED;
}

static enum verdict get_tlsa(struct cursor *c, struct dns_rr *rr, struct arena *arena)
{
	uint32_t usage, selector, matching;

	if (!get(c, 1, &usage) || !get(c, 1, &selector) || !get(c, 1, &matching) || c->at == c->n)
		return MALFORMED;
	rr->usage = (uint8_t)usage;
	rr->selector = (uint8_t)selector;
	rr->matching = (uint8_t)matching;
	rr->bytes = arena_str(arena, str_mem(c->p + c->at, c->n - c->at));
	rr->data = "";
	return GOOD;
}

static bool get_u16(struct cursor *c, uint16_t *v)
{
	uint32_t w;

	if (!get(c, 2, &w))
		return false;
	*v = (uint16_t)w;
	return true;
}

/* The data of one record. The cursor ends where the data ends, but names may point before. */
static enum verdict get_data(struct cursor *c, struct dns_rr *rr, struct arena *arena)
{
	switch (rr->type) {
	case DNS_A:
	case DNS_AAAA:
		return get_address(c, rr, arena);
	case DNS_MX:
		return get_u16(c, &rr->pref) ? get_host(c, rr, arena) : MALFORMED;
	case DNS_SRV:
		if (!get_u16(c, &rr->pref) || !get_u16(c, &rr->weight) || !get_u16(c, &rr->port))
			return MALFORMED;
		return get_host(c, rr, arena);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return get_host(c, rr, arena);
	case DNS_SOA:
		return get_soa(c, rr, arena);
	case DNS_TXT:
		return get_text(c, rr, arena);
	case DNS_TLSA:
		return get_tlsa(c, rr, arena);
	}
	return USELESS;
}

static struct cursor data_of(const struct cursor *whole, const struct answer *a)
{
	return (struct cursor){whole->p, a->data + a->len, a->data};
}

/* The name at the end of the aliases that start at name; NULL when one is malformed. */
static const char *follow(const struct cursor *whole, const struct answer *answers, size_t n,
    const char *name, struct arena *arena)
{
	char target[DNS_NAME_MAX];

	for (int hops = 0; hops < ALIASES_MAX; hops++) {
		size_t i = 0;
		while (
		    i < n && (answers[i].type != DNS_CNAME || !same_name(answers[i].owner, name)))
			i++;
		if (i == n)
			break;
		struct cursor c = data_of(whole, &answers[i]);
		if (!get_name(&c, target))
			return NULL;
		name = arena_cstr(arena, str_of(target));
	}
	return name;
}

/* Answers of class IN; more than ANSWERS_MAX are passed over. */
static bool read_answers(
    struct cursor *c, uint32_t count, struct answer *answers, size_t *n, struct arena *arena)
{
	char owner[DNS_NAME_MAX];
	uint32_t class;
	struct answer a;

	*n = 0;
	while (count--) {
		if (!get_record(c, &a, owner, &class))
			return false;
		if (class != CLASS_IN || *n == ANSWERS_MAX)
			continue;
		a.owner = *n && strcmp(owner, answers[*n - 1].owner) == 0
			      ? answers[*n - 1].owner
			      : arena_cstr(arena, str_of(owner));
		answers[(*n)++] = a;
	}
	return true;
}

/* RFC 2308 5: the smaller of the SOA record's own TTL and its last field. What is malformed there
 * is of no account. */
static uint32_t negative_ttl(struct cursor *c, uint32_t count, struct arena *arena)
{
	char owner[DNS_NAME_MAX];
	struct dns_rr rr = {.type = DNS_SOA};
	struct cursor data;
	struct answer a;
	uint32_t class;

	while (count--) {
		if (!get_record(c, &a, owner, &class))
			return 0;
		if (a.type != DNS_SOA)
			continue;
		data = data_of(c, &a);
		if (get_soa(&data, &rr, arena) != GOOD)
			return 0;
		return rr.minimum < a.ttl ? rr.minimum : a.ttl;
	}
	return 0;
}

static int collect(const struct cursor *whole, const struct answer *answers, size_t n,
    enum dns_type type, struct arena *arena, struct dns_reply *r)
{
	struct dns_result *result = &r->result;

	for (size_t i = 0; i < n && result->n < DNS_RR_MAX; i++) {
		struct dns_rr *rr = &result->rr[result->n];
		struct cursor c = data_of(whole, &answers[i]);
		if (answers[i].type != (unsigned)type || !same_name(answers[i].owner, result->name))
			continue;
		*rr = (struct dns_rr){.type = type,
		    .name = result->name,
		    .ttl = answers[i].ttl,
		    .dnssec_valid = result->dnssec_valid};
		switch (get_data(&c, rr, arena)) {
		case GOOD:
			result->n++;
			break;
		case USELESS:
			r->unusable = true;
			break;
		case MALFORMED:
			return -1;
		}
	}
	return 0;
}

static size_t count_of(const struct answer *answers, size_t n, enum dns_type type)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += answers[i].type == (unsigned)type;
	return found < DNS_RR_MAX ? found : DNS_RR_MAX;
}

int dns_reply_parse(
    str packet, const char *name, enum dns_type type, struct arena *arena, struct dns_reply *r)
{
	struct cursor c = {(const unsigned char *)packet.p, packet.n, 0};
	uint32_t flags, questions, count, authority, skip;
	char question[DNS_NAME_MAX];
	struct answer *answers;
	size_t n;

	*r = (struct dns_reply){.result = {.name = name}};
	if (!get(&c, 2, &skip) || !get(&c, 2, &flags) || !get(&c, 2, &questions) ||
	    !get(&c, 2, &count) || !get(&c, 2, &authority) || !get(&c, 2, &skip))
		return -1;
	if (!(flags & 0x8000))
		return -1;
	r->rcode = (int)(flags & 15);
	r->result.dnssec_valid = flags & 0x20;
	while (questions--)
		if (!get_name(&c, question) || !get(&c, 4, &skip))
			return -1;
	answers = arena_alloc(
	    arena, (count < ANSWERS_MAX ? count : (uint32_t)ANSWERS_MAX) * sizeof(*answers) + 1);
	if (!read_answers(&c, count, answers, &n, arena))
		return -1;
	if (type != DNS_CNAME)
		r->result.name = follow(&c, answers, n, name, arena);
	if (!r->result.name)
		return -1;
	r->result.rr = arena_alloc(arena, (count_of(answers, n, type) + 1) * sizeof(*r->result.rr));
	if (collect(&c, answers, n, type, arena, r) < 0)
		return -1;
	if (r->result.n == 0)
		r->result.negative_ttl = negative_ttl(&c, authority, arena);
	return 0;
}

static void put16(struct buf *out, unsigned v)
{
	buf_char(out, (char)(v >> 8));
	buf_char(out, (char)v);
}

int dns_question(const char *name, int type, uint16_t id, struct buf *out)
{
	str rest = str_of(name), label;

	if (str_ends(rest, STR(".")))
		rest.n--;
	if (rest.n > 253)
		return -1;
	put16(out, id);
	put16(out,
	    0x0120); /* recursion is desired, and the resolver's word about DNSSEC: RFC 6840 5.7 */
	put16(out, 1);
	put16(out, 0);
	put16(out, 0);
	put16(out, 0);
	while (rest.n && str_split(&rest, '.', &label)) {
		if (label.n == 0 || label.n > 63)
			return -1;
		buf_char(out, (char)label.n);
		buf_str(out, label);
	}
	buf_char(out, 0);
	put16(out, (unsigned)type);
	put16(out, CLASS_IN);
	return 0;
}
