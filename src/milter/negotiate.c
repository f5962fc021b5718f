/* Version, actions and steps (SMFIC_OPTNEG). Version 3 brought the unknown-command event, 4 that of
 * DATA, 6 everything behind. */
#include "milter/milter_int.h"

#include "base/mem.h"
#include "log/log.h"

#include <stdlib.h>

#define MACROS_MAX 8192 /* bytes of a list */

static const struct {
	uint32_t version, steps;
} offers[] = {{2, 0x00007f}, {3, 0x00017f}, {4, 0x00037f}, {6, 0x1fffff}};

uint32_t milter_steps_offered(uint32_t version)
{
	for (size_t i = 0; i < ARRAY_SIZE(offers); i++)
		if (offers[i].version == version)
			return offers[i].steps;
	return 0;
}

/* What is known to a version, which need not be one of ours. */
static uint32_t steps_known(uint32_t version)
{
	uint32_t steps = offers[0].steps;

	for (size_t i = 0; i < ARRAY_SIZE(offers); i++)
		if (offers[i].version <= version)
			steps = offers[i].steps;
	return steps;
}

static enum wait send_offer(struct milter *m, int64_t deadline)
{
	struct buf out = {0};
	size_t at = milter_packet_begin(&out, 'O');
	enum wait w;

	milter_put_u32(&out, m->conf->version);
	milter_put_u32(&out, ACTIONS_ALL);
	milter_put_u32(&out, milter_steps_offered(m->conf->version));
	milter_packet_end(&out, at);
	w = stream_write(m->io, out.p, out.n, deadline);
	buf_free(&out);
	return w == WAIT_OK ? stream_flush(m->io, deadline) : w;
}

/* Lists of macros by stage (SMFIR_SETSYMLIST): they replace the configured ones. */
static int take_macros(struct milter *m, str data, struct err *err)
{
	bool warned = false;
	uint32_t stage;
	str list;

	while (data.n) {
		if (!milter_take_u32(&data, &stage) || !milter_take_z(&data, &list))
			return err_set(err, "negotiation: a list of macros is cut short");
		if (stage > STAGE_EOH) {
			if (!warned)
				log_warn("milter %s: macros for the unknown stage %lu",
				    m->conf->name, (unsigned long)stage);
			warned = true;
			continue;
		}
		if (list.n > MACROS_MAX)
			return err_set(err, "negotiation: a list of macros of %zu bytes", list.n);
		free(m->macros[stage]);
		m->macros[stage] = str_dup(list);
	}
	return 0;
}

static int take_answer(struct milter *m, str data, struct err *err)
{
	if (!milter_take_u32(&data, &m->version) || !milter_take_u32(&data, &m->actions) ||
	    !milter_take_u32(&data, &m->steps))
		return err_set(err, "negotiation: the reply is cut short");
	if (m->version > m->conf->version)
		return err_set(err, "negotiation: protocol version %lu, with %lu offered",
		    (unsigned long)m->version, (unsigned long)m->conf->version);
	if (m->actions & ~(uint32_t)ACTIONS_ALL)
		return err_set(err, "negotiation: unknown actions 0x%lx",
		    (unsigned long)(m->actions & ~(uint32_t)ACTIONS_ALL));
	m->steps &= steps_known(m->version);
	return take_macros(m, data, err);
}

int milter_negotiate(struct milter *m, int64_t deadline, struct err *err)
{
	struct milter_reply r;
	enum wait w = send_offer(m, deadline);
	char cmd;
	str data;

	if (w == WAIT_OK)
		w = milter_packet_read(m->io, &cmd, &data, deadline, err);
	else
		err_set(err, "%s", wait_name(w));
	if (w != WAIT_OK)
		return err_prefix(err, "negotiation");
	if (milter_reply_parse(cmd, data, &r, err) < 0)
		return err_prefix(err, "negotiation");
	if (r.kind != MILTER_IS_NEGOTIATION)
		return err_set(err, "negotiation: %s reply", milter_kind_name(r.kind));
	return take_answer(m, r.text, err);
}
