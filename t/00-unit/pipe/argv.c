/* Macros of argv=. */
// with: src/pipe/argv.c
#include "pipe/argv.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"

static struct delivery_rcpt rcpts[] = {
    {.address = {"User+Ext@Dom.Test", 17}, .orig_address = {"Alias@Old.Test", 14}},
    {.address = {"two words@B.test", 16}},
};
static struct ipc_env_attr attrs[] = {
    {.name = {"client_name", 11}, .value = {"proxy.test", 10}},
    {.name = {"log_client_name", 15}, .value = {"mx.test", 7}},
    {.name = {"sasl_username", 13}, .value = {"joe", 3}},
};

/* The arguments that the words become, with '|' between them. */
static const char *expand(const char *const *words, size_t n, unsigned flags, const char *sender)
{
	static struct buf out;
	struct delivery d = {.rcpts = rcpts,
	    .nrcpts = n,
	    .attrs = attrs,
	    .nattrs = 3,
	    .m = {.sender = str_of(sender),
		.nexthop = STR("Hop.Test"),
		.queue_id = STR("QID1"),
		.envid = STR("env+1"),
		.size = 1234}};
	struct argv_template t;
	struct err err;
	const char *const *v;

	buf_clear(&out);
	if (argv_parse(&t, words, &err) < 0)
		return strcpy(buf_room(&out, sizeof err.text), err.text);
	for (v = argv_expand(&t, &d, flags, "NOBODY x"); *v; v++)
		buf_printf(&out, "%s%s", out.n ? "|" : "", *v);
	argv_free(&t);
	arena_free(&d.arena);
	return buf_text(&out);
}

#define WORDS(...)	      ((const char *const[]){__VA_ARGS__, NULL})
#define is(words, want, what) is_cstr(expand(words, 1, 0, "a@s.test"), want, what)

static void test_names(void)
{
	is(WORDS("cmd", "-x", ""), "cmd|-x|", "words without macros");
	is(WORDS("$recipient", "${user}", "$(extension)", "$mailbox", "$domain"),
	    "User+Ext@Dom.Test|User|Ext|User+Ext|Dom.Test", "the recipient and its parts");
	is(WORDS("$original_recipient", "$sender", "$nexthop"), "Alias@Old.Test|a@s.test|Hop.Test",
	    "other addresses");
	is(WORDS("$queue_id,$size;$envid"), "QID1,1234;env+1", "several in a word");
	is(WORDS("$client_hostname/$client_address", "$sasl_username-$sasl_method"),
	    "mx.test/|joe-", "attributes; one that is not there is empty");
	is(WORDS("$$", "$$recipient", "$$$size", "a$$b$${x}"), "$|$recipient|$1234|a$b${x}",
	    "$$ is a dollar sign");
}

static void test_syntax(void)
{
	is(WORDS("x", "a${nosuch}"), "argument \"a${nosuch}\": unknown macro name: \"nosuch\"",
	    "an unknown name");
	is(WORDS("${recipient"),
	    "argument \"${recipient\": truncated macro reference: \"${recipient\"",
	    "no closing brace");
	is(WORDS("$(size}"), "argument \"$(size}\": truncated macro reference: \"$(size}\"",
	    "another one than was opened");
	is(WORDS("100$"), "argument \"100$\": unknown macro name: \"\"", "a single $");
	is(WORDS("$[size]"), "argument \"$[size]\": unknown macro name: \"\"", "no name");
	is(WORDS("${size?{a}:{b}}"),
	    "argument \"${size?{a}:{b}}\": unknown macro name: \"size?{a\"", "conditions");
	is(WORDS("$Size"), "argument \"$Size\": unknown macro name: \"Size\"", "case");
}

static void test_recipients(void)
{
	const char *got = expand(
	    WORDS("c", "$recipient", "$user@$domain", "$size", "{$extension}"), 2, 0, "a@s.test");

	is_cstr(got,
	    "c|User+Ext@Dom.Test|two words@B.test|User@Dom.Test|two words@B.test|1234|{Ext}|{}",
	    "one argument for each recipient");
	is_cstr(expand(WORDS("$original_recipient"), 2, 0, "x"), "Alias@Old.Test|two words@B.test",
	    "an original that is not known");
}

static void test_flags(void)
{
	const char *const *all = WORDS(
	    "$recipient", "$user", "$extension", "$mailbox", "$domain", "$nexthop", "$sender");

	is_cstr(expand(all, 1, ARGV_FOLD_DOMAIN, "S@S.test"),
	    "User+Ext@dom.test|User|Ext|User+Ext|dom.test|hop.test|S@S.test", "h");
	is_cstr(expand(all, 1, ARGV_FOLD_LOCAL, "S@S.test"),
	    "user+ext@Dom.Test|user|ext|user+ext|Dom.Test|Hop.Test|S@S.test", "u");
	is_cstr(expand(WORDS("$recipient", "$user", "$sender"), 2, ARGV_QUOTE, "a\"b@s.test"),
	    "User+Ext@Dom.Test|\"two words\"@B.test|User|two words|\"a\\\"b\"@s.test", "q");
	is_cstr(expand(WORDS("-f$sender"), 1, 0, ""), "-fNOBODY x", "the null sender");
	is_cstr(expand(WORDS("$sender"), 1, ARGV_QUOTE, ""), "\"NOBODY x\"", "is quoted");
}

int main(void)
{
	tmpconf("recipient_delimiter = +\n");
	test_names();
	test_syntax();
	test_recipients();
	test_flags();
	return done();
}
