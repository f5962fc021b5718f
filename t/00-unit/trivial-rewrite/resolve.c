/* Routes: address classes, transports, next hops. */
// with: src/trivial-rewrite/resolve.c src/trivial-rewrite/rewrite.c src/trivial-rewrite/transport.c
#include "trivial-rewrite/resolve.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"

static const char settings[] =
    "mydestination = mx.example.com, home.test\n"
    "inet_interfaces = 127.0.0.1\n"
    "virtual_alias_domains = alias.test\n"
    "virtual_mailbox_domains = box.test\n"
    "relay_domains = relay.test\n"
    "relayhost = [hub.test]:2525\n"
    "recipient_delimiter = +\n"
    "virtual_transport = lmtp:unix:private/dovecot\n"
    "relocated_maps = inline:{gone@far.test=new@x.test, kim=elsewhere, @closed.test=nowhere}\n"
    "sender_dependent_relayhost_maps = inline:{boss@s.test=[boss.test], {<>=[bounces.test]}, "
    "plain@s.test=DUNNO}\n"
    "sender_dependent_default_transport_maps = inline:{other@s.test=slow:}\n"
    "transport_maps = inline:{u+x@t.test=a:one, u@t.test=b:two, t.test=c:three, .sub.test=d:four, "
    "e.test=e:,\n"
    " {f.test=:[f.test]:99}, {g.test=:}, {x.test=error:5.9.9 no}, {mail@sub.test=special}}\n"
    "parent_domain_matches_subdomains =\n";

static void is(const char *sender, const char *address, const char *want)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} classes[] = {{RESOLVE_LOCAL, "local"}, {RESOLVE_ALIAS, "alias"},
	    {RESOLVE_VIRTUAL, "virtual"}, {RESOLVE_RELAY, "relay"}, {RESOLVE_DEFAULT, "default"}};
	const char *class = "?";
	struct route r = {0};
	struct buf got = {0};
	char what[200];

	resolve_address(str_of(sender), str_of(address), false, &r);
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (r.flags & classes[i].flag)
			class = classes[i].name;
	buf_printf(&got, "%s %s:%s %s%s%s", class, buf_text(&r.transport), buf_text(&r.nexthop),
	    buf_text(&r.recipient), r.flags & RESOLVE_ROUTED ? " routed" : "",
	    r.flags & RESOLVE_FAIL ? " failed" : "");
	snprintf(what, sizeof(what), "<%s> from <%s>", address, sender);
	is_cstr(buf_text(&got), want, what);
	buf_free(&got);
	route_free(&r);
}

static void classes(void)
{
	is("", "u@home.test", "local local:mx.example.com u@home.test");
	is("", "u@HOME.test", "local local:mx.example.com u@HOME.test");
	is("", "u", "local local:mx.example.com u@mx.example.com");
	is("", "u@[127.0.0.1]", "local local:mx.example.com u@[127.0.0.1]");
	is("", "u@alias.test",
	    "alias error:5.1.1 User unknown in virtual alias table u@alias.test");
	is("", "u@box.test", "virtual lmtp:unix:private/dovecot u@box.test");
	is("", "u@relay.test", "relay relay:[bounces.test] u@relay.test");
	is("a@b.test", "u@relay.test", "relay relay:[hub.test]:2525 u@relay.test");
	is("", "u@far.test", "default smtp:[bounces.test] u@far.test");
	is("a@b.test", "u@far.test", "default smtp:[hub.test]:2525 u@far.test");
	is("a@b.test", "u@[192.0.2.1]", "default smtp:[hub.test]:2525 u@[192.0.2.1]");
	is("", "", "local local:mx.example.com MAILER-DAEMON@mx.example.com");
}

static void operators(void)
{
	is("a@b.test", "u%far.test@home.test", "default smtp:[hub.test]:2525 u@far.test routed");
	is("a@b.test", "far.test!u@home.test", "default smtp:[hub.test]:2525 u@far.test routed");
	is("a@b.test", "u@far.test@home.test", "default smtp:[hub.test]:2525 u@far.test routed");
	is("a@b.test", "u%v@home.test@home.test",
	    "default smtp:[hub.test]:2525 u@v.example.com routed");
	is("a@b.test", "u%far.test@relay.test",
	    "relay relay:[hub.test]:2525 u%far.test@relay.test routed");
	is("a@b.test", "u@far.test@relay.test",
	    "relay relay:[hub.test]:2525 u@far.test@relay.test routed");
}

static void malformed(void)
{
	is("", "u@1.2.3.4", "default error:5.1.3 bad address syntax u@1.2.3.4");
	is("", "u@a..b", "default error:5.1.3 bad address syntax u@a..b");
	is("", "u@[1.2.3]", "default error:5.1.3 bad address syntax u@[1.2.3]");
	is("", "u@-", "default error:5.1.3 bad address syntax u@-");
	is("", "u@", "default error:5.1.3 bad address syntax u@");
}

static void senders(void)
{
	is("boss@s.test", "u@far.test", "default smtp:[boss.test] u@far.test");
	is("boss+x@s.test", "u@relay.test", "relay relay:[boss.test] u@relay.test");
	is("plain@s.test", "u@far.test", "default smtp:[hub.test]:2525 u@far.test");
	is("other@s.test", "u@far.test", "default slow:[hub.test]:2525 u@far.test");
	is("boss@s.test", "u@box.test", "virtual lmtp:unix:private/dovecot u@box.test");
}

static void transports(void)
{
	is("a@b.test", "u+x@t.test", "default a:one u+x@t.test");
	is("a@b.test", "u+y@t.test", "default b:two u+y@t.test");
	is("a@b.test", "v@T.TEST", "default c:three v@T.TEST");
	is("a@b.test", "v@a.b.sub.test", "default d:four v@a.b.sub.test");
	is("a@b.test", "v@sub.test", "default smtp:[hub.test]:2525 v@sub.test");
	is("a@b.test", "v@e.test", "default e:e.test v@e.test");
	is("a@b.test", "v@f.test", "default smtp:[f.test]:99 v@f.test");
	is("a@b.test", "v@g.test", "default smtp:[hub.test]:2525 v@g.test");
	is("a@b.test", "v@x.test", "default error:5.9.9 no v@x.test");
	is("a@b.test", "mail@sub.test", "default special:sub.test mail@sub.test");
}

static void relocated(void)
{
	is("a@b.test", "gone@far.test",
	    "default error:5.1.6 User has moved to new@x.test gone@far.test");
	is("a@b.test", "gone+y@far.test",
	    "default error:5.1.6 User has moved to new@x.test gone+y@far.test");
	is("a@b.test", "kim@home.test",
	    "local error:5.1.6 User has moved to elsewhere kim@home.test");
	is("a@b.test", "kim@far.test", "default smtp:[hub.test]:2525 kim@far.test");
	is("a@b.test", "any@closed.test",
	    "default error:5.1.6 User has moved to nowhere any@closed.test");
}

/* What changes with one setting. */
static void settings_apart(void)
{
	conf.resolve_dequoted_address = false;
	is("a@b.test", "u@far.test@home.test", "local local:mx.example.com u@far.test@home.test");
	is("a@b.test", "u%far.test@home.test", "default smtp:[hub.test]:2525 u@far.test routed");
	conf.resolve_dequoted_address = true;
	conf.relocated_prefix_enable = false;
	is("a@b.test", "gone@far.test", "default error:5.1.6 new@x.test gone@far.test");
	conf.relocated_prefix_enable = true;
	conf.allow_percent_hack = false;
	is("a@b.test", "u%far.test@home.test", "local local:mx.example.com u%far.test@home.test");
	conf.allow_percent_hack = true;
	conf.swap_bangpath = false;
	is("a@b.test", "far.test!u@home.test", "local local:mx.example.com far.test!u@home.test");
	conf.swap_bangpath = true;
}

int main(void)
{
	tmpconf(settings);
	resolve_setup();
	classes();
	operators();
	malformed();
	senders();
	transports();
	relocated();
	settings_apart();
	return done();
}
