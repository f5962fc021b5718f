/* A message for unit tests of cleanup, without queue and conversation. */
#ifndef POSTERN_T_CLEANUP_FAKE_H
#define POSTERN_T_CLEANUP_FAKE_H

#include "cleanup/message.h"
#include "mail/dsn.h"

#include <stdlib.h>

struct queue_writer *message_writer;

static inline struct message fake_message(uint32_t flags, const char *context)
{
	struct message m = {.flags = flags, .why = "", .queue_name = "incoming"};

	strcpy(m.id, "ABC123");
	m.env.message.arrival_us = INT64_C(1700000000) * 1000000;
	m.rewrite_headers = context != NULL;
	m.context = context ? context : "remote";
	m.checking = true;
	return m;
}

static inline void fake_free(struct message *m)
{
	buf_free(&m->out);
	free(m->given);
	free(m->early);
	free(m->bcc);
	htab_free(&m->seen_rcpts, NULL);
	htab_free(&m->seen_bcc, NULL);
	arena_free(&m->arena);
}

#endif
