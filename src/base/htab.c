#include "base/htab.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void secret_make(void)
{
	struct timespec ts;

	if (getrandom(secret, sizeof(secret), GRND_NONBLOCK) == sizeof(secret))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	secret[0] = (uint64_t)ts.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&ts;
	secret[1] = (uint64_t)getpid() * 0xbf58476d1ce4e5b9u ^ (uint64_t)ts.tv_sec;
}

static uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3. */
uint64_t htab_hash(str key)
{
	uint64_t v[4], m;
	const char *p = key.p;
	size_t n = key.n;

	pthread_once(&secret_once, secret_make);
	v[0] = secret[0] ^ 0x736f6d6570736575u;
	v[1] = secret[1] ^ 0x646f72616e646f6du;
	v[2] = secret[0] ^ 0x6c7967656e657261u;
	v[3] = secret[1] ^ 0x7465646279746573u;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = 0;
	if (n)
		memcpy(&m, p, n);
	m |= (uint64_t)key.n << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct htab_entry **slot_of(const struct htab *t, uint64_t hash)
{
	return &t->slots[hash & (t->nslots - 1)];
}

/* Where the pointer to the entry of key is, or would be; NULL while there are no slots. */
static struct htab_entry **locate(const struct htab *t, str key, uint64_t hash)
{
	struct htab_entry **at;

	if (!t->slots)
		return NULL;
	for (at = slot_of(t, hash); *at; at = &(*at)->next)
		if ((*at)->hash == hash && (*at)->n == key.n &&
		    (key.n == 0 || memcmp((*at)->key, key.p, key.n) == 0))
			break;
	return at;
}

static void grow(struct htab *t)
{
	struct htab_entry **old = t->slots, *next, **to;
	size_t nold = t->nslots;

	t->nslots = nold ? nold * 2 : 8;
	t->slots = mem_zero(t->nslots * sizeof(*t->slots));
	for (size_t i = 0; i < nold; i++) {
		for (struct htab_entry *e = old[i]; e; e = next) {
			next = e->next;
			to = slot_of(t, e->hash);
			e->next = *to;
			*to = e;
		}
	}
	free(old);
}

struct htab_entry *htab_find(const struct htab *t, str key)
{
	struct htab_entry **at = t->count ? locate(t, key, htab_hash(key)) : NULL;

	return at ? *at : NULL;
}

void *htab_get(const struct htab *t, str key)
{
	struct htab_entry *e = htab_find(t, key);

	return e ? e->value : NULL;
}

struct htab_entry *htab_set(struct htab *t, str key, void *v)
{
	uint64_t hash = htab_hash(key);
	struct htab_entry **at = locate(t, key, hash), *e;

	if (at && *at) {
		(*at)->value = v;
		return *at;
	}
	if (t->count >= t->nslots)
		grow(t);
	e = mem_alloc(sizeof(*e) + key.n + 1);
	e->value = v;
	e->hash = hash;
	e->n = key.n;
	if (key.n)
		memcpy(e->key, key.p, key.n);
	e->key[key.n] = 0;
	at = slot_of(t, hash);
	e->next = *at;
	*at = e;
	t->count++;
	return e;
}

void *htab_del(struct htab *t, str key)
{
	struct htab_entry **at = locate(t, key, htab_hash(key)), *e;
	void *v;

	if (!at || !*at)
		return NULL;
	e = *at;
	*at = e->next;
	t->count--;
	v = e->value;
	free(e);
	return v;
}

void htab_free(struct htab *t, void (*free_value)(void *))
{
	struct htab_entry *next;

	for (size_t i = 0; i < t->nslots; i++) {
		for (struct htab_entry *e = t->slots[i]; e; e = next) {
			next = e->next;
			if (free_value && e->value)
				free_value(e->value);
			free(e);
		}
	}
	free(t->slots);
	*t = (struct htab){0};
}

struct htab_entry *htab_next(const struct htab *t, struct htab_entry *e)
{
	size_t i = 0;

	if (e && e->next)
		return e->next;
	if (e)
		i = (e->hash & (t->nslots - 1)) + 1;
	for (; i < t->nslots; i++)
		if (t->slots[i])
			return t->slots[i];
	return NULL;
}
