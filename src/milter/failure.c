/* The one failure policy: a milter that cannot be reached, will not negotiate, says nothing in
 * time, talks nonsense or goes away is closed, logged, and has its default action for the rest of
 * the session. */
#include "milter/milter_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "log/event.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>

#define QUIT_MS 1000

static const struct {
	const char *name, *refusal;
} policies[] = {
    [DEFAULT_TEMPFAIL] = {"tempfail", "451 4.7.1 Service unavailable - try again later"},
    [DEFAULT_ACCEPT] = {"accept", NULL},
    [DEFAULT_REJECT] = {"reject", "550 5.5.0 Service unavailable"},
    [DEFAULT_QUARANTINE] = {"quarantine", NULL},
    [DEFAULT_UNKNOWN] = {"unknown", "451 4.3.5 Server configuration problem - try again later"},
    [DEFAULT_SHUTDOWN] = {"shutdown", "421 4.7.1 Service unavailable - try again later"},
};

void milter_log(struct milter *m, enum milter_stage stage, const char *what, str detail)
{
	char id[64], time[32];
	int64_t us = clock_mono_us() - m->asked_us;
	struct buf line = {0};

	buf_str(&line, detail);
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\n')
			line.p[i] = ' ';
	snprintf(time, sizeof(time), "%.4f", (double)us / 1e6);
	log_milter(milter_queue_id(m->chain, id, sizeof(id)), m->conf->name,
	    milter_stages[stage].name, m->chain->client, what, time, buf_view(&line));
	buf_free(&line);
}

void milter_close(struct milter *m, bool quit)
{
	static const char packet[] = {0, 0, 0, 1, 'Q'};
	int64_t soon;

	if (!m->io)
		return;
	soon = deadline_in(QUIT_MS);
	if (quit && stream_write(m->io, packet, sizeof(packet), soon) == WAIT_OK)
		stream_flush(m->io, soon);
	stream_free(m->io);
	m->io = NULL;
}

static struct milter_answer refuse(struct milter *m, const char *text)
{
	struct milter_answer a = {.verdict = m->refusal_closes ? MILTER_DISCONNECT : MILTER_REPLY,
	    .milter = m->conf->name};

	buf_clear(&m->chain->reply);
	buf_cstr(&m->chain->reply, text);
	a.reply = buf_view(&m->chain->reply);
	return a;
}

struct milter_answer milter_standing(struct milter *m)
{
	if (m->refusal)
		return refuse(m, m->refusal);
	return (struct milter_answer){.milter = m->conf->name};
}

void milter_lose(struct milter *m)
{
	enum milter_default action = m->conf->action;

	m->state = MILTER_LOST;
	m->refusal_closes = action == DEFAULT_SHUTDOWN;
	if (action == DEFAULT_QUARANTINE) {
		m->hold = true;
		free(m->hold_reason);
		m->hold_reason = mem_strdup("default_action");
	}
	free(m->refusal);
	m->refusal = policies[action].refusal ? mem_strdup(policies[action].refusal) : NULL;
}

struct milter_answer milter_leave(struct milter *m)
{
	milter_close(m, false);
	m->state = MILTER_REFUSED;
	m->refusal_closes = true;
	free(m->refusal);
	m->refusal = mem_strdup("421 4.3.2 Service shutting down");
	return milter_standing(m);
}

struct milter_answer milter_fail(struct milter *m, enum milter_stage stage, const struct err *err)
{
	char what[64];

	if (m->state != MILTER_NEW) /* else dial.c knows */
		milter_trouble(m->conf, false);
	if (m->io) /* else dial.c has warned, or saves its breath */
		log_warn("milter %s: %s: %s", m->conf->name, milter_stages[stage].name, err->text);
	milter_close(m, false);
	milter_lose(m);
	snprintf(what, sizeof(what), "failed, default_action %s", policies[m->conf->action].name);
	milter_log(m, stage, what, str_of(err->text));
	return milter_standing(m);
}
