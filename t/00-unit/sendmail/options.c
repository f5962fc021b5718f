/* sendmail(1): the command line, and the full name. */
// with: src/cmd/sendmail/options.c src/cmd/sendmail/name.c
#include "cmd/sendmail/sendmail.h"

#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "mail/dsn.h"

#include <setjmp.h>
#include <stdarg.h>

static jmp_buf failed;
static char why[200];

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	longjmp(failed, 1);
}

/* Parses a command line of words; false: it was refused, see why. */
static bool parse(struct options *o, const char *line)
{
	static char copy[500];
	static char *argv[40];
	int argc = 0;

	snprintf(copy, sizeof(copy), "sendmail %s", line);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[argc++] = strcmp(p, "''") ? p : p + 2;
	argv[argc] = NULL;
	*o = (struct options){0};
	*why = 0;
	if (setjmp(failed))
		return false;
	options_parse(o, argc, argv);
	return true;
}

static void is_mode(const char *line, enum mode mode)
{
	struct options o;

	ok(parse(&o, line) && o.mode == mode, line);
}

static void is_refused(const char *line, const char *text)
{
	struct options o;

	ok(!parse(&o, line), line);
	is_cstr(why, text, "why");
}

static void test_modes(void)
{
	is_mode("a@b", MODE_MAIL);
	is_mode("-bm a@b", MODE_MAIL);
	is_mode("-bv -bm a@b", MODE_MAIL);
	is_mode("-bp", MODE_QUEUE);
	is_mode("-bi", MODE_ALIASES);
	is_mode("-I", MODE_ALIASES);
	is_mode("-bd -q30m", MODE_DAEMON);
	is_mode("-q30m -bd", MODE_DAEMON);
	is_mode("-bl", MODE_DAEMON);
	is_mode("-bs", MODE_SMTP);
	is_mode("-bh", MODE_IGNORE);
	is_mode("-q", MODE_FLUSH);
	is_mode("-q5m", MODE_IGNORE);
	is_mode("-q5m a@b", MODE_IGNORE);
	is_mode("-bp -q5m -t", MODE_IGNORE);
	is_mode("-q -bm a@b", MODE_MAIL);
	is_mode("-bd -q", MODE_DAEMON);
	is_refused("-bz", "unsupported: -bz");
	is_refused("-qSx", "-qS is not implemented");
	is_refused("-B 9BIT a", "-B option needs 8BITMIME or 7BIT");
	is_refused("-XV!! a", "-V requires two characters from -=+");
	is_refused("-b a@b", "unsupported: -ba");
	is_refused("-B 7bit a", "-B option needs 8BITMIME or 7BIT");
	is_refused("-qR", "specify: -qRsitename");
	is_refused("-qI", "specify: -qIqueueid");
	is_refused("-qx", "-qx is not implemented");
	is_refused("-oA", "-oA requires pathname");
	is_refused("-bp a", "display queue mode requires no recipient");
	is_refused("-bi a", "alias initialization mode requires no recipient");
	is_refused("-bd a", "daemon mode requires no recipient");
	is_refused("-bs a", "stand-alone mode requires no recipient");
	is_refused("-q a", "flush queue mode requires no recipient");
	is_refused("-qIabc a", "flush queue_id requires no recipient");
	is_refused("-qRx.test a", "flush site requires no recipient");
	is_refused("-Vab a", "-V requires two characters from -=+");
	is_refused("-bs -t", "-t can be used only in delivery mode");
	is_refused("-y a", "usage: sendmail [options]");
	is_refused("-bv -t", "-t option cannot be used with -bv");
}

static void test_values(void)
{
	struct options o;

	ok(parse(&o, "-f me@x -F Name -t -i -G -v -v -N success,delay -R hdrs -V id7 a b"), "many");
	is_cstr(o.sender, "me@x", "-f");
	is_cstr(o.full_name, "Name", "-F");
	is_cstr(o.envid, "id7", "-V");
	ok(o.from_header && o.dot_is_data && o.gateway && o.verbose == 2, "-t -i -G -v");
	is_int(o.notify, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY, "-N");
	is_int(o.ret, DSN_RET_HDRS, "-R");
	is_int(o.nrcpts, 2, "recipients");
	ok(parse(&o, "-oi -om -oem -odb -o7 -Ac -L tag -h 7 -U -n -m -O x=y -p SMTP -X log a"),
	    "old options");
	ok(o.dot_is_data && o.nrcpts == 1, "-oi counts");
	ok(parse(&o, "-oix -c -x -e x a") && o.dot_is_data && o.nrcpts == 1, "more of them");
	ok(parse(&o, "-bv a") && o.verify && o.mode == MODE_MAIL, "-bv");
	ok(parse(&o, "a -f b -i") && o.nrcpts == 4 && !o.sender && !o.dot_is_data,
	    "options end at the first recipient");
	ok(parse(&o, "-N success,,delay a") && o.notify == (DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY),
	    "-N with an empty element");
	ok(parse(&o, "-N success,often a") && o.notify == 0, "-N with a word that is none");
	ok(parse(&o, "-qIA -qRb") && !o.flush_id && !strcmp(o.flush_site, "b"),
	    "the last -q counts");
	ok(parse(&o, "-O smtputf8=yes a") && o.smtputf8, "-O smtputf8=yes");
	ok(parse(&o, "-- -f a") && o.nrcpts == 2 && !o.sender, "-- ends the options");
	ok(parse(&o, "-XV a"), "-XV");
	is_cstr(o.verp, "+=", "default delimiters");
	ok(parse(&o, "-V -f s@x a") && o.nrcpts == 1 && !o.envid,
	    "-V as it was before the envelope ID");
	is_cstr(o.verp, "+=", "default delimiters");
	is_cstr(o.sender, "s@x", "and the option behind it");
	ok(parse(&o, "-V-+ a") && !strcmp(o.verp, "-+"), "with delimiters");
	ok(parse(&o, "-qIABC") && !strcmp(o.flush_id, "ABC"), "-qI");
	ok(parse(&o, "-qRx.test") && !strcmp(o.flush_site, "x.test"), "-qR");
	ok(parse(&o, "-N never,success -R some -V '' a") && o.notify == 0 && o.ret == 0 && !o.envid,
	    "bad values are ignored");
	ok(parse(&o, "-oAhash:/x -bi") && !strcmp(o.aliases, "hash:/x"), "-oA");
}

static void test_config(void)
{
	char *argv[] = {"sendmail", "-f", "x", "-C", "/there", "a", NULL};
	char *none[] = {"sendmail", "-f", "-C", "a", NULL};

	is_cstr(options_config(6, argv), "/there", "-C behind other options");
	ok(!options_config(4, none), "-C as a value of another one");
}

static void test_name(void)
{
	struct options o = {.full_name = "A\nB"};
	struct buf name = {0};

	name_full(&o, &name);
	is_cstr(buf_text(&name), "A?B", "-F without line breaks");
	buf_clear(&name);
	o.full_name = NULL;
	setenv("NAME", "From Environment", 1);
	name_full(&o, &name);
	is_cstr(buf_text(&name), "From Environment", "NAME");
	buf_free(&name);
}

int main(void)
{
	tmpconf("");
	test_modes();
	test_values();
	test_config();
	test_name();
	return done();
}
