/* Recipients: maps, copies, aliases and their limits, duplicates, ORCPT, redirection. */
// with: src/cleanup/header.c src/cleanup/checks.c src/cleanup/address.c src/cleanup/canonical.c
// src/cleanup/masquerade.c src/cleanup/receive.c src/cleanup/content.c src/cleanup/finish.c
// src/cleanup/recipient.c src/cleanup/sender.c src/cleanup/virtual.c src/cleanup/qmgr_clnt.c
// src/cleanup/changed.c src/cleanup/milter.c src/cleanup/milter_env.c src/cleanup/milter_session.c
#include "fake.h"

#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"

#define MAPPED (CLEANUP_FLAG_MAP | CLEANUP_FLAG_BCC)

static void give(struct message *m, const char *address, uint32_t notify, const char *orcpt)
{
	m->given = realloc(m->given, (m->ngiven + 1) * sizeof(*m->given));
	m->given[m->ngiven++] = (struct ipc_env_rcpt){
	    .address = str_of(address), .notify = notify, .orcpt = str_of(orcpt)};
}

/* The recipients that came out, separated by blanks. */
static void is_mapped(struct message *m, const char *want, const char *what)
{
	struct buf got = {0};

	recipient_map_all(m);
	for (size_t i = 0; i < m->env.nrcpts; i++)
		buf_printf(&got, "%s%.*s", i ? " " : "", STR_FMT(m->env.rcpts[i].address));
	is_cstr(buf_text(&got), want, what);
	buf_free(&got);
}

static void one(uint32_t flags, const char *address, const char *want, const char *what)
{
	struct message m = fake_message(flags, NULL);

	m.env.sender.address = STR("s@client.test");
	give(&m, address, 0, "");
	is_mapped(&m, want, what);
	fake_free(&m);
}

static void fails(const char *address, enum cleanup_status status, const char *what)
{
	struct message m = fake_message(CLEANUP_FLAG_MAP, NULL);

	give(&m, address, 0, "");
	recipient_map_all(&m);
	is_int(m.status, status, what);
	fake_free(&m);
}

static void test_aliases(void)
{
	one(CLEANUP_FLAG_MAP, "x@far.test", "x@far.test", "no alias");
	one(CLEANUP_FLAG_MAP, "all@v.test", "a@far.test b@far.test",
	    "an alias of aliases, each once");
	one(CLEANUP_FLAG_MAP, "self@v.test", "self@v.test o@far.test", "an alias with itself");
	one(CLEANUP_FLAG_MAP, "l2@v.test", "end@far.test", "as deep as allowed");
	one(0, "all@v.test", "all@v.test", "no mapping");
	one(CLEANUP_FLAG_MAP, "old@c.test", "a@far.test b@far.test", "canonical, then virtual");
	fails("l1@v.test", CLEANUP_EXPANSION, "too deep");
	fails("ping@v.test", CLEANUP_EXPANSION, "a circle");
	fails("many@v.test", CLEANUP_EXPANSION, "too many");
	fails("long@v.test", CLEANUP_EXPANSION, "too long");
	fails("none@v.test", CLEANUP_WRITE, "a result without an address");
}

static void test_copies(void)
{
	one(MAPPED, "copied@far.test", "copied@far.test rc@far.test all@far.test sc@far.test",
	    "copies by recipient, for all, by sender");
	one(MAPPED, "copied+x@far.test", "copied+x@far.test rc@far.test all@far.test sc@far.test",
	    "without its extension");
	one(CLEANUP_FLAG_MAP, "copied@far.test", "copied@far.test", "no copies");
}

static void test_duplicates(void)
{
	struct message m = fake_message(CLEANUP_FLAG_MAP, NULL);

	give(&m, "a@far.test", 0, "");
	give(&m, "A@FAR.test", 0, "");
	give(&m, "all@v.test", 0, "");
	give(&m, "a@far.test", 0, "");
	is_mapped(&m, "a@far.test a@far.test b@far.test",
	    "each once for each original recipient (enable_original_recipient)");
	fake_free(&m);
}

static void test_orcpt(void)
{
	struct message m = fake_message(CLEANUP_FLAG_MAP, NULL);

	give(&m, "one+two@v.test", 0, "");
	give(&m, "a b@far.test", 0, "");
	give(&m, "x@far.test", 0, "rfc822;given");
	give(&m, "gr\xc3\xbcn@far.test", 0, "");
	m.env.sender.flags = SENDER_SMTPUTF8;
	recipient_map_all(&m);
	is_str(m.env.rcpts[0].orcpt, STR("rfc822;one+2Btwo@v.test"), "xtext");
	is_str(m.env.rcpts[1].orcpt, STR("rfc822;\"a+20b\"@far.test"), "quoted");
	is_str(m.env.rcpts[2].orcpt, STR("rfc822;given"), "the client's own");
	is_str(m.env.rcpts[3].orcpt, STR("utf-8;gr\\x{FC}n@far.test"), "RFC 6533");
	fake_free(&m);
}

static void test_dsn(void)
{
	struct message m = fake_message(CLEANUP_FLAG_MAP, NULL);

	give(&m, "all@v.test", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY, "");
	give(&m, "one@v.test", DSN_NOTIFY_SUCCESS, "");
	give(&m, "plain@far.test", DSN_NOTIFY_SUCCESS, "");
	is_mapped(&m, "all@v.test a@far.test b@far.test one@v.test a@far.test plain@far.test",
	    "who wants news of success gets it for the alias");
	is_int(m.nearly, 2, "two fates are known");
	is_str(m.early[0].action, STR("expanded"), "expanded");
	is_int(m.env.rcpts[1].notify, DSN_NOTIFY_DELAY, "members tell the rest");
	is_int(m.env.rcpts[4].notify, DSN_NOTIFY_NEVER, "or nothing");
	is_int(m.env.rcpts[5].notify, DSN_NOTIFY_SUCCESS, "no alias, no change");
	fake_free(&m);
}

static void test_redirect(void)
{
	struct message m = fake_message(MAPPED, NULL);

	give(&m, "a@far.test", 0, "");
	give(&m, "b@far.test", 0, "");
	m.redirect = STR("other@far.test");
	envelope_add_attr(&m.env, &m.arena, STR("content_filter"), STR("x:y"));
	is_mapped(&m, "other@far.test", "one recipient instead of all");
	is_str(m.env.rcpts[0].orig_address, STR("a@far.test"), "with the first one's history");
	is_int(envelope_attr(&m.env, "content_filter").n, 0, "and no filter");
	fake_free(&m);
}

int main(void)
{
	tmpconf(
	    "virtual_alias_maps = inline:{ {all@v.test = team@v.test, b@far.test},"
	    " {team@v.test = a@far.test b@far.test}, {self@v.test = self@v.test, o@far.test},"
	    " {l1@v.test = l2@v.test}, {l2@v.test = l3@v.test}, {l3@v.test = l4@v.test},"
	    " {l4@v.test = end@far.test}, {ping@v.test = pong@v.test}, {pong@v.test = ping@v.test},"
	    " {many@v.test = 1@x.test 2@x.test 3@x.test 4@x.test 5@x.test 6@x.test},"
	    " {long@v.test = looooooooooooooooooooooooooong@x.test}, {none@v.test = <>},"
	    " {one@v.test = a@far.test} }\n"
	    "recipient_canonical_maps = inline:{ old@c.test=all@v.test }\n"
	    "recipient_bcc_maps = inline:{ copied@far.test=rc@far.test }\n"
	    "sender_bcc_maps = inline:{ s@client.test=sc@far.test }\n"
	    "always_bcc = all@far.test\nrecipient_delimiter = +\nsmtputf8_enable = yes\n"
	    "virtual_alias_recursion_limit = 4\nvirtual_alias_expansion_limit = 5\n"
	    "virtual_alias_address_length_limit = 30\n");
	finish_setup();
	test_aliases();
	test_copies();
	test_duplicates();
	test_orcpt();
	test_dsn();
	test_redirect();
	return done();
}
