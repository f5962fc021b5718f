#include "base/hostaddr.h"
#include "../../lib/tap.h"

static const char *text_of(const char *text)
{
	static char out[HOSTADDR_TEXT];
	struct hostaddr a;

	if (hostaddr_parse(&a, str_of(text), 25, NULL) < 0)
		return "bad";
	return hostaddr_text(&a, out);
}

static void addresses(void)
{
	struct hostaddr a, b;
	struct err e;

	is_cstr(text_of("192.0.2.1"), "192.0.2.1", "IPv4");
	is_cstr(text_of("2001:DB8:0:0:0:0:0:1"), "2001:db8::1", "IPv6 in its canonical form");
	is_cstr(text_of("::ffff:1.2.3.4"), "1.2.3.4", "a mapped address is IPv4");
	is_cstr(text_of("::"), "::", "none");
	for (const char *const *bad =
		 (const char *const[]){"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "[::1]",
		     "::1%lo", "1.2.3.4 ", "g::1", ":::", "1:2:3:4:5:6:7:8:9", NULL};
	     *bad; bad++)
		is_cstr(text_of(*bad), "bad", *bad);
	ok(!hostaddr_is_numeric(str_mem("1.2.3.4\0", 8)), "a NUL inside");
	is_int(hostaddr_parse(&a, STR("x.y"), 0, &e), -1, "an error");
	ok(strstr(e.text, "x.y"), "names the culprit");
	hostaddr_parse(&a, STR("1.2.3.4"), 25, NULL);
	hostaddr_parse(&b, STR("::ffff:1.2.3.4"), 26, NULL);
	ok(hostaddr_eq(&a, &b), "equal but for the port and mapping");
	hostaddr_set_port(&b, 465);
	is_int(hostaddr_port(&b), 465, "port");
	hostaddr_parse(&b, STR("::1.2.3.4"), 25, NULL);
	ok(!hostaddr_eq(&a, &b), "not equal");
	is_int(a.len, sizeof(struct sockaddr_in), "length");
}

static bool has(const char *net, const char *addr)
{
	struct hostnet n;
	struct hostaddr a;

	return hostnet_parse(&n, str_of(net), NULL) == 0 &&
	       hostaddr_parse(&a, str_of(addr), 0, NULL) == 0 && hostnet_has(&n, &a);
}

static const char *net_error(const char *net)
{
	static struct err e;
	struct hostnet n;

	return hostnet_parse(&n, str_of(net), &e) < 0 ? e.text : "good";
}

static void networks(void)
{
	ok(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"), "a network");
	ok(has("10.1.2.128/25", "10.1.2.129") && !has("10.1.2.128/25", "10.1.2.127"),
	    "no whole bytes");
	ok(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.2"), "one address");
	ok(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "::1"), "everything of a family");
	ok(has("[2001:db8::]/32", "2001:db8:1::1") && has("2001:db8::/32", "2001:db8::1"), "IPv6");
	ok(!has("[2001:db8::]/32", "2001:db9::1") && has("[::1]", "::1"), "IPv6 too");
	ok(has("10.0.0.0/8", "::ffff:10.1.2.3"), "a mapped address is IPv4");
	ok(has("[::ffff:10.0.0.0]/104", "10.1.2.3"), "and so is a mapped network");
	is_cstr(net_error("10.0.0.1/8"),
	    "non-null host address bits in \"10.0.0.1/8\", perhaps you should use \"10.0.0.0/8\" "
	    "instead",
	    "host bits");
	is_cstr(net_error("[2001:db8::1]/32"),
	    "non-null host address bits in \"[2001:db8::1]/32\", perhaps you should use "
	    "\"[2001:db8::]/32\" instead",
	    "IPv6 host bits");
	is_cstr(net_error("1.2.3.4/33"), "bad mask length in \"1.2.3.4/33\"", "mask too long");
	is_cstr(net_error("1.2.3.4/"), "bad mask length in \"1.2.3.4/\"", "no mask");
	is_cstr(net_error("1.2.3.4/-1"), "bad mask length in \"1.2.3.4/-1\"", "a negative mask");
	is_cstr(net_error("1.2.3/8"), "bad network value in \"1.2.3/8\"", "no address");
	is_cstr(net_error(""), "bad network value in \"\"", "nothing");
	is_cstr(net_error("[::1"), "missing \"]\" in \"[::1\"", "no bracket");
	is_cstr(net_error("[::1]x"), "garbage after \"]\": \"x\"", "garbage");
}

static void is_endpoint(const char *text, const char *want)
{
	char got[600];
	struct endpoint e;
	struct err err;

	if (endpoint_parse(&e, str_of(text), &err) < 0)
		snprintf(got, sizeof(got), "%s", err.text);
	else if (e.is_unix)
		snprintf(got, sizeof(got), "unix <%.*s>", STR_FMT(e.path));
	else
		snprintf(got, sizeof(got), "<%.*s> <%.*s>", STR_FMT(e.host), STR_FMT(e.port));
	is_cstr(got, want, text);
}

static void endpoints(void)
{
	struct err e;

	is_endpoint("inet:127.0.0.1:10031", "<127.0.0.1> <10031>");
	is_endpoint("inet:25", "<> <25>");
	is_endpoint("smtp", "<> <smtp>");
	is_endpoint(":25", "<> <25>");
	is_endpoint("localhost:smtp", "<localhost> <smtp>");
	is_endpoint("[::1]:25", "<::1> <25>");
	is_endpoint("unix:private/policy", "unix <private/policy>");
	is_endpoint("unix:", "missing path in \"unix:\"");
	is_endpoint("", "missing port in \"\"");
	is_endpoint("host:", "missing port in \"host:\"");
	is_endpoint("::1:25", "an IPv6 address needs [] in \"::1:25\"");
	is_endpoint("[::1]", "missing \":port\" after \"]\" in \"[::1]\"");
	is_endpoint("[::1]25", "missing \":port\" after \"]\" in \"[::1]25\"");
	is_endpoint("[]:25", "missing host in \"[]:25\"");
	is_endpoint("inet:[::1:25", "missing \"]\" in \"inet:[::1:25\"");
	is_int(endpoint_port(STR("25"), &e), 25, "a number");
	is_int(endpoint_port(STR("smtp"), &e), 25, "a name");
	is_int(endpoint_port(STR("submissions"), &e), 465, "a newer name");
	is_int(endpoint_port(STR("0"), &e), -1, "no port");
	is_int(endpoint_port(STR("65536"), &e), -1, "too large");
	is_int(endpoint_port(STR("no-such-service"), &e), -1, "an unknown name");
	is_cstr(e.text, "unknown service: no-such-service/tcp", "is named");
	endpoint_set_known_ports("one=two=77, smtp = 1 bad=port,three=78");
	is_int(endpoint_port(STR("one"), &e), 77, "a name of known_tcp_ports");
	is_int(endpoint_port(STR("two"), &e), 77, "a second name");
	is_int(endpoint_port(STR("three"), &e), 78, "the last");
	is_int(endpoint_port(STR("bad"), &e), -1, "a bad port");
	is_cstr(e.text, "known_tcp_ports: bad port in \"bad=port\"", "is named");
	is_int(endpoint_port(STR("submission"), &e), 587, "others are in the services file");
}

static void is_name(const char *name, const char *want)
{
	struct err e = {0};

	hostname_valid(str_of(name), &e);
	is_cstr(e.text, want, name);
}

static void hostnames(void)
{
	char label[300];

	ok(hostname_valid(STR("mx1.example.com"), NULL), "a name");
	ok(hostname_valid(STR("localhost"), NULL) && hostname_valid(STR("_dmarc.x-y.9"), NULL),
	    "others");
	is_name("", "empty hostname");
	is_name("a..b", "misplaced delimiter: a..b");
	is_name(".a", "misplaced delimiter: .a");
	is_name("a.", "misplaced delimiter: a.");
	is_name("-a.b", "misplaced hyphen: -a.b");
	is_name("a-.b", "misplaced hyphen: a-.b");
	is_name("a b", "invalid character 32(decimal): a b");
	is_name("b\xc3\xbc", "invalid character 195(decimal): b\xc3\xbc");
	is_name("1.2.3.4", "numeric hostname: 1.2.3.4");
	memset(label, 'a', sizeof(label));
	ok(hostname_valid(str_mem(label, 63), NULL) && !hostname_valid(str_mem(label, 64), NULL),
	    "label length");
	for (int i = 50; i < 300; i += 50)
		label[i] = '.';
	ok(hostname_valid(str_mem(label, 255), NULL) && !hostname_valid(str_mem(label, 256), NULL),
	    "length");
}

int main(void)
{
	addresses();
	networks();
	endpoints();
	hostnames();
	return done();
}
