#include "table/matchlist.h"
#include "tabletest.h"

static int name(const char *param, enum matchlist_kind kind, const char *list, const char *n)
{
	struct err err = {0};
	struct matchlist *m = matchlist_open(param, list, kind);
	int r = matchlist_name(m, str_of(n), &err);

	matchlist_close(m);
	return r;
}

static int host(const char *list, const char *n, const char *addr)
{
	struct err err = {0};
	struct matchlist *m = matchlist_open("mynetworks", list, MATCH_HOST);
	int r = matchlist_host(m, str_of(n), str_of(addr), &err);

	matchlist_close(m);
	return r;
}

static void test_names(void)
{
	is_int(name("mydestination", MATCH_STRING, "a.test, B.test", "b.TEST"), TABLE_FOUND,
	    "a word, case ignored");
	is_int(name("mydestination", MATCH_STRING, "a.test", "x.a.test"), TABLE_NONE,
	    "words are whole");
	is_int(name("mydestination", MATCH_STRING, "!b.test, static:x", "b.test"), TABLE_NONE,
	    "negation first");
	is_int(name("mydestination", MATCH_STRING, "!b.test, static:x", "c.test"), TABLE_FOUND,
	    "else the table");
	is_int(name("mydestination", MATCH_STRING, "", "c.test"), TABLE_NONE, "an empty list");
	is_int(name("relay_domains", MATCH_DOMAIN, "a.test", "x.y.a.test"), TABLE_FOUND, "parents");
	is_int(name("relay_domains", MATCH_DOMAIN, ".a.test", "x.a.test"), TABLE_NONE,
	    "then .domain says nothing of what is below it");
	is_int(name("relay_domains", MATCH_DOMAIN, "a.test", "xa.test"), TABLE_NONE,
	    "not half a label");
	is_int(name("other", MATCH_DOMAIN, "a.test", "x.a.test"), TABLE_NONE,
	    "no parents for this parameter");
	is_int(name("other", MATCH_DOMAIN, ".a.test", "x.a.test"), TABLE_FOUND, "but .domain");
	is_int(
	    name("other", MATCH_DOMAIN, ".a.test", "a.test"), TABLE_NONE, ".domain is not domain");
	is_int(name("relay_domains", MATCH_DOMAIN, "inline:{a.test=x}", "z.y.a.test"), TABLE_FOUND,
	    "parents in tables");
	is_int(name("other", MATCH_DOMAIN, "inline:{.a.test=x}", "z.y.a.test"), TABLE_FOUND,
	    "with dot");
	is_int(name("other", MATCH_DOMAIN, "inline:{a.test=x}", "y.a.test"), TABLE_NONE,
	    "not without");
	is_int(name("relay_domains", MATCH_DOMAIN, "regexp:{{/^a.test$/ x}}", "y.a.test"),
	    TABLE_NONE, "patterns see the whole name");
	is_int(name("mydestination", MATCH_STRING, "a, fail:x, b", "b"), TABLE_ERROR,
	    "a failing table");
	is_int(name("mydestination", MATCH_STRING, "a, fail:x, b", "a"), TABLE_FOUND,
	    "but not before it");
	is_int(name("mydestination", MATCH_STRING, "[1.2.3.4]", "[1.2.3.4]"), TABLE_FOUND,
	    "a literal as a word");
	is_int(
	    name("mydestination", MATCH_STRING, "nosuch:x", "a"), TABLE_ERROR, "an unknown type");
	is_int(name("mydestination", MATCH_STRING, "!", "a"), TABLE_ERROR, "nothing behind !");
}

static void test_files(void)
{
	char list[300], dir[200];

	spew("inner", "# comment\nfile.test\n!not.test, more.test\n");
	if (!getcwd(dir, sizeof(dir)))
		abort();
	snprintf(list, sizeof(list), "%s/inner all.test", dir);
	is_int(name("x", MATCH_STRING, list, "file.test"), TABLE_FOUND, "from a file");
	is_int(name("x", MATCH_STRING, list, "more.test"), TABLE_FOUND, "from a file");
	is_int(name("x", MATCH_STRING, list, "not.test"), TABLE_NONE, "negated there");
	snprintf(list, sizeof(list), "!%s/inner static:x", dir);
	is_int(name("x", MATCH_STRING, list, "file.test"), TABLE_NONE, "a file negated");
	is_int(name("x", MATCH_STRING, list, "not.test"), TABLE_FOUND, "twice negated");
	is_int(name("x", MATCH_STRING, "/no/such/file", "a"), TABLE_ERROR, "no file");
	snprintf(list, sizeof(list), "%s/loop\n", dir);
	spew("loop", list);
	is_int(name("x", MATCH_STRING, list, "a"), TABLE_ERROR, "a file that names itself");
}

static void test_hosts(void)
{
	is_int(
	    host("127.0.0.0/8 [::1]/128", "unknown", "127.9.9.9"), TABLE_FOUND, "in the network");
	is_int(host("127.0.0.0/8 [::1]/128", "unknown", "::1"), TABLE_FOUND, "v6");
	is_int(
	    host("127.0.0.0/8 [::1]/128", "unknown", "::ffff:127.0.0.1"), TABLE_FOUND, "v4 in v6");
	is_int(host("127.0.0.0/8 [::1]/128", "unknown", "10.0.0.1"), TABLE_NONE, "not in it");
	is_int(host("!10.0.0.1, 10.0.0.0/8", "unknown", "10.0.0.1"), TABLE_NONE, "an exception");
	is_int(host("!10.0.0.1, 10.0.0.0/8", "unknown", "10.0.0.2"), TABLE_FOUND, "the rest");
	is_int(host("[2001:db8::]/32", "a", "2001:db8:1::1"), TABLE_FOUND, "v6 network");
	is_int(host("cidr:{{10.0.0.0/8 x}}", "a.test", "10.1.1.1"), TABLE_FOUND, "a cidr table");
	is_int(host("inline:{10.1.1.1=x}", "a.test", "10.1.1.1"), TABLE_FOUND,
	    "an address in a table");
	is_int(host("a.test", "h.a.test", "10.1.1.1"), TABLE_FOUND, "a host name's parent");
	is_int(host("10.0.0.1/8", "x", "10.0.0.1"), TABLE_ERROR, "host bits");
	is_int(host("10.0.0.0/8 10.0.0.1/8", "x", "10.0.0.1"), TABLE_FOUND, "before the bad one");
	is_int(host("[::1", "x", "::1"), TABLE_ERROR, "a missing bracket");
	is_int(host("1.2.3.400", "x", "1.2.3.4"), TABLE_ERROR, "no address");
	is_int(host("10.0.0.0/8", "x", "nonsense"), TABLE_NONE, "no address asked");
}

static void run(void *arg)
{
	(void)arg;
	test_names();
	test_files();
	test_hosts();
	ok(matchlist_parent_matches("relay_domains"), "relay_domains is in the default list");
	ok(!matchlist_parent_matches("transport_maps"), "transport_maps is not");
}

int main(void)
{
	return table_tests(run, "");
}
