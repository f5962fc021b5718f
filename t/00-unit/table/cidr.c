/* cidr: against the rules as written, and against a plain walk over them. */
#include "tabletest.h"
#include <arpa/inet.h>

static void test_rules(void)
{
	spew("c", "192.0.2.7 exact\n192.0.2.0/24 net\n192.0.2.9 never\nif 10.0.0.0/8\n10.1.0.0/16 "
		  "ten-one\n"
		  "!10.2.0.0/16 ten-other\nendif\n2001:db8::/32 six\n[2001:db9::]/32 "
		  "six9\n[2001:dba::/32] sixa\n"
		  "!0.0.0.0/0 not-four\nif !172.16.0.0/12\n1.2.3.4 one two\n  "
		  "three\nendif\n172.16.0.1 x\n");
	asks("cidr:c", "192.0.2.7", "exact");
	asks("cidr:c", "192.0.2.9", "net");
	asks("cidr:c", "10.1.2.3", "ten-one");
	asks("cidr:c", "10.3.0.1", "ten-other");
	asks("cidr:c", "10.2.0.1", "(none)");
	asks("cidr:c", "2001:DB8::1", "six");
	asks("cidr:c", "2001:db9::1", "six9");
	asks("cidr:c", "2001:dba::1", "sixa");
	asks("cidr:c", "2001:dbb::1", "(none)");
	asks("cidr:c", "198.51.100.1", "(none)");
	asks("cidr:c", "1.2.3.4", "one two  three");
	asks("cidr:c", "::ffff:1.2.3.4", "one two  three");
	asks("cidr:c", "172.16.0.1", "x");
	asks("cidr:c", "name.test", "(none)");
	asks("cidr:c", "", "(none)");
	asks("cidr:{{1.2.3.4 x}, {5.0.0.0/8 y}}", "5.6.7.8", "y");
	asks("cidr:{{1.2.3.4 x}, 5.6.7.8}", "1.2.3.4", "(error)");
	ok(table_is_address(table_open(STR("cidr:c"), TABLE_FOLD, NULL)), "addresses only");
	ok(!table_partial_keys(table_open(STR("cidr:c"), TABLE_FOLD, NULL)), "and whole");
}

static void test_bad_rules(void)
{
	static const char *const bad[] = {"192.0.2.1/24 bits", "1.2.3.4", "1.2.3.4/33 x",
	    "1.2.3.4/ x", "1.2.3 x", "1.2.3.4/-1 x", "::/129 x", "if 10.0.0.0/8 junk", "endif",
	    "if", "!", "if 1.2.3.x", "010.0.0.8 x", "[::1 x", "foo bar", "1.2.3.4/8/8 x",
	    "1.2.3.4/99999999999999999999 x", "endif junk"};
	char text[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char spec[40], file[30];

		snprintf(file, sizeof(file), "bad%zu", i);
		snprintf(spec, sizeof(spec), "cidr:%s", file);
		snprintf(text, sizeof(text), "%s\n9.9.9.9 good\n", bad[i]);
		spew(file, text);
		is_cstr(ask(spec, "9.9.9.9"), "good", bad[i]);
		is_cstr(ask(spec, "1.2.3.4"), "(none)", bad[i]);
	}
}

#define RULES 5000

static struct {
	uint32_t net;
	int bits;
	bool negate;
} rules[RULES];

static uint32_t masked(uint32_t a, int bits)
{
	return bits ? a & (0xffffffffu << (32 - bits)) : 0;
}

static int expected(uint32_t a, int n)
{
	for (int i = 0; i < n; i++)
		if ((masked(a, rules[i].bits) == rules[i].net) != rules[i].negate)
			return i;
	return -1;
}

static void test_many(void)
{
	FILE *f = fopen("many", "w");
	int wrong = 0, hits = 0;

	srandom(7);
	for (int i = 0; i < RULES; i++) {
		struct in_addr in;

		rules[i].bits = 12 + (int)(random() % 21);
		rules[i].net = masked((uint32_t)random() & 0x0fffffff, rules[i].bits);
		rules[i].negate = false;
		in.s_addr = htonl(rules[i].net);
		fprintf(f, "%s%s/%d r%d\n", rules[i].negate ? "!" : "", inet_ntoa(in),
		    rules[i].bits, i);
	}
	fclose(f);
	for (int i = 0; i < 4000; i++) {
		uint32_t a = i % 2 ? rules[random() % RULES].net + (uint32_t)(random() % 4)
				   : (uint32_t)random() & 0x0fffffff;
		struct in_addr in = {htonl(a)};
		int want = expected(a, RULES);
		char text[20];

		snprintf(text, sizeof(text), "r%d", want);
		hits += want >= 0;
		wrong += strcmp(ask("cidr:many", inet_ntoa(in)), want < 0 ? "(none)" : text) != 0;
	}
	is_int(wrong, 0, "4000 questions to 5000 rules are answered as by the first that matches");
	ok(hits > 500 && hits < 4000, "some were found, some were not");
}

/* Runs end where if, endif and negation stand between rules. */
static void test_blocks(void)
{
	FILE *f = fopen("blocks", "w");

	for (int i = 0; i < 20; i++)
		fprintf(f, "10.0.%d.0/24 a%d\n", i, i);
	fputs("if 10.0.0.0/8\n", f);
	for (int i = 0; i < 20; i++)
		fprintf(f, "10.1.%d.0/24 b%d\n11.0.%d.0/24 never\n", i, i, i);
	fputs("endif\n", f);
	for (int i = 0; i < 20; i++)
		fprintf(f, "10.1.%d.0/23 c%d\n11.0.%d.0/24 d%d\n", i & ~1, i, i, i);
	fputs("!11.0.0.0/8 rest\n", f);
	fclose(f);
	asks("cidr:blocks", "10.0.7.1", "a7");
	asks("cidr:blocks", "10.1.7.1", "b7");
	asks("cidr:blocks", "11.0.7.1", "d7");
	asks("cidr:blocks", "10.2.0.1", "rest");
	asks("cidr:blocks", "11.2.0.1", "(none)");
}

static void run(void *arg)
{
	(void)arg;
	test_rules();
	test_bad_rules();
	test_many();
	test_blocks();
}

int main(void)
{
	return table_tests(run, "");
}
