/* A chain as bytes: numbers as 32 bits in network order, texts ended by a NUL (an absent one is
 * "-", a present one begins with "+"). Both ends are programs of one installation, but nothing here
 * trusts the bytes. */
#include "milter/handover.h"
#include "milter/milter_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

#define FORMAT 1

/* --- packing */

static void put_text(struct buf *out, const char *text)
{
	buf_char(out, text ? '+' : '-');
	milter_put_z(out, str_of(text));
}

static void pack_conf(const struct milter_conf *c, struct buf *out)
{
	put_text(out, c->name);
	milter_put_u32(out, (uint32_t)c->connect_ms);
	milter_put_u32(out, (uint32_t)c->command_ms);
	milter_put_u32(out, (uint32_t)c->content_ms);
	milter_put_u32(out, c->action);
	milter_put_u32(out, c->no_header_reply);
}

static void pack_milter(const struct milter *m, struct buf *out)
{
	pack_conf(m->conf, out);
	milter_put_u32(out, m->state);
	milter_put_u32(out, m->version);
	milter_put_u32(out, m->actions);
	milter_put_u32(out, m->steps);
	milter_put_u32(out, m->in_message);
	milter_put_u32(out, m->hold);
	milter_put_u32(out, m->refusal_closes);
	put_text(out, m->refusal);
	put_text(out, m->hold_reason);
	put_text(out, milter_macro_list(m, STAGE_EOH));
	put_text(out, milter_macro_list(m, STAGE_EOM));
}

/* Values of what the milters will want to know about the content. */
static void pack_macros(struct milter_chain *c, struct buf *out)
{
	static const enum milter_stage stages[] = {STAGE_EOH, STAGE_EOM};
	struct buf seen = {0};

	buf_char(&seen, ' ');
	for (size_t i = 0; i < 2 * c->n; i++) {
		str rest = str_of(milter_macro_list(&c->v[i / 2], stages[i % 2])), name, value;

		while (str_word(&rest, ", \t\r\n", &name)) {
			struct buf key = {0};

			buf_printf(&key, " %.*s ", STR_FMT(name));
			value = milter_macro_value(c, name);
			if (value.p && str_find(buf_view(&seen), buf_view(&key)) < 0) {
				milter_put_z(out, name);
				milter_put_z(out, value);
				buf_printf(&seen, "%.*s ", STR_FMT(name));
			}
			buf_free(&key);
		}
	}
	buf_free(&seen);
}

void milter_chain_pack(struct milter_chain *c, struct buf *out)
{
	milter_put_u32(out, FORMAT);
	milter_put_u32(out, (uint32_t)c->n);
	milter_put_u32(out, c->discarding);
	put_text(out, c->client);
	for (size_t i = 0; i < c->n; i++)
		pack_milter(&c->v[i], out);
	pack_macros(c, out);
}

size_t milter_chain_fds(const struct milter_chain *c, int *fds, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].state == MILTER_READY && n < max)
			fds[n++] = c->v[i].io->fd;
	return n;
}

/* --- unpacking */

static uint32_t get_u32(str *in, bool *bad)
{
	uint32_t v = 0;

	if (!milter_take_u32(in, &v))
		*bad = true;
	return v;
}

static uint32_t get_below(str *in, uint32_t end, bool *bad)
{
	uint32_t v = get_u32(in, bad);

	if (v >= end)
		*bad = true;
	return v < end ? v : 0;
}

static char *get_text(str *in, bool *bad)
{
	str text;

	if (!milter_take_z(in, &text) || text.n == 0) {
		*bad = true;
		return NULL;
	}
	return text.p[0] == '+' ? str_dup(str_from(text, 1)) : NULL;
}

static void unpack_conf(str *in, struct milter_conf *c, bool *bad)
{
	c->name = get_text(in, bad);
	c->connect_ms = (int)get_below(in, INT32_MAX, bad);
	c->command_ms = (int)get_below(in, INT32_MAX, bad);
	c->content_ms = (int)get_below(in, INT32_MAX, bad);
	c->action = (enum milter_default)get_below(in, DEFAULT_UNKNOWN + 1, bad);
	c->no_header_reply = get_u32(in, bad);
	if (!c->name)
		c->name = mem_strdup("?");
}

static void unpack_milter(str *in, struct milter *m, bool *bad)
{
	unpack_conf(in, m->conf, bad);
	m->state = (enum milter_state)get_below(in, MILTER_LOST + 1, bad);
	m->version = get_u32(in, bad);
	m->actions = get_u32(in, bad);
	m->steps = get_u32(in, bad);
	m->in_message = get_u32(in, bad);
	m->hold = get_u32(in, bad);
	m->refusal_closes = get_u32(in, bad);
	m->refusal = get_text(in, bad);
	m->hold_reason = get_text(in, bad);
	m->macros[STAGE_EOH] = get_text(in, bad);
	m->macros[STAGE_EOM] = get_text(in, bad);
	if (!m->macros[STAGE_EOH] || !m->macros[STAGE_EOM])
		*bad = true;
}

static struct milter_chain *unpack(str in, bool *bad)
{
	struct milters *list = mem_zero(sizeof(*list));
	struct milter_chain *c;

	if (get_u32(&in, bad) != FORMAT)
		*bad = true;
	/* A milter takes more than a byte each. */
	list->n = get_below(&in, (uint32_t)(in.n < 65536 ? in.n + 1 : 65536), bad);
	list->v = mem_zero((list->n + 1) * sizeof(*list->v));
	c = milter_chain_new(list, NULL, NULL, "");
	c->own = list;
	c->discarding = get_u32(&in, bad);
	free(c->client);
	c->client = get_text(&in, bad);
	if (!c->client)
		c->client = mem_strdup("unknown");
	for (size_t i = 0; i < c->n; i++)
		unpack_milter(&in, &c->v[i], bad);
	buf_str(&c->packed, in);
	return c;
}

static size_t connected(const struct milter_chain *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].state == MILTER_READY;
	return n;
}

struct milter_chain *milter_chain_unpack(
    str packed, const int *fds, size_t nfds, milter_macro macro, void *ctx, struct err *err)
{
	bool bad = false;
	struct milter_chain *c = unpack(packed, &bad);
	size_t n = 0;

	if (bad || connected(c) != nfds) {
		for (size_t i = 0; i < nfds; i++)
			close(fds[i]);
		for (size_t i = 0; i < c->n; i++)
			c->v[i].state = MILTER_LOST;
		milter_chain_free(c);
		err_set(err, "bad list of milters (%zu bytes, %zu connections)", packed.n, nfds);
		return NULL;
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].state == MILTER_READY)
			c->v[i].io = stream_new(fds[n++]);
	c->macro = macro;
	c->ctx = ctx;
	return c;
}

/* --- giving it back: for each milter a letter */

/* Whoever has talked out of turn is out of step. */
static void check_silence(struct milter *m)
{
	struct err err;

	if (!m->io || stream_buffered(m->io) == 0)
		return;
	err_set(&err, "%zu bytes more than its reply", stream_buffered(m->io));
	milter_fail(m, STAGE_EOM, &err);
}

void milter_chain_release(struct milter_chain *c, struct buf *state)
{
	for (size_t i = 0; i < c->n; i++) {
		struct milter *m = &c->v[i];

		check_silence(m);
		if (m->state == MILTER_LOST)
			buf_char(state, 'L');
		else if (m->state == MILTER_REFUSED)
			buf_char(state, 'R');
		else
			buf_char(state, m->state == MILTER_PASSED ? 'P' : '.');
		milter_close(m, false);
	}
	milter_chain_free(c);
}

/* What cleanup has logged already. */
static void lose_quietly(struct milter *m)
{
	milter_close(m, false);
	milter_trouble(m->conf, false);
	milter_lose(m);
}

void milter_chain_resume(struct milter_chain *c, str state)
{
	for (size_t i = 0; i < c->n; i++) {
		struct milter *m = &c->v[i];
		char letter = i < state.n ? state.p[i] : 'L';

		if (m->state != MILTER_READY || letter == '.')
			continue;
		if (letter == 'P') {
			m->state = MILTER_PASSED;
		} else if (letter == 'R') {
			milter_leave(m);
		} else {
			lose_quietly(m);
		}
	}
}
