#include "ipc/rewrite.h"
#include "base/htab.h"
#include "base/mem.h"
#include "ipc/msg.h"
#include "ipc/pool.h"
#include "param/param.h"
#include <errno.h>
#include <stdlib.h>

#define CACHE_MS      1000
#define CACHE_ENTRIES 2048 /* in each of two halves */
#define RETRY_FIRST   50   /* milliseconds between tries while the service is away */
#define RETRY_MAX     1000
#define BROKEN_MAX    5 /* answers that never came although the service took the question */
#define POOL_IDLE     16

/* The cache has a young and an old half; when the young one is full or a second old it becomes the
 * old one. So an entry lives at most a second, and memory ends with its half. */
struct answer {
	int64_t until;
	struct resolved r; /* a rewritten address is in recipient */
};
struct half {
	struct htab table;
	struct arena arena;
	int64_t born;
};
static struct half halves[2];
static int young;
static struct ipc_pool *pool;

static void turn(void)
{
	struct half *old = &halves[young ^= 1];

	htab_free(&old->table, NULL);
	arena_reset(&old->arena);
	old->born = loop_now();
}

static const struct answer *cache_find(str key)
{
	int64_t now = loop_now();

	for (int i = 0; i < 2; i++) {
		const struct answer *a = htab_get(&halves[i].table, key);

		if (a && now < a->until)
			return a;
	}
	return NULL;
}

static void cache_add(str key, const struct resolved *r)
{
	struct half *h = &halves[young];
	struct answer *a;

	if (h->table.count >= CACHE_ENTRIES || loop_now() - h->born >= CACHE_MS) {
		turn();
		h = &halves[young];
	}
	a = arena_alloc(&h->arena, sizeof *a);
	a->until = loop_now() + CACHE_MS;
	a->r.flags = r->flags;
	a->r.transport = arena_str(&h->arena, r->transport);
	a->r.nexthop = arena_str(&h->arena, r->nexthop);
	a->r.recipient = arena_str(&h->arena, r->recipient);
	htab_set(&h->table, key, a);
}

static void copy_out(struct resolved *to, const struct resolved *from, struct arena *a)
{
	to->flags = from->flags;
	to->transport = arena_str(a, from->transport);
	to->nexthop = arena_str(a, from->nexthop);
	to->recipient = arena_str(a, from->recipient);
}

/* Question and answer on one connection. */
static enum wait ask_on(struct stream *s, enum msg type, const void *question, enum msg want,
    struct ipc_msg *answer, int64_t deadline, struct err *err)
{
	enum wait w = ipc_send_now(s, type, question, deadline);

	if (w != WAIT_OK) {
		err_set(err, "send %s: %s", ipc_name(type), wait_name(w));
		return w;
	}
	return ipc_expect(s, want, answer, deadline, err);
}

static int give_up(enum wait w, struct err *err)
{
	if (err) {
		err->code = w == WAIT_CANCEL ? ECANCELED : ETIMEDOUT;
		err_prefix(err, "service %s", conf.rewrite_service_name);
	}
	return -1;
}

/* Asks until there is an answer (then the connection is returned, which *answer points into), or
 * the deadline passes. The service may be away for a moment: when it is started again, or reloads.
 */
static struct stream *ask(enum msg type, const void *question, enum msg want,
    struct ipc_msg *answer, int64_t deadline, struct err *err)
{
	int64_t pause = RETRY_FIRST;
	bool fresh = false;
	int broken = 0;

	for (;;) {
		struct stream *s = ipc_pool_get(pool, broken > 0, &fresh, deadline, err);
		enum wait w = WAIT_ERROR;

		if (s) {
			w = ask_on(s, type, question, want, answer, deadline, err);
			if (w == WAIT_OK)
				return s;
			ipc_pool_drop(pool, s);
			broken++;
			if (!fresh)
				continue;
		}
		if (w == WAIT_CANCEL || w == WAIT_TIMEOUT || broken > BROKEN_MAX)
			break;
		if (deadline != FOREVER && loop_now() + pause >= deadline)
			break;
		if (co_sleep(pause) != WAIT_OK) {
			give_up(WAIT_CANCEL, err);
			return NULL;
		}
		pause = pause * 2 < RETRY_MAX ? pause * 2 : RETRY_MAX;
	}
	give_up(co_cancelled() ? WAIT_CANCEL : WAIT_TIMEOUT, err);
	return NULL;
}

static void open_pool(void)
{
	struct buf path = {0};

	if (pool)
		return;
	buf_printf(&path, "private/%s", conf.rewrite_service_name);
	pool = ipc_pool_new(buf_text(&path), POOL_IDLE);
	buf_free(&path);
}

/* key is kind, length and text of the first part, and the second part. */
static void make_key(struct buf *key, char kind, str first, str second)
{
	buf_char(key, kind);
	buf_printf(key, "%zu:", first.n);
	buf_str(key, first);
	buf_str(key, second);
}

int rewrite_address(
    str context, str address, struct arena *a, str *out, int64_t deadline, struct err *err)
{
	struct ipc_rewrite question = {.context = context, .address = address};
	struct resolved r = {0};
	const struct answer *known;
	struct ipc_msg answer;
	struct buf key = {0};
	struct stream *s;

	make_key(&key, 'w', context, address);
	known = cache_find(buf_view(&key));
	if (known) {
		*out = arena_str(a, known->r.recipient);
		buf_free(&key);
		return 0;
	}
	open_pool();
	s = ask(MSG_REWRITE, &question, MSG_REWRITTEN, &answer, deadline, err);
	if (s) {
		r.recipient = answer.rewritten.address;
		cache_add(buf_view(&key), &r);
		*out = arena_str(a, r.recipient);
		ipc_pool_put(pool, s);
	}
	buf_free(&key);
	return s ? 0 : -1;
}

int rewrite_resolve(str sender, str address, bool verify, struct arena *a, struct resolved *out,
    int64_t deadline, struct err *err)
{
	struct ipc_resolve question = {.verify = verify, .sender = sender, .address = address};
	const struct answer *known;
	struct ipc_msg answer;
	struct buf key = {0};
	struct stream *s;

	make_key(&key, verify ? 'v' : 'r', sender, address);
	known = cache_find(buf_view(&key));
	if (known) {
		copy_out(out, &known->r, a);
		buf_free(&key);
		return 0;
	}
	open_pool();
	s = ask(MSG_RESOLVE, &question, MSG_RESOLVED, &answer, deadline, err);
	if (s) {
		struct resolved r = {answer.resolved.flags, answer.resolved.transport,
		    answer.resolved.nexthop, answer.resolved.recipient};

		/* A failed look-up is worth another try. */
		if (!(r.flags & RESOLVE_FAIL))
			cache_add(buf_view(&key), &r);
		copy_out(out, &r, a);
		ipc_pool_put(pool, s);
	}
	buf_free(&key);
	return s ? 0 : -1;
}
