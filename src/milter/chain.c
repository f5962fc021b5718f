/* All milters of a session, asked one after the other: the first that decides anything but "go on"
 * decides. */
#include "milter/event.h"
#include "milter/milter_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

struct milter_chain *milter_chain_new(
    const struct milters *list, milter_macro macro, void *ctx, const char *log_client)
{
	struct milter_chain *c = mem_zero(sizeof(*c));

	c->milters = list;
	c->n = list->n;
	c->v = mem_zero((c->n ? c->n : 1) * sizeof(*c->v));
	c->macro = macro;
	c->ctx = ctx;
	c->client = mem_strdup(log_client);
	for (size_t i = 0; i < c->n; i++) {
		c->v[i].conf = &list->v[i];
		c->v[i].chain = c;
	}
	return c;
}

void milter_chain_free(struct milter_chain *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		struct milter *m = &c->v[i];

		if (m->io)
			milter_well(m->conf);
		milter_close(m, true);
		for (int s = 0; s < MACRO_STAGES; s++)
			free(m->macros[s]);
		free(m->refusal);
		free(m->hold_reason);
	}
	milters_free(c->own);
	free(c->v);
	free(c->client);
	buf_free(&c->reply);
	buf_free(&c->packed);
	free(c);
}

bool milter_chain_wants_message(const struct milter_chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].state == MILTER_READY || c->v[i].refusal)
			return true;
	return false;
}

bool milter_chain_hold(const struct milter_chain *c, str *reason)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].hold) {
			*reason = str_of(c->v[i].hold_reason);
			return true;
		}
	*reason = (str){NULL, 0};
	return false;
}

static struct milter_answer finish(const struct milter_chain *c, struct milter_answer a)
{
	if (a.verdict == MILTER_CONTINUE)
		a.milter = NULL;
	a.hold = milter_chain_hold(c, &a.hold_reason);
	return a;
}

static struct milter_answer ask_all(struct milter_chain *c, enum milter_stage stage, str data)
{
	struct milter_answer a = {0};

	if (c->discarding)
		return a;
	for (size_t i = 0; i < c->n && a.verdict == MILTER_CONTINUE; i++)
		a = milter_ask(&c->v[i], stage, data);
	c->discarding = a.verdict == MILTER_DISCARD;
	return finish(c, a);
}

struct milter_answer milter_session(struct milter_chain *c)
{
	struct milter_answer a = {0};

	for (size_t i = 0; i < c->n && a.verdict == MILTER_CONTINUE; i++)
		a = milter_standing(&c->v[i]);
	return finish(c, a);
}

/* --- connect */

/* Protocol 2: hostname NUL family [ port address NUL ] */
static void put_connect(struct buf *out, const char *client_name, const char *client_addr,
    const char *client_port, const struct hostaddr *sock)
{
	uint64_t port = 0;

	if (strcmp(client_name, "unknown") == 0 && strcmp(client_addr, "unknown") != 0)
		buf_printf(out, "[%s]", client_addr);
	else
		buf_cstr(out, client_name);
	buf_char(out, 0);
	if (sock && sock->sa.sa_family == AF_UNIX) {
		buf_char(out, 'U');
		return;
	}
	buf_char(out, strchr(client_addr, ':') ? '6' : '4');
	str_to_u64(str_of(client_port), &port);
	buf_char(out, (char)(port >> 8));
	buf_char(out, (char)port);
	milter_put_z(out, str_of(client_addr));
}

static struct milter_answer introduce(struct milter *m, str data)
{
	struct err err = {0};

	m->asked_us = clock_mono_us();
	if (milter_dial(m, &err) < 0)
		return co_cancelled() ? milter_leave(m) : milter_fail(m, STAGE_CONNECT, &err);
	m->state = MILTER_READY;
	return milter_ask(m, STAGE_CONNECT, data);
}

struct milter_answer milter_connect(struct milter_chain *c, const char *client_name,
    const char *client_addr, const char *client_port, const struct hostaddr *sock)
{
	struct milter_answer a = {0};
	struct buf data = {0};

	put_connect(&data, client_name, client_addr, client_port, sock);
	for (size_t i = 0; i < c->n && a.verdict == MILTER_CONTINUE; i++)
		a = introduce(&c->v[i], buf_view(&data));
	buf_free(&data);
	return finish(c, a);
}

/* --- the others */

static struct milter_answer ask_text(struct milter_chain *c, enum milter_stage stage, str text)
{
	struct buf data = {0};
	struct milter_answer a;

	milter_put_z(&data, text);
	a = ask_all(c, stage, buf_view(&data));
	buf_free(&data);
	return a;
}

struct milter_answer milter_helo(struct milter_chain *c, str name)
{
	return ask_text(c, STAGE_HELO, name);
}

struct milter_answer milter_unknown(struct milter_chain *c, str verb)
{
	return ask_text(c, STAGE_UNKNOWN, verb);
}

struct milter_answer milter_data(struct milter_chain *c)
{
	return ask_all(c, STAGE_DATA, STR(""));
}

static void put_path(struct buf *out, str path, const str *args, size_t nargs)
{
	milter_put_z(out, path);
	for (size_t i = 0; i < nargs; i++)
		milter_put_z(out, args[i]);
}

struct milter_answer milter_mail(struct milter_chain *c, str path, const str *args, size_t nargs)
{
	struct buf data = {0};
	struct milter_answer a;

	for (size_t i = 0; i < c->n; i++)
		c->v[i].in_message = c->v[i].state == MILTER_READY;
	put_path(&data, path, args, nargs);
	a = ask_all(c, STAGE_MAIL, buf_view(&data));
	buf_free(&data);
	return a;
}

struct milter_answer milter_rcpt(struct milter_chain *c, str path, const str *args, size_t nargs)
{
	struct buf data = {0};
	struct milter_answer a;

	put_path(&data, path, args, nargs);
	a = ask_all(c, STAGE_RCPT, buf_view(&data));
	buf_free(&data);
	return a;
}

void milter_rcpt_rejected(struct milter_chain *c, str path, const str *args, size_t nargs)
{
	struct buf data = {0};

	put_path(&data, path, args, nargs);
	for (size_t i = 0; i < c->n && !c->discarding; i++)
		if (c->v[i].state == MILTER_READY && c->v[i].steps & STEP_RCPT_REJ)
			milter_ask(&c->v[i], STAGE_RCPT, buf_view(&data));
	buf_free(&data);
}

bool milter_wants_rejected(const struct milter_chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].state == MILTER_READY && c->v[i].steps & STEP_RCPT_REJ)
			return true;
	return false;
}

/* No answer comes to an abort. Whoever has seen the end of the message knows, and is told with the
 * next event. */
void milter_abort(struct milter_chain *c)
{
	static const char packet[] = {0, 0, 0, 1, 'A'};

	c->discarding = false;
	for (size_t i = 0; i < c->n; i++) {
		struct milter *m = &c->v[i];
		bool knows = m->state == MILTER_PASSED;

		if (m->state == MILTER_PASSED)
			m->state = MILTER_READY;
		m->skip = 0;
		if (m->state != MILTER_LOST)
			m->hold = false;
		if (!m->in_message || !m->io)
			continue;
		m->in_message = false;
		if (stream_write(m->io, packet, sizeof(packet), deadline_in(m->conf->command_ms)) ==
			WAIT_OK &&
		    !knows)
			stream_flush(m->io, deadline_in(m->conf->command_ms));
	}
}
