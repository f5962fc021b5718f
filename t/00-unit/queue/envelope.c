#include "../../lib/tap.h"

#include "ipc/deliver.h"
#include "queue/envelope.h"
#include <errno.h>

static struct envelope sample(struct arena *a)
{
	struct envelope e = {0};
	struct ipc_env_rcpt r = {.address = STR("one@example.test"),
	    .orig_address = STR("One@example.test"),
	    .orcpt = STR("rfc822;One@example.test"),
	    .notify = 6,
	    .flags = 1};

	e.message = (struct ipc_env_message){.queue_id = STR("AB12C9"),
	    .arrival_us = 1234567890,
	    .size = 99,
	    .content_flags = 2,
	    .max_line = 70,
	    .flags = 5};
	e.sender = (struct ipc_env_sender){
	    .address = STR("me@example.test"), .envid = STR("x+2B"), .ret = 1};
	envelope_add_attr(&e, a, STR("client_name"), STR("first"));
	envelope_add_attr(&e, a, STR("helo_name"), STR("h"));
	envelope_add_attr(&e, a, STR("client_name"), STR("second"));
	envelope_add_rcpt(&e, a, &r);
	r.address = STR("two@example.test");
	envelope_add_rcpt(&e, a, &r);
	return e;
}

static void round_trip(void)
{
	struct arena a = {0};
	struct envelope e = sample(&a), d;
	struct buf b = {0};
	struct err err = {0};

	envelope_encode(&e, &b);
	is_int(envelope_decode(&d, &a, buf_view(&b), &err), 0, "decodes what was encoded");
	is_str(d.message.queue_id, STR("AB12C9"), "queue ID");
	is_int(d.message.arrival_us, 1234567890, "arrival");
	is_int(d.message.rcpt_count, 2, "recipient count is filled in");
	is_str(d.sender.envid, STR("x+2B"), "envid");
	is_int(d.nattrs, 2, "an attribute of the same name is replaced");
	is_str(envelope_attr(&d, "client_name"), STR("second"), "with the newer value");
	is_str(envelope_attr(&d, "nothing"), STR(""), "an attribute that is not there is empty");
	is_str(d.rcpts[1].address, STR("two@example.test"), "second recipient");
	is_str(d.rcpts[0].orcpt, STR("rfc822;One@example.test"), "orcpt");
	ok(d.status && d.status[1].kind == RCPT_PENDING && d.status[1].index == 1,
	    "statuses are pending");
	buf_free(&b);
	arena_free(&a);
}

static void malformed(void)
{
	struct arena a = {0};
	struct envelope e = sample(&a), d;
	struct buf whole = {0}, b = {0};
	struct err err;
	size_t bad = 0;

	envelope_encode(&e, &whole);
	for (size_t n = 0; n < whole.n; n++)
		bad += envelope_decode(&d, &a, str_head(buf_view(&whole), n), &err) == -1 &&
		       err.code == EBADMSG;
	is_int(bad, whole.n, "cut anywhere it is refused");

	buf_str(&b, buf_view(&whole));
	ipc_put(&b, MSG_ENV_SENDER, &e.sender);
	ok(envelope_decode(&d, &a, buf_view(&b), &err) < 0, "a second sender is refused");
	buf_clear(&b);
	ipc_put(&b, MSG_ENV_SENDER, &e.sender);
	ok(envelope_decode(&d, &a, buf_view(&b), &err) < 0, "the message record must be the first");
	buf_clear(&b);
	buf_str(&b, buf_view(&whole));
	ipc_put(&b, MSG_ENV_RCPT, &e.rcpts[0]);
	ok(envelope_decode(&d, &a, buf_view(&b), &err) < 0, "a recipient too many is refused");
	buf_clear(&b);
	buf_str(&b, buf_view(&whole));
	ipc_put(&b, MSG_DELIVER_GO, &(struct ipc_deliver_go){});
	ok(envelope_decode(&d, &a, buf_view(&b), &err) < 0, "a strange message is refused");
	printf("# %s\n", err.text);
	bad = 0;
	for (size_t i = 0; i < whole.n * 8; i++) {
		buf_clear(&b);
		buf_str(&b, buf_view(&whole));
		b.p[i / 8] ^= (char)(1 << i % 8);
		bad += envelope_decode(&d, &a, buf_view(&b), &err) < 0;
		arena_reset(&a);
	}
	ok(bad > 0, "flipped bits never crash it");
	buf_free(&whole);
	buf_free(&b);
	arena_free(&a);
}

static void statuses(void)
{
	struct arena a = {0};
	struct envelope e = sample(&a), d;
	struct buf b = {0};
	struct ipc_rcpt_status st = {
	    .index = 1, .kind = RCPT_DEFERRED, .dsn = STR("4.4.1"), .reason = STR("later")};

	envelope_encode(&e, &b);
	envelope_decode(&d, &a, buf_view(&b), NULL);
	is_int(envelope_merge_status(&d, &a, &st), 0, "a status is merged");
	is_str(d.status[1].reason, STR("later"), "with its reason");
	st.index = 2;
	is_int(envelope_merge_status(&d, &a, &st), -1,
	    "one of a recipient that is not there is refused");
	st = (struct ipc_rcpt_status){.index = 0, .kind = 77};
	is_int(envelope_merge_status(&d, &a, &st), -1, "one of an unknown kind is refused");
	buf_free(&b);
	arena_free(&a);
}

int main(void)
{
	round_trip();
	malformed();
	statuses();
	return done();
}
