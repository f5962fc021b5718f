#include "milter/event.h"
#include "milter/milter_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>

#define PROGRESS_MS (60 * 60 * 1000) /* a milter that only makes progress has had enough then */
#define REASON_MAX  1000	     /* bytes of a quarantine reason that are kept */
#define REPLIES_MAX 20000 /* at the end of a message, pieces of a body aside: they have a limit */

const struct stage_row milter_stages[STAGE_COUNT] = {
#define STAGE(NAME, cmd, no, nr, version, name) {name, no, nr, version, cmd},
#include "milter/stage.tbl"
#undef STAGE
};

bool milter_wants(const struct milter *m, enum milter_stage stage)
{
	const struct stage_row *row = &milter_stages[stage];

	/* A milter that calls itself older than 2 is treated as 2. */
	return !(m->steps & row->no) && !(m->skip & 1U << stage) &&
	       (row->version <= 2 || row->version <= m->version);
}

static bool is_content(enum milter_stage stage)
{
	return stage == STAGE_HEADER || stage == STAGE_EOH || stage == STAGE_BODY ||
	       stage == STAGE_EOM;
}

static int64_t deadline(const struct milter *m, enum milter_stage stage)
{
	if (stage == STAGE_CONNECT)
		return deadline_in(m->conf->connect_ms);
	return deadline_in(is_content(stage) ? m->conf->content_ms : m->conf->command_ms);
}

static struct milter_answer go_on(const struct milter *m)
{
	return (struct milter_answer){.milter = m->conf->name};
}

static struct milter_answer lose(
    struct milter *m, enum milter_stage stage, enum wait w, struct err *err)
{
	if (w == WAIT_CANCEL)
		return milter_leave(m);
	if (!err->text[0])
		err_set(err, "%s", w == WAIT_ERROR ? strerror(errno) : wait_name(w));
	return milter_fail(m, stage, err);
}

/* --- asking */

/* Others come first when a milter talks without a pause. */
static enum wait next_turn(const struct milter *m)
{
	if (stream_buffered(m->io) == 0)
		return WAIT_OK;
	return loop_now() < m->patience ? co_yield () : WAIT_TIMEOUT;
}

static enum wait no_reply(struct milter *m, struct err *err)
{
	struct milter_reply r;
	enum wait w;
	char cmd;
	str data;

	w = milter_packet_read(m->io, &cmd, &data, deadline_in(m->conf->command_ms), err);
	if (w != WAIT_OK)
		return w;
	if (milter_reply_parse(cmd, data, &r, err) < 0)
		return WAIT_ERROR;
	if (r.kind == MILTER_IS_PROGRESS)
		return next_turn(m);
	err_set(err, "unexpected %s reply", milter_kind_name(r.kind));
	return WAIT_ERROR;
}

/* A milter that has said more than it was asked is out of step: it would be taken for the answer to
 * the next question. look: at what the kernel has, too; once a message is enough, and at its end is
 * where it matters. */
static enum wait expect_silence(struct milter *m, bool look, struct err *err)
{
	enum wait w = WAIT_OK;
	str data;

	while (w == WAIT_OK && (stream_buffered(m->io) || (look && stream_input_ready(m->io)))) {
		if (stream_peek(m->io, 1, &data, deadline_in(m->conf->command_ms)) != WAIT_OK)
			return WAIT_OK; /* its end shows in due course */
		w = no_reply(m, err);
	}
	return w;
}

/* Macros and packet go into the stream together. */
static enum wait put(struct milter *m, enum milter_stage stage, str data, struct err *err)
{
	struct buf out = {0};
	int64_t limit;
	size_t at;
	enum wait w;

	milter_put_macros(m, stage, &out); /* may wait, but not for the milter */
	m->asked_us = clock_mono_us();
	m->patience = deadline_in(PROGRESS_MS);
	w = expect_silence(m, stage == STAGE_MAIL || stage == STAGE_EOM, err);
	if (w != WAIT_OK) {
		buf_free(&out);
		return w;
	}
	limit = deadline(m, stage);
	at = milter_packet_begin(&out, milter_stages[stage].cmd);
	if (data.n < 1024) {
		buf_str(&out, data);
		milter_packet_end(&out, at);
		w = stream_write(m->io, out.p, out.n, limit);
	} else {
		milter_packet_length(&out, at, data.n);
		w = stream_write(m->io, out.p, out.n, limit);
		if (w == WAIT_OK)
			w = stream_write(m->io, data.p, data.n, limit);
	}
	buf_free(&out);
	return w;
}

/* Content that needs no answer goes out with what follows; everything else when it happens. */
static bool gathers(enum milter_stage stage)
{
	return stage == STAGE_HEADER || stage == STAGE_EOH || stage == STAGE_BODY;
}

static bool answers(const struct milter *m, enum milter_stage stage)
{
	if (stage == STAGE_HEADER && m->conf->no_header_reply)
		return false;
	return !(m->steps & milter_stages[stage].nr);
}

/* One reply that is more than "progress". */
static enum wait get(
    struct milter *m, enum milter_stage stage, struct milter_reply *r, struct err *err)
{
	enum wait w;
	char cmd;
	str data;

	do {
		w = milter_packet_read(
		    m->io, &cmd, &data, deadline_min(m->patience, deadline(m, stage)), err);
		if (w == WAIT_OK && milter_reply_parse(cmd, data, r, err) < 0)
			w = WAIT_ERROR;
		if (w != WAIT_OK || r->kind != MILTER_IS_PROGRESS)
			return w;
		w = next_turn(m); /* a flood of these is no reason to forget the others */
	} while (w == WAIT_OK);
	return w;
}

/* --- what the answers mean */

static struct milter_answer refuse(struct milter *m, enum milter_stage stage, const char *text)
{
	bool closes = text[0] == '4' && text[1] == '2' && text[2] == '1';

	if (stage == STAGE_CONNECT || stage == STAGE_HELO) {
		free(m->refusal);
		m->refusal = mem_strdup(text);
		m->refusal_closes = closes;
		m->state = MILTER_REFUSED;
		milter_close(m, true);
		return milter_standing(m);
	}
	if (m->chain->reply.p != text) {
		buf_clear(&m->chain->reply);
		buf_cstr(&m->chain->reply, text);
	}
	return (struct milter_answer){.verdict = closes ? MILTER_DISCONNECT : MILTER_REPLY,
	    .milter = m->conf->name,
	    .reply = buf_view(&m->chain->reply)};
}

static struct milter_answer take_replycode(struct milter *m, enum milter_stage stage, str text)
{
	struct milter_answer a;
	struct err err;

	if (milter_replycode(text, &m->chain->reply, &err) == 0) {
		milter_log(m, stage, "replycode", buf_view(&m->chain->reply));
		return refuse(m, stage, buf_text(&m->chain->reply));
	}
	a = milter_fail(m, stage, &err);
	if (a.verdict == MILTER_REPLY) {
		free(m->refusal);
		m->refusal = mem_strdup("451 4.3.5 Server configuration problem - try again later");
		a = milter_standing(m);
	}
	return a;
}

static struct milter_answer take_accept(struct milter *m, enum milter_stage stage)
{
	if (stage == STAGE_CONNECT || stage == STAGE_HELO) {
		m->state = MILTER_PASSED_ALL;
		milter_close(m, true);
	} else {
		m->state = MILTER_PASSED;
	}
	return go_on(m);
}

/* Discarding is about a message: before MAIL it means nothing. */
static struct milter_answer take_discard(struct milter *m, enum milter_stage stage)
{
	struct milter_answer a = go_on(m);

	if (stage == STAGE_CONNECT || stage == STAGE_HELO || !m->in_message) {
		log_warn("milter %s: %s: discard is for messages only", m->conf->name,
		    milter_stages[stage].name);
		return a;
	}
	m->state = MILTER_PASSED;
	a.verdict = MILTER_DISCARD;
	return a;
}

static struct milter_answer shut_down(struct milter *m)
{
	free(m->refusal);
	m->refusal = mem_strdup("421 4.7.0 Server closing connection");
	m->refusal_closes = true;
	m->state = MILTER_REFUSED;
	milter_close(m, false);
	return milter_standing(m);
}

static struct milter_answer out_of_turn(
    struct milter *m, enum milter_stage stage, const struct milter_reply *r)
{
	struct err err;

	err_set(&err, "unexpected %s reply", milter_kind_name(r->kind));
	return milter_fail(m, stage, &err);
}

static struct milter_answer decide(
    struct milter *m, enum milter_stage stage, const struct milter_reply *r)
{
	/* Reply codes and failures have lines that say more. */
	if ((r->kind >= MILTER_IS_ACCEPT && r->kind <= MILTER_IS_SKIP) ||
	    r->kind == MILTER_IS_SHUTDOWN)
		milter_log(m, stage, milter_kind_name(r->kind), (str){NULL, 0});
	switch (r->kind) {
	case MILTER_IS_CONTINUE:
		return go_on(m);
	case MILTER_IS_SKIP:
		if (stage == STAGE_RCPT || stage == STAGE_HEADER || stage == STAGE_BODY)
			m->skip |= 1U << stage;
		return go_on(m);
	case MILTER_IS_ACCEPT:
		return take_accept(m, stage);
	case MILTER_IS_DISCARD:
		return take_discard(m, stage);
	case MILTER_IS_REJECT:
		return refuse(m, stage, "550 5.7.1 Command rejected");
	case MILTER_IS_TEMPFAIL:
		return refuse(m, stage, "451 4.7.1 Service unavailable - try again later");
	case MILTER_IS_REPLYCODE:
		return take_replycode(m, stage, r->text);
	case MILTER_IS_SHUTDOWN:
		return shut_down(m);
	default: /* conn_fail is the milter's word for having failed itself */
		return out_of_turn(m, stage, r);
	}
}

struct milter_answer milter_ask(struct milter *m, enum milter_stage stage, str data)
{
	struct milter_answer a;
	struct err err = {0};
	struct milter_reply r;
	enum wait w;

	if (m->state == MILTER_REFUSED || m->state == MILTER_LOST)
		return milter_standing(m);
	if (m->state != MILTER_READY || !milter_wants(m, stage))
		return go_on(m);
	w = put(m, stage, data, &err);
	if (w == WAIT_OK && !(gathers(stage) && !answers(m, stage)))
		w = stream_flush(m->io, deadline(m, stage));
	if (w == WAIT_OK && !answers(m, stage))
		return go_on(m);
	if (w == WAIT_OK)
		w = get(m, stage, &r, &err);
	if (w != WAIT_OK)
		return lose(m, stage, w, &err);
	a = decide(m, stage, &r);
	if (m->io && !is_content(stage))
		stream_give_back(m->io); /* the client may think for a while */
	return a;
}

/* --- content */

size_t milter_chain_size(const struct milter_chain *c)
{
	return c->n;
}

struct milter *milter_chain_message(struct milter_chain *c, size_t i, struct milter_answer *a)
{
	struct milter *m = &c->v[i];

	*a = m->state == MILTER_REFUSED || m->state == MILTER_LOST ? milter_standing(m) : go_on(m);
	return m->state == MILTER_READY ? m : NULL;
}

const char *milter_name(const struct milter *m)
{
	return m->conf->name;
}

bool milter_lost(const struct milter *m)
{
	return m->state == MILTER_LOST;
}

bool milter_leading_space(const struct milter *m)
{
	return m->steps & STEP_HDR_LEADSPC;
}

static enum milter_go after(
    const struct milter *m, enum milter_stage stage, const struct milter_answer *a)
{
	if (a->verdict != MILTER_CONTINUE || m->state != MILTER_READY)
		return MILTER_END;
	return m->skip & 1U << stage ? MILTER_ENOUGH : MILTER_GO;
}

enum milter_go milter_header(struct milter *m, str name, str value, struct milter_answer *a)
{
	struct buf data = {0};

	if (!milter_wants(m, STAGE_HEADER))
		return MILTER_ENOUGH;
	if (!milter_leading_space(m) && value.n && value.p[0] == ' ')
		value = str_from(value, 1);
	milter_put_z(&data, name);
	milter_put_z(&data, value);
	*a = milter_ask(m, STAGE_HEADER, buf_view(&data));
	buf_free(&data);
	return after(m, STAGE_HEADER, a);
}

enum milter_go milter_eoh(struct milter *m, struct milter_answer *a)
{
	*a = milter_ask(m, STAGE_EOH, STR(""));
	return after(m, STAGE_EOH, a);
}

enum milter_go milter_body(struct milter *m, str piece, struct milter_answer *a)
{
	enum milter_go go = MILTER_GO;

	if (!milter_wants(m, STAGE_BODY))
		return MILTER_ENOUGH;
	while (piece.n && go == MILTER_GO) {
		str part = str_head(piece, MILTER_CHUNK_MAX);

		*a = milter_ask(m, STAGE_BODY, part);
		go = after(m, STAGE_BODY, a);
		piece = str_from(piece, part.n);
	}
	return go;
}

enum milter_go milter_eom(struct milter *m, struct milter_answer *a)
{
	struct err err = {0};
	enum wait w = put(m, STAGE_EOM, STR(""), &err);

	m->replies = 0;
	if (w == WAIT_OK)
		w = stream_flush(m->io, deadline(m, STAGE_EOM));
	*a = w == WAIT_OK ? go_on(m) : lose(m, STAGE_EOM, w, &err);
	return after(m, STAGE_EOM, a);
}

static void quarantine(struct milter *m, str reason)
{
	reason = str_head(reason, REASON_MAX);
	if (m->hold && m->hold_reason && str_eq(reason, str_of(m->hold_reason)))
		return; /* said once is enough */
	milter_log(m, STAGE_EOM, "quarantine", reason);
	m->hold = true;
	free(m->hold_reason);
	m->hold_reason = str_dup(reason);
}

/* One reply at the end of the message, if there have not been too many of them. */
static enum wait get_last(struct milter *m, struct milter_reply *r, struct err *err)
{
	enum wait w = next_turn(m);

	if (w == WAIT_OK)
		w = get(m, STAGE_EOM, r, err);
	if (w != WAIT_OK || (r->kind == MILTER_IS_REPLACE_BODY && r->text.n))
		return w;
	if (++m->replies <= REPLIES_MAX)
		return WAIT_OK;
	err_set(err, "more than %d replies", REPLIES_MAX);
	return WAIT_ERROR;
}

enum milter_go milter_eom_reply(struct milter *m, struct milter_reply *r, struct milter_answer *a)
{
	for (;;) {
		struct err err = {0};
		enum wait w = get_last(m, r, &err);

		if (w != WAIT_OK) {
			*a = lose(m, STAGE_EOM, w, &err);
			return MILTER_END;
		}
		if (r->kind < MILTER_IS_PROGRESS) {
			*a = decide(m, STAGE_EOM, r);
			if (m->state == MILTER_READY)
				m->state = MILTER_PASSED; /* until the next message */
			return MILTER_END;
		}
		if (r->kind != MILTER_IS_QUARANTINE) {
			*a = go_on(m);
			return MILTER_GO;
		}
		quarantine(m, r->text);
	}
}

enum milter_go milter_bad_change(struct milter *m, const struct err *err, struct milter_answer *a)
{
	*a = milter_fail(m, STAGE_EOM, err);
	return MILTER_END;
}
