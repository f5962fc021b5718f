/* What an SMTP or LMTP server may say to us, from greeting to QUIT: every recipient gets one fate,
 * and what we say stays well-formed.
 *
 * The first two bytes choose the message and how the server's words are cut; the rest is what it
 * says, whether asked or not. */
// with: src/smtp/agent.c src/smtp/bestmx.c src/smtp/body.c src/smtp/cache.c src/smtp/chat.c src/smtp/command.c src/smtp/conn.c src/smtp/dial.c src/smtp/edit.c
// with: src/smtp/extra.c src/smtp/fate.c src/smtp/generic.c src/smtp/hosts.c src/smtp/nexthop.c src/smtp/order.c src/smtp/pix.c src/smtp/transaction.c src/smtp/xforward.c
#include "smtp/smtp.h"

#include "log/log.h"
#include "loop/loop.h"
#include "mail/dsn.h"
#include "queue/queue.h"
#include "t/lib/fuzzpeer.h"
#include "t/lib/tmpconf.h"

#include <fcntl.h>

#define RCPTS 3

static const char settings[] = "inet_interfaces = 127.0.0.1\n"
			       "inet_protocols = ipv4\n"
			       "smtp_send_xforward_command = yes\n"
			       "smtp_skip_quit_response = no\n"
			       "smtp_cname_overrides_servername = no\n";
static const char plain[] = "Subject: fuzz\r\n\r\n..a dot\r\nb\r\n";
static const char eight[] =
    "Subject: fuzz\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xbc\r\n";

struct smtp_flags smtp_flags;
static bool lmtp;
static uint8_t bits; /* choose the message */
static int content;

bool smtp_is_lmtp(void)
{
	return lmtp;
}

/* Commands are lines of their own, and known ones; content ends with its dot, or with the
 * connection. */
static void check_heard(str heard)
{
	static const char *const verbs[] = {
	    "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "RSET", "QUIT", "XFOR"};
	bool inside = false;
	str line;

	while (heard.n > 0 && str_split(&heard, '\n', &line)) {
		bool known = false;

		if (str_starts(line, STR("Subject: fuzz")) ||
		    str_starts(line, STR("Delivered-To:")))
			inside = true;
		if (str_eq(line, STR(".\r"))) /* DATA was taken though no recipient was */
			continue;
		if (inside) {
			inside = !str_eq(line, STR(".\r"));
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
			known = known || str_starts(line, str_of(verbs[i]));
		if (!known || line.p[line.n - 1] != '\r' ||
		    str_chr(str_head(line, line.n - 1), '\r') >= 0 || line.n > 2000)
			abort();
	}
}

static void put_message(struct delivery *d)
{
	bool is_eight = bits & 2;
	str text = is_eight ? str_mem(eight, sizeof(eight) - 1) : str_mem(plain, sizeof(plain) - 1);

	if (ftruncate(content, 0) < 0 || pwrite(content, text.p, text.n, 0) != (ssize_t)text.n)
		abort();
	d->content_fd = content;
	d->m = (struct ipc_deliver){.queue_id = STR("FUZZ1"),
	    .path = STR("content"),
	    .content_length = text.n,
	    .size = text.n - 4,
	    .max_line = is_eight ? 40 : 20,
	    .content_flags = is_eight ? CONTENT_8BIT_BODY : 0,
	    .transport = STR("smtp"),
	    .nexthop = STR("next.test"),
	    .sender = bits & 4 ? STR("") : STR("\"s x\"@client.test"),
	    .envid = bits & 8 ? STR("id+2B1") : STR(""),
	    .sender_flags = bits & 16 ? SENDER_SMTPUTF8 : 0};
	d->nrcpts = bits & 32 ? RCPTS : 1;
	d->rcpts = arena_zero(&d->arena, d->nrcpts * sizeof *d->rcpts);
	for (size_t i = 0; i < d->nrcpts; i++)
		d->rcpts[i] = (struct delivery_rcpt){.index = (uint32_t)i,
		    .address = i == 2 ? STR("\xc3\xbc@far.test") : STR("r@far.test"),
		    .orig_address = STR("r@far.test"),
		    .orcpt = i == 1 ? STR("rfc822;o@x.test") : STR(""),
		    .notify = bits & 8 ? 1u : 0};
}

/* As agent.c does it with one host. */
static void deliver(struct delivery *d, struct stream *io)
{
	struct host h = {.name = "next.test"};
	struct trouble t = {.dsn = "4.3.0", .text = "nothing", .relay = "none"};
	struct conn *c;
	enum tx_result r;

	hostaddr_parse(&h.addr, STR("127.0.0.1"), 25, NULL);
	c = conn_new(io, &h);
	if (conn_greet(c, d, &h, true, &t) < 0) {
		conn_close(c);
		fate_settle(d, &t);
		return;
	}
	r = transaction_run(c, d, false, &t);
	if (r == TX_OURS)
		fate_settle(d, &t);
	else if (r != TX_DONE)
		fate_note_all(d, &t, c);
	conn_close(c);
	if (fate_pending(d))
		fate_settle(d, &t);
}

static void session(void *arg)
{
	struct fuzzpeer *s = arg;
	struct delivery d = {0};
	struct stream *io, *other;
	struct scope scope;
	int pair[2], qmgr[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, qmgr) < 0)
		abort();
	s->io = stream_new(pair[0]);
	io = stream_new(pair[1]);
	d.qmgr = stream_new(qmgr[0]);
	other = stream_new(qmgr[1]);
	put_message(&d);
	scope_init(&scope);
	co_start(&scope, "speak", fuzzpeer_speak, s);
	co_start(&scope, "hear", fuzzpeer_hear, s);
	deliver(&d, io);
	scope_join(&scope);
	for (size_t i = 0; i < d.nrcpts; i++)
		if (!d.rcpts[i].done)
			abort();
	check_heard(buf_view(&s->heard));
	buf_free(&s->heard);
	buf_free(&d.told);
	stream_free(s->io);
	stream_free(d.qmgr);
	stream_free(other);
	arena_free(&d.arena);
	loop_stop();
}

static void start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	tmpconf(settings);
	log_open("smtp", false);
	log_writer(fuzzpeer_quiet);
	loop_init();
	content = open("content", O_RDWR | O_CREAT, 0600);
	if (content < 0)
		abort();
	hosts_setup();
	dial_setup();
	chat_setup();
	conn_setup();
	pix_setup();
	body_setup();
	cache_setup();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzzpeer s;

	if (size < 2)
		return 0;
	start();
	bits = data[0];
	lmtp = bits & 1;
	smtp_flags = (struct smtp_flags){
	    .delivered_to = (bits & 64) != 0 && !(bits & 32), .final = (bits & 128) != 0};
	s = (struct fuzzpeer){
	    .words = str_mem(data + 2, size - 2),
	    .piece = data[1] < 128 ? 4096 : (size_t)data[1] - 127,
	};
	loop_run(session, &s);
	return 0;
}
