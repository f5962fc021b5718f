#include "param/mastercf.h"
#include "t/lib/tap.h"

static void test_good(void)
{
	static const char text[] = "# services\n"
				   "smtp inet n - y - - smtpd\n"
				   "  -o a=b\n"
				   "\n"
				   "# between\n"
				   "  -o { c = d  e } {two words} x{a b}\n"
				   "pickup unix n - n 60 1 pickup\n"
				   "tlsmgr unix - - n 1000? 1 tlsmgr\n"
				   "cleanup unix n - - - 0 cleanup -v\n"
				   "postlog unix-dgram n - n - 1 postlogd\n"
				   "x fifo - n - - - old\n"
				   "p pass - - - - - smtpd\n"
				   "x fifo - n - - - new";
	struct mastercf m = {0};
	struct err err = {0};
	const struct mastercf_service *s;

	is_int(mastercf_parse(&m, "master.cf", str_of(text), &err), 0, "parses");
	is_int((int)m.n, 7, "seven services");
	s = mastercf_find(&m, "smtp", SERVICE_INET);
	ok(s && !s->is_private && s->unpriv && s->chroot && s->wakeup == 0 && s->maxproc == -1,
	    "columns");
	is_int(s->line, 2, "line");
	is_int((int)s->nargs, 6, "arguments");
	is_cstr(s->args[1], "a=b", "-o a=b");
	is_cstr(s->args[3], "c=d  e", "-o { c = d  e }");
	is_cstr(s->args[4], "two words", "{two words}");
	is_cstr(s->args[5], "x{a b}", "braces within a word");
	ok(s->args[6] == NULL, "NULL at the end");
	s = mastercf_find(&m, "pickup", SERVICE_UNIX);
	ok(s && s->wakeup == 60 && !s->wakeup_if_used && s->maxproc == 1 && !s->chroot,
	    "wake-up time");
	s = mastercf_find(&m, "tlsmgr", SERVICE_UNIX);
	ok(s && s->wakeup == 1000 && s->wakeup_if_used && s->is_private, "wake-up time with ?");
	s = mastercf_find(&m, "cleanup", SERVICE_UNIX);
	ok(s && s->maxproc == 0, "no limit");
	s = mastercf_find(&m, "postlog", SERVICE_DGRAM);
	ok(s && !s->is_private, "datagrams");
	s = mastercf_find(&m, "x", SERVICE_FIFO);
	is_cstr(s ? s->command : "", "new", "the last of two entries counts");
	ok(s && !s->unpriv, "privileged");
	ok(!mastercf_find(&m, "smtp", SERVICE_UNIX), "name and type");
	mastercf_free(&m);
	is_int((int)m.n, 0, "freed");
}

static void bad(str text, const char *why)
{
	struct mastercf m = {0};
	struct err err = {0};

	is_int(mastercf_parse(&m, "f", text, &err), -1, why);
	is_cstr(err.text, why, "  and says why");
	mastercf_free(&m);
}

int main(void)
{
	struct mastercf m = {0};

	test_good();
	is_int(mastercf_parse(&m, "f", STR(""), NULL), 0, "an empty file");
	mastercf_free(&m);
	bad(STR("\nsmtp\n"), "f: line 2: bad field count");
	bad(STR("smtp inet n - n - -\n"), "f: line 1: bad field count");
	bad(STR("smtp tcp n - n - - smtpd\n"), "f: line 1: invalid type field \"tcp\"");
	bad(STR("smtp aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa n - n - - smtpd\n"),
	    "f: line 1: invalid type field \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
	bad(STR("smtp inet x - n - - smtpd\n"), "f: line 1: invalid private field \"x\"");
	bad(STR("smtp inet y - n - - smtpd\n"), "f: line 1: an inet service cannot be private");
	bad(STR("smtp unix n yes n - - smtpd\n"), "f: line 1: invalid unprivileged field \"yes\"");
	bad(STR("smtp unix n y Y - - smtpd\n"), "f: line 1: invalid chroot field \"Y\"");
	bad(STR("smtp unix n y n 5?? - smtpd\n"), "f: line 1: invalid wakeup field \"5?\"");
	bad(STR("smtp unix n y n ? - smtpd\n"), "f: line 1: invalid wakeup field \"\"");
	bad(STR("smtp unix n y n 0 -1 smtpd\n"), "f: line 1: invalid process_limit field \"-1\"");
	bad(STR("smtp unix n y n 0 99999999999 smtpd\n"),
	    "f: line 1: invalid process_limit field \"99999999999\"");
	bad(STR("a unix - - - - - b\nsmtp unix n y n 0 1 smtpd -o {a = b\n"),
	    "f: line 2: missing '}' in \"{a = b\"");
	bad(STR("smtp unix n y n 0 1 smtpd {a}b\n"),
	    "f: line 1: syntax error after '}' in \"{a}b\"");
	bad(STR("smtp unix n y n 0 1 smtpd -o {a}\n"),
	    "f: line 1: missing '=' after attribute name: \"a\"");
	bad(STR("  smtp unix n y n 0 1 smtpd\n"),
	    "f: line 1: logical line must not start with whitespace");
	bad(STR("smtp unix n y n 0 1 sm\0tpd\n"), "f: line 1: line has a NUL byte");
	return done();
}
