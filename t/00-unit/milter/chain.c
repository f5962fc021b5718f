/* A chain and its milters: what is sent, what is made of the answers, hand-over to another process
 * and back. */
#include "../../lib/fakeservice.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "milter/event.h"
#include "milter/handover.h"
#include "milter/milter_int.h"

static struct buf seen;		 /* commands, in order */
static const char *answers[256]; /* by command; NULL: continue */
static uint32_t steps;		 /* negotiated */

static void say(struct stream *s, char cmd, str data)
{
	struct buf out = {0};
	size_t at = milter_packet_begin(&out, cmd);

	buf_str(&out, data);
	milter_packet_end(&out, at);
	stream_write(s, out.p, out.n, FOREVER);
	stream_flush(s, FOREVER);
	buf_free(&out);
}

static void negotiate(struct stream *s)
{
	struct buf terms = {0};

	milter_put_u32(&terms, 6);
	milter_put_u32(&terms, 0x1ff);
	milter_put_u32(&terms, steps);
	say(s, 'O', buf_view(&terms));
	buf_free(&terms);
}

static bool answered(char cmd)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		if (milter_stages[i].cmd == cmd)
			return !(steps & milter_stages[i].nr);
	return false;
}

static void serve(struct stream *s)
{
	struct err err;
	char cmd;
	str data;

	while (milter_packet_read(s, &cmd, &data, FOREVER, &err) == WAIT_OK) {
		const char *answer = answers[(unsigned char)cmd];

		buf_char(&seen, cmd);
		if (cmd == 'O')
			negotiate(s);
		else if (answer && *answer == '!')
			return;
		else if (answer)
			say(s, answer[0], str_of(answer + 1));
		else if (answered(cmd))
			say(s, 'c', STR(""));
	}
}

static struct fakeservice service = {.path = "milter", .serve = serve};

static str macro(void *ctx, str name)
{
	return str_eq(name, STR("i")) && *(bool *)ctx ? STR("QID") : (str){NULL, 0};
}

static bool have_id;

static struct milter_chain *start(const struct milters *list, uint32_t wanted)
{
	buf_clear(&seen);
	memset(answers, 0, sizeof(answers));
	steps = wanted;
	have_id = false;
	return milter_chain_new(list, macro, &have_id, "c[1.2.3.4]");
}

static struct milter_answer begin(struct milter_chain *c)
{
	struct milter_answer a = milter_connect(c, "unknown", "1.2.3.4", "7", NULL);
	str arg = STR("SIZE=1");

	if (a.verdict == MILTER_CONTINUE)
		a = milter_helo(c, STR("x"));
	if (a.verdict == MILTER_CONTINUE)
		a = milter_mail(c, STR("<a>"), &arg, 1);
	have_id = true;
	if (a.verdict == MILTER_CONTINUE)
		a = milter_rcpt(c, STR("<b>"), NULL, 0);
	return a;
}

static void sent_is(const char *want, const char *what)
{
	/* What needs no answer may still be on its way. */
	for (int i = 0; i < 200 && seen.n < strlen(want); i++)
		co_sleep(10);
	is_cstr(buf_text(&seen), want, what);
}

static void whole(const struct milters *list)
{
	struct milter_chain *c = start(list, 0);
	struct milter_answer a = begin(c);
	struct milter_reply r;
	struct milter *m;

	is_int(a.verdict, MILTER_CONTINUE, "continue");
	is_int(milter_data(c).verdict, MILTER_CONTINUE, "DATA");
	is_int((long long)milter_chain_size(c), 1, "one milter");
	m = milter_chain_message(c, 0, &a);
	ok(m, "it wants to see the message");
	is_int(milter_header(m, STR("A"), STR(" b"), &a), MILTER_GO, "a header field");
	is_int(milter_eoh(m, &a), MILTER_GO, "end of header");
	is_int(milter_body(m, STR("x\r\n"), &a), MILTER_GO, "body");
	is_int(milter_eom(m, &a), MILTER_GO, "end of message");
	is_int(milter_eom_reply(m, &r, &a), MILTER_END, "verdict");
	is_int(a.verdict, MILTER_CONTINUE, "continue");
	ok(!milter_chain_message(c, 0, &a), "it is done with this message");
	ok(!milter_chain_wants_message(c), "nobody else is there");
	milter_abort(c);
	ok(milter_chain_message(c, 0, &a), "but not with the next");
	milter_chain_free(c);
	sent_is("ODCHMDRDTDLDNDBDEAQ", "macros and events, the abort, the end");
}

static void silent(const struct milters *list)
{
	uint32_t no_replies = 0;
	struct milter_answer a;
	struct milter_chain *c;
	struct milter *m;

	for (int i = 0; i < STAGE_COUNT; i++)
		no_replies |= milter_stages[i].nr;
	c = start(list, no_replies | milter_stages[STAGE_HELO].no);
	begin(c);
	sent_is("ODCMDR", "no answers are waited for, and HELO is not wanted");
	m = milter_chain_message(c, 0, &a);
	milter_header(m, STR("A"), STR("b"), &a);
	milter_body(m, STR("x"), &a);
	co_sleep(50);
	is_cstr(buf_text(&seen), "ODCMDR", "content waits for the end");
	answers['E'] = "c";
	milter_eom(m, &a);
	sent_is("ODCMDRDLDBDE", "then it goes");
	milter_chain_free(c);
}

static void hand_over(const struct milters *list)
{
	struct milter_chain *c = start(list, 0), *there;
	struct buf packed = {0}, state = {0};
	struct milter_answer a;
	struct milter *m;
	struct err err;
	int fds[4], copy;

	begin(c);
	milter_chain_pack(c, &packed);
	is_int((long long)milter_chain_fds(c, fds, 4), 1, "one connection");
	copy = dup(fds[0]);
	there = milter_chain_unpack(buf_view(&packed), &copy, 1, NULL, NULL, &err);
	ok(there, "unpacked");
	if (!there)
		return;
	is_str(milter_macro_value(there, STR("{i}")), STR("QID"), "macros came along");
	m = milter_chain_message(there, 0, &a);
	is_cstr(milter_name(m), "unix:milter", "and the name");
	answers['L'] = "y550 5.7.1 no"; /* without its NUL */
	is_int(milter_header(m, STR("A"), STR("b"), &a), MILTER_END, "a bad reply");
	is_int(a.verdict, MILTER_REPLY, "the default action");
	ok(milter_lost(m), "it is lost");
	milter_chain_release(there, &state);
	is_str(buf_view(&state), STR("L"), "state");
	milter_chain_resume(c, buf_view(&state));
	a = milter_mail(c, STR("<a>"), NULL, 0);
	is_int(a.verdict, MILTER_REPLY, "lost here, too");
	is_str(a.reply, STR("451 4.7.1 Service unavailable - try again later"), "reply");
	buf_clear(&state);
	ok(!milter_chain_unpack(buf_view(&packed), NULL, 0, NULL, NULL, &err),
	    "without its connection");
	ok(!milter_chain_unpack(str_head(buf_view(&packed), 60), NULL, 0, NULL, NULL, &err),
	    "cut short");
	milter_chain_free(c);

	c = start(list, 0);
	begin(c);
	copy = dup(c->v[0].io->fd);
	there = milter_chain_unpack(buf_view(&packed), &copy, 1, NULL, NULL, &err);
	answers['L'] = "a";
	is_int(milter_header(milter_chain_message(there, 0, &a), STR("A"), STR("b"), &a),
	    MILTER_END, "accept");
	milter_chain_release(there, &state);
	is_str(buf_view(&state), STR("P"), "state");
	milter_chain_resume(c, buf_view(&state));
	ok(!milter_chain_message(c, 0, &a) && a.verdict == MILTER_CONTINUE, "for this message");
	milter_abort(c);
	is_int(milter_mail(c, STR("<a>"), NULL, 0).verdict, MILTER_CONTINUE, "and the next");
	milter_chain_resume(c, STR(""));
	is_int(milter_mail(c, STR("<a>"), NULL, 0).verdict, MILTER_REPLY, "cleanup is lost");
	milter_chain_free(c);
	buf_free(&packed);
	buf_free(&state);
}

static void verdicts(const struct milters *list)
{
	struct milter_chain *c = start(list, 0);
	struct milter_answer a;

	answers['R'] = "d";
	a = begin(c);
	is_int(a.verdict, MILTER_DISCARD, "discard");
	is_int(milter_rcpt(c, STR("<c>"), NULL, 0).verdict, MILTER_CONTINUE, "no more questions");
	milter_abort(c);
	answers['M'] = "4";
	a = milter_mail(c, STR("<a>"), NULL, 0);
	is_int(a.verdict, MILTER_DISCONNECT, "shutdown");
	is_cstr(a.milter, "unix:milter", "who said so");
	milter_chain_free(c);
	sent_is("ODCHMDRAM", "events");

	c = start(list, 0);
	answers['C'] = "!";
	is_int(begin(c).verdict, MILTER_REPLY, "closed");
	is_int(milter_mail(c, STR("<a>"), NULL, 0).verdict, MILTER_REPLY, "for the session");
	milter_chain_free(c);
}

static void failing(void)
{
	struct milters *list = milters_parse("x", "{ unix:nobody, default_action=quarantine }");
	struct milter_answer a;
	int asked = 0;

	for (int i = 0; i < 10; i++) {
		struct milter_chain *c = start(list, 0);

		a = milter_connect(c, "h", "1.2.3.4", "7", NULL);
		if (i == 0) {
			is_int(a.verdict, MILTER_CONTINUE, "nobody there");
			ok(a.hold, "quarantine");
			is_str(a.hold_reason, STR("default_action"), "reason");
			milter_abort(c);
			ok(milter_mail(c, STR("<a>"), NULL, 0).hold, "the next message, too");
		}
		milter_chain_free(c);
	}
	asked = (int)list->v[0].trouble.dials;
	ok(asked >= 3 && asked < 10, "it is left alone for a while");
	milters_free(list);
}

static void run(void *arg)
{
	struct milters *list = milters_parse("x", "unix:milter");

	(void)arg;
	fakeservice_start(&service);
	whole(list);
	silent(list);
	hand_over(list);
	verdicts(list);
	failing();
	fakeservice_stop(&service);
	milters_free(list);
	loop_stop();
}

int main(void)
{
	tmpconf("milter_connect_macros = j\nmilter_mail_macros =\nmilter_rcpt_macros = i\n");
	loop_init();
	loop_run(run, NULL);
	buf_free(&seen);
	return done();
}
