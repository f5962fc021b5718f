/* c-ares over the loop: sends questions, takes replies, honours resolv.conf. */
#include "base/mem.h"
#include "dns/dns_int.h"
#include "loop/loop.h"

#include <ares.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#define TICK_MS	    50	   /* how often c-ares may look for questions without an answer */
#define WAIT_MAX_MS 120000 /* c-ares gives up long before */
/* c-ares asks from one port for as long as a channel lives. Whoever sends forged replies must not
 * have the time to find it (RFC 5452 9.2). */
#define QUESTIONS_MAX 100

/* The servers as of one state of resolv.conf, asked from one port. */
struct channel {
	ares_channel ares;
	uv_loop_t *loop;
	unsigned version;
	size_t asking; /* questions without an answer yet */
	size_t asked;  /* so far */
	bool retired;  /* another one has taken its place: it ends with its last question */
	bool ending;
	struct timer tick;
};

static struct channel *current;

struct pending { /* what c-ares holds on to */
	struct channel *channel;
	struct dns_ask *ask;
};

/* A socket of c-ares. */
struct sock {
	uv_poll_t poll;
	struct channel *channel;
	int fd;
	struct sock *next;
};
static struct sock *socks;

static void on_sock_closed(uv_handle_t *h)
{
	free(CONTAINER_OF((uv_poll_t *)h, struct sock, poll));
}

static void on_sock(uv_poll_t *h, int status, int events)
{
	struct sock *s = CONTAINER_OF(h, struct sock, poll);
	int fd = s->fd;

	if (status < 0)
		events = UV_READABLE | UV_WRITABLE;
	ares_process_fd(s->channel->ares, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
	    events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static void drop_sock(struct sock **at)
{
	struct sock *s = *at;

	*at = s->next;
	uv_close((uv_handle_t *)&s->poll, on_sock_closed);
}

/* c-ares tells which of its sockets it wants watched, and how; neither way: it is about to close
 * it. */
static void sock_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct channel *ch = data;
	struct sock **at = &socks, *s;

	while (*at && ((*at)->fd != fd || (*at)->channel != ch))
		at = &(*at)->next;
	if (!readable && !writable) {
		if (*at)
			drop_sock(at);
		return;
	}
	s = *at;
	if (!s) {
		s = mem_zero(sizeof(*s));
		s->channel = ch;
		s->fd = fd;
		if (uv_poll_init(ch->loop, &s->poll, fd) < 0) {
			free(s);
			return; /* the question ends with its timeout */
		}
		s->next = socks;
		socks = s;
	}
	uv_poll_start(
	    &s->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_sock);
}

static void channel_end(void *arg)
{
	struct channel *ch = arg;

	ares_destroy(ch->ares);
	timer_free(&ch->tick);
	free(ch);
}

static void retire(struct channel *ch)
{
	ch->retired = true;
	if (ch->asking == 0 && !ch->ending) {
		ch->ending = true;
		loop_defer(channel_end, ch); /* never from within c-ares */
	}
}

static void on_tick(void *arg)
{
	struct channel *ch = arg;

	ares_process_fd(ch->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (ch->asking)
		timer_set(&ch->tick, TICK_MS);
}

static struct channel *channel_new(const struct dns_conf *conf)
{
	struct channel *ch = mem_zero(sizeof(*ch));
	struct ares_options o = {.flags = ARES_FLAG_NOALIASES | ARES_FLAG_NOSEARCH,
	    .timeout = conf->timeout * 1000,
	    .tries = conf->attempts,
	    .sock_state_cb = sock_state,
	    .sock_state_cb_data = ch,
	    .resolvconf_path = (char *)(uintptr_t)dns_conf_path()};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
		   ARES_OPT_RESOLVCONF | (conf->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);
	static bool library;

	library = library || ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
	if (!library || ares_init_options(&ch->ares, &o, mask) != ARES_SUCCESS) {
		free(ch);
		return NULL;
	}
	if (conf->servers.n)
		ares_set_servers_ports_csv(ch->ares, buf_text(&conf->servers));
	ch->loop = loop_uv();
	ch->version = conf->version;
	timer_init(&ch->tick, on_tick, ch);
	return ch;
}

/* The channel for the present resolv.conf, or NULL. */
static struct channel *channel_get(void)
{
	const struct dns_conf *conf = dns_conf_get();
	struct channel *ch;

	if (current && current->loop != loop_uv()) {
		/* We are the child of a fork: its sockets are the parent's. */
		current = NULL;
		socks = NULL;
	}
	if (current && current->version == conf->version && current->asked < QUESTIONS_MAX)
		return current;
	ch = channel_new(conf);
	if (!ch)
		return current; /* the old servers are better than none */
	if (current)
		retire(current);
	current = ch;
	return ch;
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *reply, int n)
{
	struct pending *p = arg;
	struct dns_ask *q = p->ask;

	(void)timeouts;
	if (--p->channel->asking == 0) {
		timer_stop(&p->channel->tick);
		if (p->channel->retired)
			retire(p->channel);
	}
	free(p);
	q->done = true;
	q->status = status;
	if (reply && n > 0)
		buf_add(&q->reply, reply, (size_t)n);
	if (q->abandoned)
		dns_ask_free(q);
	else
		cond_wake_all(&q->answered);
}

/* Replies are matched by this number among other things: it must not be foreseeable. */
static uint16_t random_id(void)
{
	static uint16_t pool[128]; /* 256 bytes: so many come whole */
	static size_t left;

	if (left == 0) {
		while (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool))
			;
		left = ARRAY_SIZE(pool);
	}
	return pool[--left];
}

static struct dns_ask *failed(struct dns_ask *q, int status)
{
	q->done = true;
	q->status = status;
	return q;
}

struct dns_ask *dns_ask_start(const char *name, int type)
{
	struct dns_ask *q = mem_zero(sizeof(*q));
	struct buf question = {0};
	struct channel *ch;
	struct pending *p;

	cond_init(&q->answered);
	if (dns_question(name, type, random_id(), &question) < 0) {
		buf_free(&question);
		return failed(q, ARES_EBADNAME);
	}
	ch = channel_get();
	if (!ch) {
		buf_free(&question);
		return failed(q, ARES_ENOTINITIALIZED);
	}
	p = mem_alloc(sizeof(*p));
	*p = (struct pending){ch, q};
	ch->asked++;
	if (ch->asking++ == 0)
		timer_set(&ch->tick, TICK_MS);
	ares_send(ch->ares, (unsigned char *)question.p, (int)question.n, on_reply, p);
	buf_free(&question);
	return q;
}

enum wait dns_ask_wait(struct dns_ask *q)
{
	int64_t deadline = deadline_in(WAIT_MAX_MS);
	enum wait r = WAIT_OK;

	while (!q->done && r == WAIT_OK)
		r = cond_wait(&q->answered, deadline);
	return q->done ? WAIT_OK : r;
}

void dns_ask_free(struct dns_ask *q)
{
	if (!q->done) {
		q->abandoned = true;
		return;
	}
	buf_free(&q->reply);
	free(q);
}
