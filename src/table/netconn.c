#include "table/netconn.h"
#include "base/mem.h"
#include "loop/work.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#define ADDRS_MAX 8

struct resolve {
	const char *host, *port;
	struct hostaddr v[ADDRS_MAX];
	int n, rc, code;
};

void netconn_init(struct netconn *c, const struct endpoint *e, int64_t idle_ms)
{
	*c = (struct netconn){.idle_ms = idle_ms};
	if (e->is_unix) {
		c->path = str_dup(e->path);
	} else {
		c->host = str_dup(e->host);
		c->port = str_dup(e->port);
	}
	sema_init(&c->slots, NETCONN_OPEN_MAX);
}

void netconn_free(struct netconn *c)
{
	while (c->nidle)
		stream_free(c->idle[--c->nidle].s);
	free(c->path);
	free(c->host);
	free(c->port);
}

void netconn_where(const struct netconn *c, struct buf *out)
{
	if (c->path)
		buf_cstr(out, c->path);
	else
		buf_printf(out, "%s:%s", c->host, c->port);
}

static void resolve(void *arg)
{
	struct resolve *r = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list;

	r->rc = getaddrinfo(r->host[0] ? r->host : NULL, r->port, &hints, &list);
	r->code = errno;
	if (r->rc != 0)
		return;
	for (struct addrinfo *ai = list; ai && r->n < ADDRS_MAX; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(r->v[0].ss))
			continue;
		memcpy(&r->v[r->n].ss, ai->ai_addr, ai->ai_addrlen);
		r->v[r->n++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
}

static struct stream *connect_inet(struct netconn *c, int64_t deadline, struct err *err)
{
	struct resolve *r = mem_zero(sizeof(*r));
	struct stream *s = NULL;

	r->host = c->host;
	r->port = c->port;
	if (hostaddr_is_numeric(str_of(c->host)) && str_is_digits(str_of(c->port)))
		resolve(r); /* asks nobody */
	else
		work_run(resolve, r);
	if (r->rc != 0) {
		err_set(err, "host or service %s:%s not found: %s", c->host, c->port,
		    gai_strerror(r->rc));
		if (err)
			err->code = r->rc == EAI_SYSTEM ? r->code : EADDRNOTAVAIL;
	}
	for (int i = 0; i < r->n && !s; i++)
		s = stream_connect(&r->v[i], NULL, deadline, err);
	free(r);
	return s;
}

static struct stream *take_idle(struct netconn *c)
{
	while (c->nidle) {
		struct stream *s = c->idle[--c->nidle].s;

		/* A server that has something to say now has closed, or is out of step. */
		if (loop_now() - c->idle[c->nidle].since <= c->idle_ms && !stream_input_ready(s))
			return s;
		stream_free(s);
	}
	return NULL;
}

struct stream *netconn_get(
    struct netconn *c, bool want_fresh, bool *kept, int64_t deadline, struct err *err)
{
	enum wait w = sema_take(&c->slots, deadline);
	struct stream *s = NULL;

	if (w != WAIT_OK) {
		err_errno(err, w == WAIT_CANCEL ? ECANCELED : ETIMEDOUT, "wait for a connection");
		return NULL;
	}
	if (!want_fresh)
		s = take_idle(c);
	*kept = s != NULL;
	if (!s && c->path)
		s = stream_connect_unix(c->path, deadline, err);
	else if (!s)
		s = connect_inet(c, deadline, err);
	if (!s)
		sema_give(&c->slots);
	return s;
}

void netconn_put(struct netconn *c, struct stream *s)
{
	sema_give(&c->slots);
	if (c->nidle == NETCONN_IDLE_MAX || stream_buffered(s) > 0) {
		stream_free(s);
		return;
	}
	c->idle[c->nidle].s = s;
	c->idle[c->nidle++].since = loop_now();
}

void netconn_drop(struct netconn *c, struct stream *s)
{
	sema_give(&c->slots);
	stream_free(s);
}
