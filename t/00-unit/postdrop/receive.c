/* What postdrop takes from a hostile user: whole messages, and nothing else. */
// with: src/cmd/postdrop/receive.c
#include "cmd/postdrop/postdrop.h"

#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "mail/dsn.h"

static struct buf in;

static void put_sender(const char *address, const char *envid, uint32_t flags)
{
	struct ipc_env_sender m = {
	    .address = str_of(address), .envid = str_of(envid), .flags = flags};

	ipc_put(&in, MSG_ENV_SENDER, &m);
}

static void put_rcpt(const char *address, const char *orcpt)
{
	struct ipc_env_rcpt m = {.address = str_of(address), .orcpt = str_of(orcpt)};

	ipc_put(&in, MSG_ENV_RCPT, &m);
}

static void put_attr(const char *name, const char *value)
{
	struct ipc_env_attr m = {.name = str_of(name), .value = str_of(value)};

	ipc_put(&in, MSG_ENV_ATTR, &m);
}

static void put_content(str data)
{
	struct ipc_cleanup_content m = {.data = data};

	ipc_put(&in, MSG_CLEANUP_CONTENT, &m);
}

static void put_end(void)
{
	struct ipc_drop_end m;

	ipc_put(&in, MSG_DROP_END, &m);
}

/* Feeds what was put, in steps of a few bytes; forgets it. */
static enum drop_state feed(struct drop *d, size_t step, struct err *err)
{
	enum drop_state state = DROP_MORE;

	drop_init(d);
	for (size_t at = 0; at < in.n && state == DROP_MORE; at += step) {
		buf_str(&d->in, str_head(str_from(buf_view(&in), at), step));
		state = drop_take(d, err);
	}
	buf_clear(&in);
	return state;
}

static void refused(const char *why, const char *what)
{
	struct drop d;
	struct err err = {0};

	ok(feed(&d, 1000000, &err) == DROP_BAD, what);
	ok(strstr(err.text, why) != NULL, err.text);
	drop_free(&d);
}

static void test_good(void)
{
	struct err err;

	for (size_t step = 1; step < 40; step += 13) {
		struct drop d;

		put_sender("s@x.test", "a+2Bb", SENDER_BODY_8BITMIME);
		put_attr("rewrite_context", "remote");
		put_attr("trace", "report");
		put_attr("verp_delimiters", "+=");
		put_rcpt("a b@x.test", "");
		put_rcpt("c@x.test", "rfc822;c+2Bd@x.test");
		put_content(STR("Subject: x\r\n\r\n..\r\n"));
		put_content(STR("..dot\r"));
		put_content(STR("\n"));
		put_end();
		ok(feed(&d, step, &err) == DROP_COMPLETE, "a whole message");
		is_int(d.env.nrcpts, 2, "recipients");
		is_str(buf_view(&d.content), STR("Subject: x\r\n\r\n..\r\n..dot\r\n"), "content");
		is_int(d.facts.size, 12 + 2 + 3 + 6, "size without stuffing");
		drop_free(&d);
	}
}

static void bad_content(str data, const char *what)
{
	put_sender("s@x.test", "", 0);
	put_rcpt("a@x.test", "");
	put_content(data);
	put_end();
	refused("content", what);
}

static void test_content(void)
{
	bad_content(STR("a\r\n.\r\nMAIL FROM:<x>\r\n"), "a dot that would end the content");
	bad_content(STR(".\r\n"), "at its start");
	bad_content(STR("a\n.\r\n"), "a LF without CR");
	bad_content(STR("a\r\n.x\r\n"), "a dot that is not stuffed");
	bad_content(STR("a"), "no end");
	bad_content(STR("a\r"), "half an end");
}

static void test_envelope(void)
{
	put_rcpt("a@x.test", "");
	put_end();
	refused("no sender", "no sender");
	put_sender("s@x.test", "", 0);
	put_end();
	refused("no recipients", "no recipient");
	put_sender("s@x.test", "", 0);
	put_sender("s@x.test", "", 0);
	refused("two senders", "two senders");
	put_sender("s@x.test\r\nRCPT TO:<y>", "", 0);
	refused("bad sender", "a line break in the sender");
	put_sender("s@x.test", "a b", 0);
	refused("bad sender", "an envelope ID that is no xtext");
	put_sender("s@x.test", "a+0Db", 0);
	refused("bad sender", "or hides a line break");
	put_sender("s@x.test", "", SENDER_SMTPUTF8_HEADER);
	refused("bad sender", "a flag that is not the user's");
	put_rcpt("a@x.test\ny", "");
	refused("bad recipient", "a line break in a recipient");
	put_rcpt("a@x.test", "x y");
	refused("bad recipient", "a bad ORCPT");
	put_attr("client_name", "x");
	refused("not allowed", "an attribute of network clients");
	put_attr("rewrite_context", "x");
	refused("not allowed", "a value that has no meaning");
	put_attr("verp_delimiters", "ab");
	refused("not allowed", "bad VERP delimiters");
}

static void test_frames(void)
{
	struct ipc_qmgr_flush flush = {.queue_id = STR("")};

	ipc_put(&in, MSG_QMGR_FLUSH, &flush);
	refused("QMGR_FLUSH", "a message for somebody else");
	buf_cstr(&in, "From: me\n\nhello\n");
	refused("malformed", "mail instead of frames");
	buf_add(&in, "\xb5\x01\x10\x00\xff\xff\xff\xff", 8);
	refused("malformed", "an endless frame");
}

static void test_size(void)
{
	put_sender("s@x.test", "", 0);
	put_content(STR("0123456789\r\n0123456789\r\n"));
	refused("too big", "message_size_limit");
}

int main(void)
{
	tmpconf("message_size_limit = 0\n");
	test_good();
	test_content();
	test_envelope();
	test_frames();
	tmpconf("message_size_limit = 20\n");
	test_size();
	buf_free(&in);
	return done();
}
