/* The parser of replies, and of the files. */
#include "../../lib/tap.h"
#include "dns/dns_int.h"

static struct arena arena;
static struct buf packet;

static void put(int bytes, unsigned long v)
{
	while (bytes--)
		buf_char(&packet, (char)(v >> (8 * bytes)));
}

static void name(const char *n)
{
	str rest = str_of(n), label;

	while (rest.n && str_split(&rest, '.', &label)) {
		buf_char(&packet, (char)label.n);
		buf_str(&packet, label);
	}
	buf_char(&packet, 0);
}

static void head(unsigned flags, unsigned answers, unsigned authority, const char *q, unsigned type)
{
	buf_clear(&packet);
	put(2, 4711);
	put(2, flags);
	put(2, 1);
	put(2, answers);
	put(2, authority);
	put(2, 0);
	name(q);
	put(2, type);
	put(2, 1);
}

static size_t length_at;

static void record(const char *owner, unsigned type, unsigned long ttl)
{
	if (owner)
		name(owner);
	else
		put(2, 0xc00c); /* the question's name */
	put(2, type);
	put(2, 1);
	put(4, ttl);
	length_at = packet.n;
	put(2, 0);
}

static void end(void)
{
	size_t n = packet.n - length_at - 2;

	packet.p[length_at] = (char)(n >> 8);
	packet.p[length_at + 1] = (char)n;
}

static int parse(const char *q, enum dns_type type, struct dns_reply *r)
{
	return dns_reply_parse(buf_view(&packet), q, type, &arena, r);
}

static void shows(const struct dns_rr *rr, const char *want)
{
	struct buf text = {0};

	dns_rr_text(rr, &text);
	is_cstr(buf_text(&text), want, want);
	buf_free(&text);
}

static void types(void)
{
	struct dns_reply r;

	head(0x8180, 2, 0, "Example.test", DNS_MX);
	record(NULL, DNS_MX, 300);
	put(2, 10);
	name("mx1.example.test");
	end();
	record("EXAMPLE.TEST", DNS_MX, 300);
	put(2, 20);
	buf_str(&packet, STR("\3mx2\xc0\x0c"));
	end();
	is_int(parse("example.test", DNS_MX, &r), 0, "MX");
	is_int(r.result.n, 2, "two of them");
	shows(&r.result.rr[0], "example.test. 300 IN MX 10 mx1.example.test.");
	shows(&r.result.rr[1], "example.test. 300 IN MX 20 mx2.Example.test.");
	ok(!r.result.dnssec_valid, "nobody vouches for it");

	head(0x81a0, 1, 0, "a.test", DNS_A);
	record(NULL, DNS_A, 0x80000000);
	put(4, 0xc0000201);
	end();
	parse("a.test", DNS_A, &r);
	shows(&r.result.rr[0], "a.test. 0 IN A 192.0.2.1");
	ok(r.result.dnssec_valid && r.result.rr[0].dnssec_valid, "the resolver vouches for it");

	head(0x8180, 1, 0, "a.test", DNS_AAAA);
	record(NULL, DNS_AAAA, 5);
	put(8, 0x20010db800000000);
	put(8, 1);
	end();
	parse("a.test", DNS_AAAA, &r);
	shows(&r.result.rr[0], "a.test. 5 IN AAAA 2001:db8::1");

	head(0x8180, 1, 0, "t.test", DNS_TXT);
	record(NULL, DNS_TXT, 5);
	buf_str(&packet, STR("\5hello\0\4 w\n!"));
	packet.p[packet.n - 5 - 1] = 0;
	end();
	is_int(parse("t.test", DNS_TXT, &r), 0, "TXT");
	ok(r.result.n == 1 && strcmp(r.result.rr[0].data, "hello w?!") == 0,
	    "its strings are joined");

	head(0x8180, 1, 0, "_smtp._tcp.s.test", DNS_SRV);
	record(NULL, DNS_SRV, 5);
	put(2, 1);
	put(2, 2);
	put(2, 587);
	name("s.test");
	end();
	parse("_smtp._tcp.s.test", DNS_SRV, &r);
	shows(&r.result.rr[0], "_smtp._tcp.s.test. 5 IN SRV 1 2 587 s.test.");

	head(0x8180, 1, 0, "_25._tcp.s.test", DNS_TLSA);
	record(NULL, DNS_TLSA, 5);
	put(3, 0x030101);
	put(4, 0xdeadbeef);
	end();
	parse("_25._tcp.s.test", DNS_TLSA, &r);
	shows(&r.result.rr[0], "_25._tcp.s.test. 5 IN TLSA 3 1 1 DEADBEEF");

	head(0x8180, 1, 0, "null.test", DNS_MX);
	record(NULL, DNS_MX, 5);
	put(2, 0);
	name("");
	end();
	parse("null.test", DNS_MX, &r);
	ok(dns_is_null_mx(r.result.rr, r.result.n), "null MX");
}

static void aliases(void)
{
	struct dns_reply r;

	head(0x8180, 3, 0, "a.test", DNS_A);
	record("c.test", DNS_A, 5); /* order does not matter */
	put(4, 0x7f000001);
	end();
	record("b.test", DNS_CNAME, 5);
	name("C.test");
	end();
	record("a.test", DNS_CNAME, 5);
	name("b.test");
	end();
	is_int(parse("a.test", DNS_A, &r), 0, "aliases");
	is_int(r.result.n, 1, "lead to the record");
	is_cstr(r.result.rr[0].name, "C.test", "of the final name");
	is_int(parse("a.test", DNS_CNAME, &r), 0, "the alias itself");
	shows(&r.result.rr[0], "a.test. 5 IN CNAME b.test.");
	head(0x8180, 2, 0, "a.test", DNS_A);
	record("a.test", DNS_CNAME, 5);
	name("b.test");
	end();
	record("b.test", DNS_CNAME, 5);
	name("a.test");
	end();
	is_int(parse("a.test", DNS_A, &r), 0, "a circle");
	is_int(r.result.n, 0, "leads nowhere");
	head(0x8180, 1, 0, "a.test", DNS_A);
	record("other.test", DNS_A, 5);
	put(4, 1);
	end();
	parse("a.test", DNS_A, &r);
	is_int(r.result.n, 0, "records of others do not count");
}

static void negative(void)
{
	struct dns_reply r;

	head(0x8183, 0, 1, "no.test", DNS_A);
	record("test", DNS_SOA, 60);
	name("ns.test");
	name("hostmaster.test");
	put(8, 1);
	put(8, 2);
	put(4, 3600);
	end();
	is_int(parse("no.test", DNS_A, &r), 0, "no such name");
	is_int(r.rcode, DNS_RCODE_NXDOMAIN, "says the code");
	is_int(r.result.negative_ttl, 60, "for a minute");
	head(0x8183, 0, 1, "no.test", DNS_A);
	record("test", DNS_SOA, 3600);
	name("ns.test");
	name("hostmaster.test");
	put(8, 1);
	put(8, 2);
	put(4, 30);
	end();
	is_int(parse("no.test", DNS_A, &r), 0, "a shorter time in the record");
	is_int(r.result.negative_ttl, 30, "is the one that counts");
}

static void many(void)
{
	struct dns_reply r;

	head(0x8180, 1000, 0, "m.test", DNS_A);
	for (unsigned i = 0; i < 1000; i++) {
		record(NULL, DNS_A, 5);
		put(4, i);
		end();
	}
	is_int(parse("m.test", DNS_A, &r), 0, "a thousand records");
	is_int(r.result.n, DNS_RR_MAX, "are too many to keep");
}

static void bad(void)
{
	struct dns_reply r;
	str whole;

	head(0x8180, 1, 0, "b.test", DNS_MX);
	record(NULL, DNS_MX, 5);
	put(2, 10);
	name("bad host.test");
	end();
	is_int(parse("b.test", DNS_MX, &r), 0, "an impossible host");
	ok(r.result.n == 0 && r.unusable, "is of no use");
	head(0x8180, 1, 0, "b.test", DNS_A);
	record(NULL, DNS_A, 5);
	put(3, 1);
	end();
	is_int(parse("b.test", DNS_A, &r), -1, "an address of three bytes");
	head(0x8180, 1, 0, "b.test", DNS_MX);
	record(NULL, DNS_MX, 5);
	put(2, 10);
	put(2, 0xc000 | packet.n);
	end();
	is_int(parse("b.test", DNS_MX, &r), -1, "a name that points to itself");
	head(0x0100, 0, 0, "b.test", DNS_A);
	is_int(parse("b.test", DNS_A, &r), -1, "a question is no reply");
	head(0x8180, 1, 0, "b.test", DNS_TXT);
	record(NULL, DNS_TXT, 5);
	buf_str(&packet, STR("\x09short"));
	end();
	is_int(parse("b.test", DNS_TXT, &r), -1, "a string longer than the record");
	head(0x8180, 2, 0, "b.test", DNS_MX);
	for (int i = 0; i < 2; i++) {
		record("b.test", DNS_MX, 5);
		put(2, 10);
		name("mx.b.test");
		end();
	}
	whole = buf_view(&packet);
	is_int(dns_reply_parse(whole, "b.test", DNS_MX, &arena, &r), 0, "a good one");
	for (size_t n = 0; n < whole.n; n++) {
		char *copy = malloc(n + 1); /* so that the sanitizer sees the end */
		memcpy(copy, whole.p, n);
		if (dns_reply_parse(str_mem(copy, n), "b.test", DNS_MX, &arena, &r) == 0)
			ok(false, "cut short it is none");
		free(copy);
	}
}

static void questions(void)
{
	struct buf q = {0};
	char label[70];

	is_int(dns_question("a.test.", DNS_MX, 0x1234, &q), 0, "a question");
	is_str(buf_view(&q), str_mem("\x12\x34\x01\x20\0\1\0\0\0\0\0\0\1a\4test\0\0\x0f\0\1", 24),
	    "its bytes");
	buf_clear(&q);
	is_int(dns_question("a..test", DNS_MX, 1, &q), -1, "an empty label");
	memset(label, 'a', 64);
	label[64] = 0;
	is_int(dns_question(label, DNS_MX, 1, &q), -1, "a long label");
	buf_free(&q);
}

static void files(void)
{
	struct dns_conf c = {0};
	struct dns_hosts h = {0};
	struct hosts_addr *a;

	dns_conf_parse(
	    &c, STR("# x\nnameserver 1.2.3.4\nsearch a.test b.test. -bad\n"
		    "options ndots:3 timeout:99 attempts:x rotate attempts:3 timeout:2\n"));
	is_int(c.nsearch, 2, "search domains");
	is_cstr(c.search[1], "b.test", "without dot");
	is_int(c.servers.n, 0, "no server with a port");
	ok(c.ndots == 3 && c.timeout == 2 && c.attempts == 3 && c.rotate, "options");
	dns_conf_parse(&c, STR("nameserver [::1]:53\nnameserver ::1:5\nnameserver x:5\ndomain "
			       "x.test\noptions timeout:99999999999999999999 timeout:0\n"));
	ok(c.nsearch == 1 && c.timeout == 1 && c.attempts == 2 && !c.rotate, "defaults and bounds");
	is_cstr(buf_text(&c.servers), "[::1]:53", "a server with a port");
	dns_conf_free(&c);
	dns_hosts_parse(&h, STR("127.0.0.1 localhost\n::1\tlocalhost ip6 # comment\nbad line\n"
				"192.0.2.7 Mail.Test. mail\n192.0.2.7 other\n"));
	a = htab_get(&h.names, STR("localhost"));
	ok(a && a->addr.sa.sa_family == AF_INET && a->next && !a->next->next,
	    "two addresses of a host");
	ok(htab_get(&h.names, STR("mail.test")), "names are lower case");
	is_cstr(htab_get(&h.addrs, STR("192.0.2.7")), "Mail.Test.", "the first name of an address");
	ok(!htab_get(&h.names, STR("comment")) && !htab_get(&h.names, STR("line")), "no more");
	dns_hosts_free(&h);
	ok(dns_nsswitch_parse(
	       STR("passwd: nis\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n")),
	    "hosts file and DNS");
	ok(!dns_nsswitch_parse(STR("hosts:\tfiles nis dns")), "and NIS");
	ok(dns_nsswitch_parse(STR("")), "nothing said");
}

int main(void)
{
	types();
	aliases();
	negative();
	many();
	bad();
	questions();
	files();
	buf_free(&packet);
	arena_free(&arena);
	return done();
}
