/* Standard form of addresses. */
// with: src/trivial-rewrite/rewrite.c
#include "trivial-rewrite/rewrite.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"

static void is(const char *context, const char *in, const char *want)
{
	struct buf out = {0};
	char what[200];

	rewrite_form(str_of(context), str_of(in), &out);
	snprintf(what, sizeof(what), "%s: %s", context, in);
	is_cstr(buf_text(&out), want, what);
	buf_free(&out);
}

static void local(void)
{
	tmpconf("myorigin = origin.test\nmydomain = dom.test\nappend_dot_mydomain = yes\n");
	is("local", "user", "user@origin.test");
	is("local", "user@host", "user@host.dom.test");
	is("local", "user@a.b", "user@a.b");
	is("local", "user@site.", "user@site");
	is("local", "user@[192.0.2.1]", "user@[192.0.2.1]");
	is("local", "@r.test:user@a.b", "user@a.b");
	is("local", "@r.test,@s.test:user", "user@origin.test");
	is("local", "site.test!user", "user@site.test");
	is("local", "one!two!user", "two!user@one.dom.test");
	is("local", "user%site.test", "user@site.test");
	is("local", "user%site.test@other.test", "user%site.test@other.test");
	is("local", "!user", "!user@origin.test");
	is("local", "user%", "user%@origin.test");
	is("local", "", "");
	is("local", "@", "@");
	is("local", "user@", "user@");
	is("local", "a@b@c", "a@b@c.dom.test");
}

static void switched_off(void)
{
	tmpconf("myorigin = origin.test\nmydomain = dom.test\nappend_dot_mydomain = "
		"no\nappend_at_myorigin = no\n"
		"swap_bangpath = no\nallow_percent_hack = no\n");
	is("local", "user", "user");
	is("local", "user@host", "user@host");
	is("local", "site.test!user", "site.test!user");
	is("local", "user%site.test", "user%site.test");
}

static void remote(void)
{
	tmpconf("myorigin = origin.test\nremote_header_rewrite_domain =\n");
	is("remote", "user", "user");
	is("remote", "user@host", "user@host");
	tmpconf("myorigin = origin.test\nremote_header_rewrite_domain = invalid.test\n");
	is("remote", "user", "user@invalid.test");
	is("remote", "user@host", "user@host.invalid.test");
}

int main(void)
{
	local();
	switched_off();
	remote();
	return done();
}
