/* Lists of milters, and their macros. */
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "milter/milter_int.h"

#include <stdlib.h>

static void bad(const char *list, const char *why)
{
	struct milters *m = milters_parse("smtpd_milters", list);

	is_int((long long)m->n, 1, list);
	is_cstr(m->v[0].broken ? m->v[0].broken : "", why, "error");
	is_int(m->v[0].action, DEFAULT_UNKNOWN, "nobody may pass");
	milters_free(m);
}

static void good(void)
{
	struct milters *m = milters_parse("x",
	    "inet:localhost:25, unix:/run/m { inet:[::1]:smtp, connect_timeout=2m, "
	    "{ command_timeout = 7s },content_timeout=1h default_action=quarantine protocol=4 "
	    "{ mail_macros = i {mail_addr} } }\tlocal:rel/path");

	ok(m && !milters_empty(m), "a list");
	if (!m)
		return;
	is_int((long long)m->n, 4, "milters");
	is_cstr(m->v[0].host, "localhost", "host");
	is_int(m->v[0].port, 25, "port");
	is_cstr(m->v[0].name, "inet:localhost:25", "name");
	is_int(m->v[0].connect_ms, 30000, "connect_timeout as set for all");
	is_int(m->v[0].action, DEFAULT_REJECT, "default_action as set for all");
	is_int(m->v[0].version, 6, "protocol as set for all");
	ok(m->v[0].no_header_reply, "with its extension");
	is_cstr(m->v[1].path, "/run/m", "path");
	is_cstr(m->v[2].host, "::1", "IPv6");
	is_int(m->v[2].port, 25, "service name");
	is_int(m->v[2].connect_ms, 120000, "connect_timeout");
	is_int(m->v[2].command_ms, 7000, "command_timeout");
	is_int(m->v[2].content_ms, 3600000, "content_timeout");
	is_int(m->v[2].action, DEFAULT_QUARANTINE, "default_action");
	is_int(m->v[2].version, 4, "protocol");
	ok(!m->v[2].no_header_reply, "without extension");
	is_cstr(m->v[2].macros[STAGE_MAIL], "i {mail_addr}", "macros");
	is_cstr(m->v[2].macros[STAGE_DATA], "i", "other macros as set for all");
	is_cstr(m->v[3].path, "rel/path", "local:");
	milters_free(m);
	m = milters_parse("x", " , ");
	ok(m && milters_empty(m), "an empty list");
	milters_free(m);
}

static void all_bad(void)
{
	bad("foo", "\"foo\" begins with neither inet: nor unix:");
	bad("inet:host", "no host in \"inet:host\"");
	bad("inet::25", "no host in \"inet::25\"");
	bad("local:", "no path in \"local:\"");
	bad("{ }", "no milter in \"{ }\"");
	bad("{ inet:a:25", "missing '}' in \"{ inet:a:25\"");
	bad("{ inet:a:25, colour=red }", "\"colour=red\": unknown name");
	bad("{ inet:a:25, colour }", "no \"name=value\" in \"colour\"");
	bad("{ inet:a:25, protocol=5 }",
	    "\"protocol=5\": unknown protocol version or extension \"5\"");
	bad("{ inet:a:25, { protocol = 6 6 } }",
	    "\"protocol = 6 6\": unknown protocol version or extension \"6\"");
	bad("{ inet:a:25, connect_timeout=0 }",
	    "\"connect_timeout=0\": a time limit must be at least one second");
}

static void unknown_action(void)
{
	struct milters *m = milters_parse("x", "{ inet:a:25, default_action=explode }");

	is_int(m->v[0].action, DEFAULT_UNKNOWN, "an unknown action");
	ok(!m->v[0].broken, "matters only when the milter fails");
	milters_free(m);
}

static str value(void *ctx, str name)
{
	(void)ctx;
	if (str_eq(name, STR("{mail_addr}")))
		return STR("a@b");
	if (str_eq(name, STR("i")))
		return STR("ID");
	return (str){NULL, 0};
}

static void macro_is(struct milter_chain *c, const char *name, const char *want)
{
	str got = milter_macro_value(c, str_of(name));

	if (want)
		is_str(got, str_of(want), name);
	else
		ok(!got.p, name);
}

static void macros(void)
{
	struct milters *list = milters_parse(
	    "x", "{ inet:a:25, { mail_macros = i {none} {mail_addr} }, { rcpt_macros = {none} } }");
	struct milter_chain *c = milter_chain_new(list, value, NULL, "c");
	struct buf out = {0};
	char id[8];

	macro_is(c, "{mail_addr}", "a@b");
	macro_is(c, "j", "mx.example.com");
	macro_is(c, "v", "Gate 1");
	macro_is(c, "{daemon_name}", "IN");
	macro_is(c, "{one}", "1");
	macro_is(c, "two", "2");
	macro_is(c, "{three}", "3 and more");
	macro_is(c, "{none}", NULL);
	is_cstr(milter_queue_id(c, id, sizeof(id)), "ID", "queue ID");
	is_cstr(milter_queue_id(c, id, 2), "NOQUEUE", "too long");
	milter_put_macros(&c->v[0], STAGE_MAIL, &out);
	is_str(buf_view(&out), STR("\0\0\0\27DMi\0ID\0{mail_addr}\0a@b\0"), "packet of macros");
	buf_clear(&out);
	milter_put_macros(&c->v[0], STAGE_RCPT, &out);
	is_int((long long)out.n, 0, "nothing to say");
	c->v[0].macros_sent |= 1U << STAGE_RCPT;
	milter_put_macros(&c->v[0], STAGE_RCPT, &out);
	is_str(buf_view(&out), STR("\0\0\0\2DR"), "what was said no longer holds");
	buf_clear(&out);
	milter_put_macros(&c->v[0], STAGE_RCPT, &out);
	is_int((long long)out.n, 0, "and that is said once");
	c->v[0].macros[STAGE_EOH] = str_dup(STR("j"));
	milter_put_macros(&c->v[0], STAGE_HEADER, &out);
	is_str(buf_view(&out), STR("\0\0\0\23DLj\0mx.example.com\0"),
	    "a header has the macros of the end of the header, as the milter wants them");
	buf_free(&out);
	milter_chain_free(c);
	milters_free(list);
}

int main(void)
{
	tmpconf("milter_default_action = reject\nmilter_protocol = 6 no_header_reply\n"
		"milter_macro_defaults = one=1, {two}=2 { {three} = 3 and more }\n"
		"milter_macro_v = Gate 1\nmilter_macro_daemon_name = IN\n");
	good();
	all_bad();
	unknown_action();
	macros();
	return done();
}
