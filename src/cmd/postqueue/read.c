#include "cmd/postqueue/postqueue.h"

#include "base/arena.h"
#include "base/mem.h"
#include "param/param.h"

#include <stdlib.h>

#define STRING_MAX (1024 * 1024)

struct reader {
	struct stream *s;
	struct arena arena; /* of one message */
	struct err *err;
};

/* The next string; -1 and err. */
static int next(struct reader *r, str *out)
{
	size_t looked = 0;

	for (;;) {
		str data;
		ptrdiff_t nul;
		enum wait w = stream_peek(
		    r->s, looked + 1, &data, deadline_in(conf.ipc_timeout * INT64_C(1000)));

		if (w != WAIT_OK)
			return err_set(r->err, "showq: %s", wait_name(w));
		nul = str_find(str_from(data, looked), str_mem("", 1));
		if (nul >= 0) {
			*out = arena_str(&r->arena, str_head(data, looked + (size_t)nul));
			stream_consume(r->s, looked + (size_t)nul + 1);
			return 0;
		}
		looked = data.n;
		if (looked > STRING_MAX)
			return err_set(r->err, "showq: too long a string");
	}
}

static int number(struct reader *r, str value, int64_t *out)
{
	return str_to_i64(value, out) ? 0 : err_set(r->err, "showq: bad number");
}

static void add_rcpt(struct showq_message *m, str address)
{
	if (m->nrcpts == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->rcpts = mem_realloc(m->rcpts, m->cap * sizeof(*m->rcpts));
	}
	m->rcpts[m->nrcpts++] = (struct showq_rcpt){.address = address};
}

/* Names we do not know are skipped: there may be more one day. */
static int take(struct reader *r, struct showq_message *m, str name, str value)
{
	int64_t n = 0;
	int result = 0;

	if (str_eq(name, STR("queue_name"))) {
		m->queue = value;
	} else if (str_eq(name, STR("queue_id"))) {
		m->id = value;
	} else if (str_eq(name, STR("sender"))) {
		m->sender = value;
	} else if (str_eq(name, STR("time"))) {
		result = number(r, value, &m->time);
	} else if (str_eq(name, STR("size"))) {
		result = number(r, value, &m->size);
	} else if (str_eq(name, STR("forced_expire"))) {
		result = number(r, value, &n);
		m->forced_expire = n != 0;
	} else if (str_eq(name, STR("recipient"))) {
		add_rcpt(m, value);
	} else if (str_eq(name, STR("reason"))) {
		if (m->nrcpts == 0)
			return err_set(r->err, "showq: a reason without recipient");
		m->rcpts[m->nrcpts - 1].reason = value;
	}
	return result;
}

/* 1: a record; 0: an empty one; -1. */
static int record(struct reader *r, struct showq_message *m)
{
	size_t attrs = 0;
	str name, value;

	m->nrcpts = 0;
	m->queue = m->id = m->sender = STR("");
	m->time = m->size = 0;
	m->forced_expire = false;
	arena_reset(&r->arena);
	for (;; attrs++) {
		if (next(r, &name) < 0)
			return -1;
		if (name.n == 0)
			return attrs > 0;
		if (next(r, &value) < 0 || take(r, m, name, value) < 0)
			return -1;
	}
}

static int protocol(struct reader *r)
{
	str name, value, end;

	if (next(r, &name) < 0 || next(r, &value) < 0 || next(r, &end) < 0)
		return -1;
	if (!str_eq(name, STR("protocol")) || !str_eq(value, STR("mail_queue_list_protocol")) ||
	    end.n)
		return err_set(r->err, "showq: unexpected protocol");
	return 0;
}

int showq_read(struct stream *s, void (*fn)(const struct showq_message *m), struct err *err)
{
	struct reader r = {.s = s, .err = err};
	struct showq_message m = {0};
	int more;

	for (more = protocol(&r); more == 0;) {
		more = record(&r, &m);
		if (more <= 0)
			break;
		fn(&m);
		more = 0;
	}
	free(m.rcpts);
	arena_free(&r.arena);
	return more;
}
