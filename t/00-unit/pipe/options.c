/* Attributes of a pipe service. */
// with: src/pipe/options.c
#include "pipe/options.h"
#include "mailbox/copy.h"
#include "t/lib/tap.h"

static struct options o;
static struct err err;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *const *words, const char *why)
{
	is_int(options_parse(&o, words, &err), -1, why);
	is_cstr(err.text, why, "is said");
}

static void test_defaults(void)
{
	is_int(
	    options_parse(&o, WORDS("user=u", "argv=/bin/x", "y z", "user=w"), &err), 0, "least");
	is_cstr(o.user, "u", "user");
	ok(!strcmp(o.words[0], "/bin/x") && !strcmp(o.words[1], "y z") &&
		!strcmp(o.words[2], "user=w") && !o.words[3],
	    "words behind argv= are all the command's");
	is_cstr(o.null_sender, "MAILER-DAEMON", "null sender");
	is_cstr(buf_text(&o.eol), "\n", "line end");
	ok(!o.dir && !o.root && !o.size && !o.copy_flags && !o.argv_flags && !o.final &&
		!*o.need_single,
	    "nothing else");
	options_free(&o);
}

static void test_all(void)
{
	is_int(options_parse(&o,
		   WORDS("flags=BDF", "flags=ORXhqu.>", "user=a", "user=u:g", "null_sender=",
		       "size=1000", "eol=\\r\\n", "directory=/d", "chroot=/r", "argv=x"),
		   &err),
	    0, "all of them");
	is_cstr(o.user, "u:g", "the last user counts");
	is_int(o.copy_flags,
	    COPY_BLANK | COPY_DELIVERED_TO | COPY_FROM | COPY_ORIG_TO | COPY_RETURN_PATH |
		COPY_QUOTE_DOT | COPY_QUOTE_FROM,
	    "flags for the content, added up");
	is_int(o.argv_flags, ARGV_FOLD_DOMAIN | ARGV_QUOTE | ARGV_FOLD_LOCAL, "for the arguments");
	ok(o.final, "X");
	is_cstr(o.need_single, "D", "the flag that wants single recipients");
	is_cstr(o.null_sender, "", "empty null sender");
	is_int((long long)o.size, 1000, "size");
	is_cstr(buf_text(&o.eol), "\r\n", "line end");
	ok(!strcmp(o.dir, "/d") && !strcmp(o.root, "/r"), "folders");
	options_free(&o);
}

static void eol(const char *text, str want)
{
	is_int(options_parse(&o, WORDS("user=u", text, "argv=x"), &err), 0, text);
	ok(str_eq(buf_view(&o.eol), want), "its bytes");
	options_free(&o);
}

int main(void)
{
	test_defaults();
	test_all();
	eol("eol=\\a\\b\\f\\n\\r\\t\\v\\\\", STR("\a\b\f\n\r\t\v\\"));
	eol("eol=\\101\\0\\1012", STR("A\0A2"));
	eol("eol=\\x\\q\\8\\", STR("xq8\\"));
	eol("eol=", STR(""));
	refused(WORDS("user=u"), "missing argv= command-line attribute");
	refused(WORDS("argv=x"), "missing user= command-line attribute");
	refused(WORDS("user=u", "argv=", "x"), "argv= names no command");
	refused(WORDS("user=u", "foo=bar", "argv=x"), "unknown attribute name: foo=bar");
	refused(WORDS("user=u", "flags=Rz", "argv=x"), "unknown flag: z");
	refused(WORDS("user=u", "size=1k", "argv=x"), "bad size= value: 1k");
	refused(WORDS("user=u", "size=-1", "argv=x"), "bad size= value: -1");
	return done();
}
