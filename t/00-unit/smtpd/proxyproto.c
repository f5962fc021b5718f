/* PROXY protocol headers. */
// with: src/smtpd/proxyproto.c
#include "smtpd/proxyproto.h"

#include "param/param.h"
#include "t/lib/tap.h"

static struct proxyproto p;
static size_t used;

static enum proxyproto_state parse(const void *bytes, size_t n)
{
	struct err err = {0};

	return proxyproto_parse(str_mem(bytes, n), &p, &used, &err);
}

static enum proxyproto_state line(const char *text)
{
	return parse(text, strlen(text));
}

static const char *text_of(const struct hostaddr *a)
{
	static char text[HOSTADDR_TEXT + 8], addr[HOSTADDR_TEXT];

	snprintf(text, sizeof(text), "%s:%u", hostaddr_text(a, addr), hostaddr_port(a));
	return text;
}

static void version1(void)
{
	ok(line("PROXY TCP4 192.0.2.1 198.51.100.2 4001 25\r\nEHLO") == PROXYPROTO_DONE, "IPv4");
	is_int(used, 43, "length of the header");
	is_cstr(text_of(&p.from), "192.0.2.1:4001", "client");
	is_cstr(text_of(&p.to), "198.51.100.2:25", "server");
	ok(line("PROXY TCP6 2001:db8::1 ::1 1 2\r\n") == PROXYPROTO_DONE, "IPv6");
	is_cstr(text_of(&p.from), "2001:db8::1:1", "client");
	ok(line("PROXY UNKNOWN whatever\r\n") == PROXYPROTO_DONE && p.local, "UNKNOWN");
	ok(line("PROXY TCP4 192.0.2.1") == PROXYPROTO_MORE, "half a line");
	ok(line("PRO") == PROXYPROTO_MORE && line("") == PROXYPROTO_MORE, "half a word");
}

static void version1_malformed(void)
{
	static const char *const bad[] = {"EHLO x\r\n", "PROXY\r\n", "PROXY \r\n", "PROXY TCP4\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "PROXY TCP4 192.0.2.300 192.0.2.2 1 2\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
	    "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
	    "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"};
	char endless[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char what[80];

		snprintf(what, sizeof(what), "refused: %.*s", (int)strcspn(bad[i], "\r"), bad[i]);
		ok(line(bad[i]) == PROXYPROTO_BAD, what);
	}
	memset(endless, ' ', sizeof(endless));
	memcpy(endless, "PROXY TCP4", 10);
	ok(parse(endless, sizeof(endless)) == PROXYPROTO_BAD, "refused: a line without end");
}

#define HEAD "\r\n\r\n\0\r\nQUIT\n"

static void version2(void)
{
	static const char v4[] = HEAD "\x21\x11\0\x0f\xc0\0\2\1\xc0\0\2\2\x10\x92\0\x19\1\2\3EHLO";
	static const char v6[] = HEAD "\x21\x21\0\x24"
				      "1234567890123456"
				      "abcdefghijklmnop"
				      "\0\1\0\2";
	static const char local[] = HEAD "\x20\0\0\0";

	ok(parse(v4, sizeof(v4) - 1) == PROXYPROTO_DONE, "IPv4 with an extension");
	is_int(used, 31, "length with the extension");
	is_cstr(text_of(&p.from), "192.0.2.1:4242", "client");
	is_cstr(text_of(&p.to), "192.0.2.2:25", "server");
	for (size_t n = 0; n < 31; n++)
		if (parse(v4, n) != PROXYPROTO_MORE || used <= n)
			ok(false, "cut short");
	ok(parse(v6, sizeof(v6) - 1) == PROXYPROTO_DONE && hostaddr_port(&p.to) == 2, "IPv6");
	ok(parse(local, sizeof(local) - 1) == PROXYPROTO_DONE && p.local, "LOCAL");
	conf.inet_protocols = "ipv4";
	ok(parse(v6, sizeof(v6) - 1) == PROXYPROTO_BAD, "IPv6 when inet_protocols has none");
	conf.inet_protocols = "all";
}

static void version2_malformed(void)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} bad[] = {
	    {"version",
		HEAD "\x31\x11\0\x0c"
		     "123456789012",
		28},
	    {"command",
		HEAD "\x22\x11\0\x0c"
		     "123456789012",
		28},
	    {"family",
		HEAD "\x21\x31\0\x0c"
		     "123456789012",
		28},
	    {"datagrams",
		HEAD "\x21\x12\0\x0c"
		     "123456789012",
		28},
	    {"short addresses",
		HEAD "\x21\x11\0\x0b"
		     "12345678901",
		27},
	    {"short IPv6 addresses",
		HEAD "\x21\x21\0\x0c"
		     "123456789012",
		28},
	    {"enormous length", HEAD "\x21\x11\xff\xff", 16},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(parse(bad[i].bytes, bad[i].n) == PROXYPROTO_BAD, bad[i].what);
}

int main(void)
{
	conf.inet_protocols = "all";
	version1();
	version1_malformed();
	version2();
	version2_malformed();
	return done();
}
