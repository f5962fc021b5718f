/* The whole table: every default evaluates; main.cf, overrides, bounds. */
#include "param/conf.h"
#include "base/file.h"
#include "param/param.h"
#include "param/table.h"
#include "t/lib/tap.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/postern-conf.XXXXXX";
static struct buf warned;

static void warn(const char *text)
{
	buf_printf(&warned, "%s\n", text);
}

static int load(const char *main_cf, struct err *err)
{
	struct buf path = {0};

	buf_printf(&path, "%s/main.cf", dir);
	file_replace(buf_text(&path), main_cf, strlen(main_cf), 0644, NULL);
	buf_free(&path);
	buf_clear(&warned);
	return conf_load(warn, err);
}

static void put_master(const char *text)
{
	struct buf path = {0};

	buf_printf(&path, "%s/master.cf", dir);
	file_replace(buf_text(&path), text, strlen(text), 0644, NULL);
	buf_free(&path);
}

static void test_table(void)
{
	size_t unsorted = 0, undefined = 0;

	for (size_t i = 0; i + 1 < param_count; i++)
		unsorted += strcmp(param_rows[i].name, param_rows[i + 1].name) >= 0;
	is_int((int)unsorted, 0, "rows are in alphabetical order");
	for (size_t i = 0; i < param_count; i++) {
		const struct param_row *r = &param_rows[i];

		if (!*r->prose || !*r->programs || !*r->since || (r->lo > r->hi))
			undefined++;
	}
	is_int((int)undefined, 0, "every row is complete");
}

static void test_defaults(void)
{
	struct err err = {0};
	static const char *const levels[] = {"", "compatibility_level = 2\n",
	    "compatibility_level = 3.6\n", "compatibility_level = 3.11\n"};

	for (size_t i = 0; i < 4; i++) {
		is_int(load(levels[i], &err), 0, "every default evaluates");
		if (err.text[0])
			printf("# %s\n", err.text);
		is_cstr(buf_text(&warned), "", "without a warning");
	}
	load("compatibility_level = 3.6\n", &err);
	is_int(conf.smtpd_timeout, 300, "smtpd_timeout");
	is_int(conf.bounce_queue_lifetime, 5 * 86400, "bounce_queue_lifetime");
	is_int(conf.message_size_limit, 10240000, "message_size_limit");
	ok(!conf.append_dot_mydomain, "compatibility level 3.6: append_dot_mydomain = no");
	is_cstr(conf.mynetworks_style, "host", "mynetworks_style = host");
	is_cstr(conf.syslog_name, "postfix", "syslog_name");
	is_cstr(conf.n2bounce_notice_recipient, "postmaster", "a name that begins with a digit");
	is_cstr(conf.config_directory, dir, "config_directory is where we are");
	ok(strchr(conf.myhostname, '.') != NULL, "myhostname has a domain");
	ok(strstr(conf.mynetworks, "127.0.0.1/32") != NULL, "mynetworks has loopback");
	ok(strstr(conf.default_rbl_reply, "$rbl_code") != NULL, "raw values stay as they are");
	is_cstr(conf.postscreen_expansion_filter, conf.smtpd_expansion_filter,
	    "a reference to a raw value");
	load("", &err);
	ok(conf.append_dot_mydomain, "compatibility level 0: append_dot_mydomain = yes");
}

static void test_values(void)
{
	struct err err = {0};
	struct buf b = {0};

	is_int(load("myhostname = gate.example.org\n"
		    "mine = $mydomain\n"
		    "mydestination = $mine, $myhostname\n"
		    "smtpd_timeout = 2m\n"
		    "soft_bounce = YES\n"
		    "smtpd_banner = cost $$5 ${nope:x}\n"
		    "slow_destination_concurrency_limit = 3\n"
		    "slow_destination_rate_delay = 2m\n"
		    "slow_next = $mine\n"
		    "broken_destination_concurrency_limit = many\n"
		    "relayhost = [relay]\n"
		    "smtp_connect_timeout = 7\n"
		    "lmtp_connect_timeout = 9\n",
		   &err),
	    0, "loads");
	is_cstr(buf_text(&warned), "", "no warning");
	is_cstr(conf.mydomain, "example.org", "mydomain follows myhostname");
	is_cstr(conf.mydestination, "example.org, gate.example.org", "through a user's own name");
	is_int(conf.smtpd_timeout, 120, "time");
	ok(conf.soft_bounce, "boolean");
	is_cstr(conf.smtpd_banner, "cost $5 x", "banner");
	ok(conf_get("mine", &b) && strcmp(buf_text(&b), "example.org") == 0,
	    "conf_get, user-defined");
	buf_clear(&b);
	ok(conf_get("relayhost", &b) && strcmp(buf_text(&b), "[relay]") == 0, "conf_get, ours");
	ok(!conf_get("nobody_knows", &b), "conf_get, unknown");
	ok(conf_is_set("relayhost") && !conf_is_set("biff"), "conf_is_set");
	is_int(
	    conf_transport_int("slow", "_destination_concurrency_limit", 20), 3, "of a transport");
	is_int(conf_transport_int("quick", "_destination_concurrency_limit", 20), 20, "not set");
	is_int(conf_transport_int("local", "_destination_concurrency_limit", 20), 2,
	    "built in for local");
	is_int(
	    conf_transport_time("slow", "_destination_rate_delay", 0), 120, "time of a transport");
	is_cstr(conf_transport_str("slow", "_next", "none"), "example.org", "text of a transport");
	is_cstr(conf_transport_str("slow", "_other", "none"), "none", "not set");
	is_int(conf_transport_int("broken", "_destination_concurrency_limit", 20), 20, "a bad one");
	ok(strstr(buf_text(&warned), "broken_destination_concurrency_limit = many") != NULL,
	    "draws a warning");
	buf_clear(&warned);
	is_int(
	    conf_transport_int("broken", "_destination_concurrency_limit", 20), 20, "asked again");
	is_cstr(buf_text(&warned), "", "not twice");
	is_int(conf.smtp_connect_timeout, 7, "smtp");
	conf_use_lmtp();
	is_int(conf.smtp_connect_timeout, 9, "lmtp");
	buf_free(&b);
}

static void test_override(void)
{
	struct err err = {0};

	is_int(conf_override("relay_mine = one", &err), 0, "override with a name of its own");
	is_int(conf_override("smtp_helo_name=$relay_mine.$myhostname", &err), 0, "override");
	is_int(conf_override("no value", &err), -1, "not an assignment");
	is_cstr(err.text, "missing '=' after attribute name: \"no value\"", "says so");
	is_int(load("smtp_helo_name = main\nmyhostname = h.test\n", &err), 0, "loads");
	is_cstr(conf.smtp_helo_name, "one.h.test", "an override wins");
	is_cstr(buf_text(&warned), "", "silently");
}

/* The program's name decides whether a bad value is fatal. */
static void bad(const char *program, const char *main_cf, const char *why)
{
	struct err err = {0};
	char *mine = program_invocation_short_name;

	program_invocation_short_name = (char *)program;
	is_int(load(main_cf, &err), -1, main_cf);
	ok(strstr(err.text, why) != NULL, why);
	if (!strstr(err.text, why))
		printf("# %s\n", err.text);
	program_invocation_short_name = (char *)"nobody";
	if (strstr(main_cf, "smtpd_")) {
		is_int(load(main_cf, &err), 0, "no matter for others");
		ok(strstr(buf_text(&warned), why) != NULL, "but a warning");
	}
	program_invocation_short_name = mine;
}

static void test_bad(void)
{
	bad("smtpd", "smtpd_timeout = 5y\n", "parameter smtpd_timeout: bad time unit: \"5y\"");
	bad("smtpd", "smtpd_timeout = 0\n", "invalid smtpd_timeout parameter value 0 < 1");
	bad("smtpd", "smtpd_recipient_limit = lots\n",
	    "bad numerical configuration: smtpd_recipient_limit = lots");
	bad("smtpd", "smtpd_recipient_limit = 99999999999\n", "> 2147483647");
	bad("smtpd", "smtpd_recipient_limit = -3\n", "parameter value -3 < 1");
	bad("smtpd", "smtpd_recipient_limit =\n",
	    "bad numerical configuration: smtpd_recipient_limit = ");
	bad("smtpd", "smtpd_helo_required = maybe\n",
	    "bad boolean configuration: smtpd_helo_required = maybe");
	bad("smtpd", "smtpd_forbid_bare_newline = perhaps\n",
	    "bad value for smtpd_forbid_bare_newline");
	bad("smtpd", "smtpd_banner = ${x\n",
	    "parameter smtpd_banner: truncated macro reference: \"${x\"");
	bad("any", "myhostname = $mydomain\nmydomain = $myhostname\n",
	    "unreasonable macro call nesting");
	bad("any", "x = $y\ny = ${x}\nmyhostname = $x\n", "unreasonable macro call nesting");
	bad("any", "syntax error\n", "line 1: missing '='");
}

/* A chain of names longer than any stack, and values that double a hundred times. */
static void test_hostile(void)
{
	struct buf b = {0};
	struct err err = {0};

	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "n%d = $n%d\n", i, i + 1);
	buf_cstr(&b, "myhostname = $n0\n");
	is_int(load(buf_text(&b), &err), -1, "a long chain is refused");
	ok(strstr(err.text, "nesting") != NULL, "with a reason");
	buf_clear(&b);
	for (int i = 0; i < 80; i++)
		buf_printf(&b, "n%d = $n%d$n%d\n", i, i + 1, i + 1);
	buf_cstr(&b, "n80 = 1234567890\nmyhostname = $n0\n");
	is_int(load(buf_text(&b), &err), -1, "exponential growth is refused");
	buf_free(&b);
}

static void test_unacted(void)
{
	struct err err = {0};
	const char *never = NULL, *later = NULL;
	struct buf b = {0};

	for (size_t i = 0; i < param_count; i++) {
		if (param_rows[i].type != PARAM_TYPE_STR || !param_rows[i].idle)
			continue;
		if (*param_rows[i].idle && !never)
			never = param_rows[i].name;
		if (!*param_rows[i].idle && !later)
			later = param_rows[i].name;
	}
	if (!never || !later)
		return;
	buf_printf(&b, "%s = a\n%s = b\nbiff = yes\nmyhostname = x.test\n", never, later);
	is_int(load(buf_text(&b), &err), 0, "parameters without effect load");
	is_cstr(buf_text(&warned), "", "silently");
	buf_clear(&b);
	buf_printf(&b, "s unix - - - - - x -o %s=b\n", later);
	put_master(buf_text(&b));
	conf_warn_unacted(warn);
	buf_clear(&b);
	buf_printf(&b, "line 1: parameter %s is set, but has no effect here: ", never);
	ok(strstr(buf_text(&warned), buf_text(&b)) != NULL, "never: with the reason");
	buf_clear(&b);
	buf_printf(&b, "line 2: parameter %s is set, but is not acted on yet\n", later);
	const char *at = strstr(buf_text(&warned), buf_text(&b));
	ok(at != NULL, "not yet");
	ok(at && !strstr(at + b.n, "line 1: "), "once");
	ok(!strstr(buf_text(&warned), "myhostname") && !strstr(buf_text(&warned), "biff"),
	    "nothing about what acts, or is at its default");
	buf_free(&b);
}

int main(void)
{
	struct err err = {0};
	struct buf path = {0};

	ok(mkdtemp(dir) && conf_set_dir(dir, &err) == 0, "conf_set_dir");
	is_cstr(conf_dir(), dir, "conf_dir");
	is_cstr(getenv("MAIL_CONFIG"), dir, "children get it");
	is_int(conf_load(warn, &err), -1, "no main.cf");
	ok(strstr(err.text, "main.cf") && strstr(err.text, "No such file"), "says so");
	test_table();
	test_defaults();
	test_values();
	test_bad();
	test_hostile();
	test_unacted();
	test_override();
	buf_printf(&path, "rm -r %s", dir);
	ok(system(buf_text(&path)) == 0, "cleaned up");
	buf_free(&path);
	buf_free(&warned);
	maincf_free(&conf_main);
	param_scope_free(&conf_scope);
	return done();
}
