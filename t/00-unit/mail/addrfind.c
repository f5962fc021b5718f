/* The orders in which addresses are looked up: a table that has one key more than before decides
 * which. */
#include "mail/addrfind.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "loop/loop.h"

static struct buf value, extension;

/* The answer of a list of tables, "(none)" or "(error)". */
static const char *find(const char *list, const char *address, unsigned how)
{
	struct maps *m = maps_open("test_maps", list, TABLE_FOLD);
	struct err err = {0};
	enum table_result r = addr_find(m, str_of(address), how, &value, &extension, &err);

	maps_close(m);
	switch (r) {
	case TABLE_FOUND:
		return buf_text(&value);
	case TABLE_NONE:
		return "(none)";
	default:
		return "(error)";
	}
}

/* keys: in the order they must be tried in; tables with the last k of them give the k-th from the
 * end. */
static void order(
    const char *what, const char *address, unsigned how, const char *const *keys, size_t n)
{
	for (size_t from = 0; from <= n; from++) {
		char list[2000] = "inline:{x=y";
		char name[300];

		for (size_t i = from; i < n; i++) {
			size_t at = strlen(list);

			snprintf(list + at, sizeof(list) - at, ", {%s=%zu}", keys[i], i);
		}
		strcat(list, "}");
		snprintf(
		    name, sizeof(name), "%s: %s", what, from < n ? keys[from] : "nothing else");
		if (from < n) {
			char want[20];

			snprintf(want, sizeof(want), "%zu", from);
			is_cstr(find(list, address, how), want, name);
		} else {
			is_cstr(find(list, address, how), "(none)", name);
		}
	}
}

#define ORDER(what, address, how, ...)                                                             \
	do {                                                                                       \
		static const char *const keys[] = {__VA_ARGS__};                                   \
		order(what, address, how, keys, sizeof(keys) / sizeof(keys[0]));                   \
	} while (0)

static void test_orders(void)
{
	ORDER("virtual, not ours", "User+Ext@far.test", ADDR_FIND_CANONICAL, "user+ext@far.test",
	    "user@far.test", "@far.test");
	ORDER("virtual, ours", "user+ext@own.test", ADDR_FIND_CANONICAL, "user+ext@own.test",
	    "user@own.test", "user+ext", "user", "@own.test");
	ORDER("virtual, myorigin", "user+ext@origin.test", ADDR_FIND_CANONICAL,
	    "user+ext@origin.test", "user@origin.test", "user+ext", "user", "@origin.test");
	ORDER("second delimiter", "user~ext@far.test", ADDR_FIND_CANONICAL, "user~ext@far.test",
	    "user@far.test", "@far.test");
	ORDER("recipients", "user+ext@own.test", ADDR_FIND_RECIPIENT, "user+ext@own.test",
	    "user@own.test", "@own.test");
	ORDER("local recipients", "user+ext@far.test", ADDR_FIND_RECIPIENT | ADDR_FIND_LOCALPART,
	    "user+ext@far.test", "user@far.test", "user+ext", "user", "@far.test");
	ORDER("transport", "u+e@a.b.test", ADDR_FIND_TRANSPORT | ADDR_FIND_DOT_PARENTS,
	    "u+e@a.b.test", "u@a.b.test", "a.b.test", ".b.test", ".test");
	ORDER("access", "u+e@a.b.test", ADDR_FIND_ACCESS | ADDR_FIND_PARENTS, "u+e@a.b.test",
	    "u@a.b.test", "a.b.test", "b.test", "test", "u+e@", "u@");
	ORDER("quoted", "a b+e@far.test", ADDR_FIND_CANONICAL, "\"a b+e\"@far.test",
	    "a b+e@far.test", "\"a b\"@far.test", "a b@far.test", "@far.test");
	ORDER("quoted, ours", "a b@own.test", ADDR_FIND_CANONICAL, "\"a b\"@own.test",
	    "a b@own.test", "\"a b\"", "a b", "@own.test");
	ORDER("no domain", "user+ext", ADDR_FIND_CANONICAL, "user+ext", "user");
	ORDER("no extension", "user@far.test", ADDR_FIND_CANONICAL, "user@far.test", "@far.test");
	ORDER("a delimiter first", "+x@far.test", ADDR_FIND_CANONICAL, "+x@far.test", "@far.test");
	ORDER("no user", "@far.test", ADDR_FIND_SENDER, "@far.test");
}

static void test_tables(void)
{
	is_cstr(find("inline:{@f.test=catch}, inline:{u@f.test=user}", "u+e@f.test",
		    ADDR_FIND_CANONICAL),
	    "user", "each key is tried in all tables first");
	is_str(buf_view(&extension), STR("+e"), "the extension that was not looked up");
	is_cstr(find("inline:{u+e@f.test=x}", "u+e@f.test", ADDR_FIND_CANONICAL), "x", "whole");
	is_str(buf_view(&extension), STR(""), "nothing was stripped");
	is_cstr(find("inline:{@f.test=x}", "u+e@f.test", ADDR_FIND_CANONICAL), "x", "catch-all");
	is_str(buf_view(&extension), STR(""), "nothing was stripped");
	is_cstr(find("regexp:{{/^u@f.test$/ wrong} {/^@/ wrong} {/^(u.*)@f.test$/ <$1>}}",
		    "u+e@f.test", ADDR_FIND_CANONICAL),
	    "<u+e>", "patterns see the whole address");
	is_cstr(find("regexp:{{/^@/ wrong}}", "u@f.test", ADDR_FIND_CANONICAL), "(none)",
	    "and nothing else");
	is_cstr(find("regexp:{{/./ wrong}} inline:{f.test=x}", "u@f.test", ADDR_FIND_DOMAIN), "x",
	    "not even when it is not asked for");
	is_cstr(find("regexp:{{/^\"a b\"@/ quoted}}", "a b@f.test", ADDR_FIND_CANONICAL), "quoted",
	    "in external form");
	is_cstr(find("fail:x", "u@f.test", ADDR_FIND_CANONICAL), "(error)", "a table that fails");
	is_cstr(find("inline:{u@f.test=x} fail:x", "u@f.test", ADDR_FIND_CANONICAL), "x",
	    "not before its turn");
	is_cstr(find("inline:{owner-x@f.test=1, owner@f.test=2}", "owner-x@f.test",
		    ADDR_FIND_CANONICAL),
	    "1", "owner- is no user with an extension");
}

static const char *mapped(const char *list, const char *address, bool many)
{
	struct maps *m = maps_open("test_maps", list, TABLE_FOLD);
	struct err err = {0};
	str a = str_of(address);
	enum table_result r = many ? addr_map_list(m, a, ADDR_FIND_CANONICAL, true, &value, &err)
				   : addr_map(m, a, ADDR_FIND_CANONICAL, true, &value, NULL, &err);

	maps_close(m);
	return r == TABLE_FOUND ? buf_text(&value) : r == TABLE_NONE ? "(none)" : "(error)";
}

static void test_mapping(void)
{
	is_cstr(mapped("inline:{u@f.test=v@g.test}", "u+e@f.test", false), "v+e@g.test",
	    "extension carried over");
	is_cstr(mapped("inline:{u@f.test=v}", "u+e@f.test", false), "v+e", "to a bare user");
	is_cstr(mapped("inline:{@f.test=v@g.test}", "u+e@f.test", false), "v@g.test",
	    "not by a catch-all");
	is_cstr(mapped("inline:{@f.test=@g.test}", "u+e@f.test", false), "u+e@g.test",
	    "the same user elsewhere");
	is_cstr(mapped("inline:{u@f.test=@g.test}", "u+e@f.test", false), "u+e@g.test",
	    "the same user elsewhere");
	is_cstr(mapped("inline:{{u@f.test=\"a b\"@g.test}}", "u@f.test", false), "a b@g.test",
	    "internal form");
	is_cstr(mapped("inline:{{u@f.test=\"a b\"@g.test}}", "u+e@f.test", true),
	    "\"a b+e\"@g.test", "external form in lists");
	is_cstr(mapped("inline:{{u@f.test=a@g.test, b c@h.test}}", "u@f.test", false), "a@g.test",
	    "the first");
	is_cstr(mapped("inline:{{u@f.test=a@g.test, b@h.test}}", "u+e@f.test", true),
	    "a+e@g.test, b+e@h.test", "all of them");
	is_cstr(mapped("inline:{x=y}", "u@f.test", true), "(none)", "not found");
	is_cstr(mapped("inline:{{u@f.test=,}}", "u@f.test", true), "(error)", "no address in it");
}

static void run(void *arg)
{
	(void)arg;
	test_orders();
	test_tables();
	test_mapping();
}

int main(void)
{
	tmpconf("recipient_delimiter = +~\nmydestination = own.test\nmyorigin = origin.test\n"
		"inet_interfaces = loopback-only\n");
	loop_init();
	loop_run(run, NULL);
	buf_free(&value);
	buf_free(&extension);
	return done();
}
