/* An SMTP session with whatever a client may send: rewrite and cleanup are played by this process.
 * Replies stay well-formed lines, and nothing that was not accepted reaches cleanup.
 *
 * The first two bytes choose the configuration and how the input is cut; and whether mail goes to
 * cleanup or to a before-queue filter, which never sees a line that could be two. */
// with: src/smtpd/access_action.c src/smtpd/attrs.c src/smtpd/check_access.c src/smtpd/check_client.c src/smtpd/check_dest.c src/smtpd/check_domain.c src/smtpd/check_generic.c src/smtpd/check_hosts.c
// with: src/smtpd/check_login.c src/smtpd/check_policy.c src/smtpd/check_rbl.c src/smtpd/check_syntax.c src/smtpd/check_unlisted.c src/smtpd/cmd_auth.c src/smtpd/cmd_bdat.c src/smtpd/cmd_data.c src/smtpd/cmd_ehlo.c
// with: src/smtpd/cmd_etrn.c src/smtpd/cmd_helo.c src/smtpd/cmd_mail.c src/smtpd/cmd_noop.c src/smtpd/cmd_quit.c src/smtpd/cmd_rcpt.c src/smtpd/cmd_rset.c src/smtpd/cmd_starttls.c
// with: src/smtpd/cmd_vrfy.c src/smtpd/cmd_xclient.c src/smtpd/cmd_xforward.c src/smtpd/content.c src/smtpd/dest_cleanup.c src/smtpd/dest_drop.c src/smtpd/dest_proxy.c src/smtpd/proxy.c src/smtpd/proxy_chat.c src/smtpd/proxy_checks.c src/smtpd/proxy_judge.c src/smtpd/dnsbl.c src/smtpd/eval.c src/smtpd/footer.c src/smtpd/input.c src/smtpd/nonsmtp.c
// with: src/smtpd/path.c src/smtpd/peer.c src/smtpd/pipelining.c src/smtpd/policy_request.c src/smtpd/policy_service.c src/smtpd/proxyproto.c src/smtpd/received.c src/smtpd/reply.c src/smtpd/restrict.c src/smtpd/rules.c src/smtpd/session.c
// with: src/smtpd/macros.c src/smtpd/milters.c src/smtpd/setup.c src/smtpd/standalone.c src/smtpd/stress.c src/smtpd/template.c src/smtpd/transaction.c src/smtpd/transcript.c
#include "smtpd/session.h"

#include "ipc/msg.h"
#include "ipc/rewrite.h"
#include "log/log.h"
#include "loop/loop.h"
#include "service/service_int.h"
#include "smtpd/setup.h"
#include "t/lib/fakeservice.h"
#include "t/lib/fuzzpeer.h"
#include "t/lib/tmpconf.h"

#include <sys/stat.h>

static const char settings[] =
    "inet_interfaces = 127.0.0.1\n"
    "inet_protocols = ipv4\n"
    "mynetworks = 127.0.0.0/8\n"
    "mydestination = mx.example.com\n"
    "relay_domains = relay.test\n"
    "local_recipient_maps = inline:{root=x}\n"
    "smtpd_peername_lookup = no\n"
    "smtpd_error_sleep_time = 0\n"
    "smtpd_hard_error_limit = 50\n"
    "smtpd_recipient_limit = 5\n"
    "smtpd_recipient_overshoot_limit = 3\n"
    "message_size_limit = 3000\n"
    "queue_minfree = 0\n"
    "line_length_limit = 500\n"
    "smtpd_authorized_xclient_hosts = 127.0.0.1, 192.0.2.0/24\n"
    "smtpd_authorized_xforward_hosts = 127.0.0.1\n"
    "smtpd_reject_footer = \\c; see $client_address\\n$sender $recipient_domain\n"
    "smtpd_noop_commands = XNOP\n"
    "smtpd_sender_restrictions = check_sender_access inline:{{s.test = REJECT 5.1.1 no}, {h.test = "
    "HOLD}}\n"
    "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname,\n"
    " check_helo_access inline:{{bad.test = 554 no}}\n"
    "smtpd_recipient_restrictions = check_recipient_access inline:{{d.relay.test = DISCARD},\n"
    " {p.relay.test = PREPEND X-A: b}, {f.relay.test = FILTER smtp:[x]}, {r.relay.test = reject},\n"
    " {l.relay.test = DEFER_IF_PERMIT wait}}, reject_non_fqdn_sender, permit_auth_destination, "
    "permit\n"
    "smtpd_relay_restrictions = reject_unauth_destination\n"
    "smtpd_data_restrictions = reject_multi_recipient_bounce\n"
    "smtpd_etrn_restrictions = reject\n"
    "smtpd_proxy_filter = unix:filter\n";

static bool began; /* cleanup has a message that has not ended */

static void answer_rewrite(struct stream *s)
{
	struct ipc_msg m;
	struct err err;
	enum wait w = WAIT_OK;

	while (w == WAIT_OK && ipc_recv(s, &m, FOREVER, &err) == WAIT_OK) {
		if (m.type == MSG_REWRITE) {
			struct ipc_rewritten r = {.address = m.rewrite.address};
			w = ipc_send_now(s, MSG_REWRITTEN, &r, FOREVER);
		} else {
			str a = m.resolve.address;
			struct ipc_resolved r = {
			    .recipient = a, .transport = STR("smtp"), .nexthop = STR("x")};

			r.flags = str_ends_nocase(a, STR("relay.test")) ? RESOLVE_RELAY
				  : str_chr(a, '@') < 0			? RESOLVE_LOCAL
									: RESOLVE_DEFAULT;
			w = ipc_send_now(s, MSG_RESOLVED, &r, FOREVER);
		}
	}
}

static void answer_cleanup(struct stream *s)
{
	struct ipc_msg m;
	struct err err;

	while (ipc_recv(s, &m, FOREVER, &err) == WAIT_OK) {
		struct ipc_cleanup_done done = {.status = CLEANUP_OK};

		if (m.type == MSG_CLEANUP_BEGIN)
			began = true;
		if (m.type != MSG_CLEANUP_END)
			continue;
		if (!began)
			abort();
		began = false;
		if (ipc_send_now(s, MSG_CLEANUP_DONE, &done, FOREVER) != WAIT_OK)
			return;
	}
}

/* A before-queue filter that takes what it likes, one line after the other. */
static void answer_filter(struct stream *s)
{
	bool content = false;
	str line, say = STR("220 filter\r\n");

	while (stream_write(s, say.p, say.n, FOREVER) == WAIT_OK &&
	       stream_flush(s, FOREVER) == WAIT_OK &&
	       stream_gets(s, 1 << 20, &line, FOREVER) == WAIT_OK) {
		if (!str_ends(line, STR("\r\n")) ||
		    (!content && str_chr(line, '\r') + 2 < (ptrdiff_t)line.n))
			abort();
		say = STR("250 ok\r\n");
		if (content && !str_eq(line, STR(".\r\n")))
			say = STR("");
		else if (content)
			content = false;
		else if (str_starts(line, STR("EHLO")))
			say = STR("250-filter\r\n250 XFORWARD NAME ADDR PORT HELO IDENT PROTO "
				  "SOURCE\r\n");
		else if (str_starts(line, STR("RCPT")) && str_find(line, STR("no")) >= 0)
			say = STR("550-5.1.1 a\r\n550 5.1.1 b\r\n");
		else if (str_starts(line, STR("DATA")))
			content = true, say = STR("354 go\r\n");
	}
}

static struct fakeservice filter_service = {.path = "filter", .serve = answer_filter};
static struct fakeservice rewrite_service = {.path = "private/rewrite", .serve = answer_rewrite};
static struct fakeservice cleanup_service = {.path = "public/cleanup", .serve = answer_cleanup};

static void session(void *arg)
{
	struct fuzzpeer *in = arg;
	struct stream *server;
	struct hostaddr peer;
	struct scope scope;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    hostaddr_parse(&peer, STR("127.0.0.1"), 25, NULL) < 0)
		abort();
	in->io = stream_new(pair[0]);
	server = stream_new(pair[1]);
	scope_init(&scope);
	co_start(&scope, "send", fuzzpeer_speak, in);
	co_start(&scope, "read", fuzzpeer_hear, in);
	session_run(server, &peer);
	stream_free(server);
	scope_join(&scope);
	stream_free(in->io);
	fuzzpeer_check_replies(buf_view(&in->heard));
	buf_free(&in->heard);
	loop_stop();
}

static void configure(uint8_t bits)
{
	static const char *const newline[] = {"normalize", "no", "reject", "note"};

	conf.smtpd_forbid_bare_newline = newline[bits & 3];
	conf.smtpd_forbid_unauth_pipelining = (bits & 12) == 12;
	conf.strict_rfc821_envelopes = bits & 16;
	conf.smtpd_delay_reject = !(bits & 32);
	conf.smtpd_upstream_proxy_protocol = (bits & 192) == 192 ? "haproxy" : "";
	conf.smtpd_helo_required = (bits & 192) == 64;
	conf.soft_bounce = (bits & 192) == 128;
}

static void start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	tmpconf(settings);
	log_open("smtpd", false);
	log_writer(fuzzpeer_quiet);
	mkdir("private", 0700);
	mkdir("public", 0700);
	loop_init();
	worker.limit = 100;
	smtpd_setup();
	fakeservice_start(&rewrite_service);
	fakeservice_start(&cleanup_service);
	fakeservice_start(&filter_service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzzpeer in;

	if (size < 2)
		return 0;
	start();
	configure(data[0]);
	conf.smtpd_proxy_filter = data[1] < 128 && data[1] % 4 == 3 ? "unix:filter" : "";
	in = (struct fuzzpeer){
	    .words = str_mem(data + 2, size - 2),
	    .piece = data[1] < 128 ? 4096 : (size_t)data[1] - 127,
	};
	began = false;
	loop_run(session, &in);
	return 0;
}
