#include "smtpd/peer.h"

#include "base/htab.h"
#include "dns/dns.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "smtpd/pipelining.h"
#include "table/matchlist.h"

#include <stdlib.h>

#define KEEP_MS	 10000 /* how long a name is taken for granted */
#define KEEP_MAX 2000  /* names kept */

/* What was found out of an address. */
struct known {
	int64_t until;
	enum name_status name_status, reverse_status, forward_status;
	char *name, *reverse;
};
static struct htab known_names;
static struct matchlist *mynetworks, *xclient_hosts, *xforward_hosts;

void peer_setup(void)
{
	mynetworks = matchlist_open("mynetworks", conf.mynetworks, MATCH_HOST);
	xclient_hosts = matchlist_open(
	    "smtpd_authorized_xclient_hosts", conf.smtpd_authorized_xclient_hosts, MATCH_HOST);
	xforward_hosts = matchlist_open(
	    "smtpd_authorized_xforward_hosts", conf.smtpd_authorized_xforward_hosts, MATCH_HOST);
}

static void known_free(void *p)
{
	struct known *k = p;

	free(k->name);
	free(k->reverse);
	free(k);
}

static enum name_status status_of(enum dns_status d)
{
	return d == DNS_OK ? NAME_OK : d == DNS_RETRY ? NAME_TEMPORARY : NAME_UNKNOWN;
}

/* The name of an address counts only when its own address records lead back. */
static void verify(struct known *k, const struct hostaddr *a, const char *addr)
{
	struct arena arena = {0};
	struct hostaddr *list;
	size_t n;
	struct err err;
	enum dns_status d = dns_host_lookup(k->reverse, AF_UNSPEC, &arena, &list, &n, &err);

	k->name_status = k->forward_status = status_of(d);
	if (d != DNS_OK) {
		log_warn(
		    "hostname %s does not resolve to address %s: %s", k->reverse, addr, err.text);
	} else {
		k->name_status = NAME_UNKNOWN;
		for (size_t i = 0; i < n; i++)
			if (hostaddr_eq(&list[i], a))
				k->name_status = NAME_OK;
		if (k->name_status != NAME_OK)
			log_warn("hostname %s does not resolve to address %s", k->reverse, addr);
	}
	if (k->name_status == NAME_OK)
		k->name = mem_strdup(k->reverse);
	arena_free(&arena);
}

static struct known *ask(const struct hostaddr *a, const char *addr)
{
	struct known *k = mem_zero(sizeof(*k));
	struct err err;
	char name[256];

	k->name_status = NAME_UNKNOWN;
	k->reverse_status = status_of(dns_name_of(a, name, sizeof(name), &err));
	if (k->reverse_status == NAME_OK && !hostname_valid(str_of(name), NULL))
		k->reverse_status = NAME_UNKNOWN;
	if (k->reverse_status == NAME_OK) {
		k->reverse = mem_strdup(name);
		verify(k, a, addr);
	} else {
		k->name_status = k->forward_status = k->reverse_status;
	}
	k->until = loop_now() + KEEP_MS;
	return k;
}

static struct known *look_up(const struct hostaddr *a, const char *addr)
{
	struct known *k = htab_get(&known_names, str_of(addr)), *old;

	if (k && k->until > loop_now())
		return k;
	k = ask(a, addr);
	old = htab_del(&known_names, str_of(addr)); /* another session may have asked meanwhile */
	if (old)
		known_free(old);
	if (known_names.count >= KEEP_MAX)
		htab_free(&known_names, known_free);
	htab_set(&known_names, str_of(addr), k);
	return k;
}

static void set_namaddr(struct session *s)
{
	struct client *c = &s->client;

	c->namaddr = conf.smtpd_client_port_logging
			 ? arena_printf(&s->arena, "%s[%s]:%s", c->name, c->addr, c->port)
			 : arena_printf(&s->arena, "%s[%s]", c->name, c->addr);
}

void peer_copy(struct session *s)
{
	const char **texts[] = {&s->client.name, &s->client.reverse_name, &s->client.addr,
	    &s->client.port, &s->server_addr, &s->server_port, &s->sasl_method, &s->sasl_username};
	struct arena old = s->arena;

	s->arena = (struct arena){0};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (*texts[i])
			*texts[i] = arena_cstr(&s->arena, str_of(*texts[i]));
	set_namaddr(s);
	arena_free(&old);
}

static bool listed(struct session *s, struct matchlist *list)
{
	struct err err;

	return !matchlist_empty(list) && matchlist_host(list, str_of(s->client.name),
					     str_of(s->client.addr), &err) == TABLE_FOUND;
}

void peer_rights(struct session *s)
{
	s->client.in_mynetworks = ANSWER_NOT_ASKED;
	s->xclient = listed(s, xclient_hosts);
	s->xforward = listed(s, xforward_hosts);
	pipelining_setup(s);
}

enum answer peer_in_mynetworks(struct session *s)
{
	struct client *c = &s->client;
	struct err err;

	if (c->in_mynetworks == ANSWER_NOT_ASKED)
		switch (matchlist_host(mynetworks, str_of(c->name), str_of(c->addr), &err)) {
		case TABLE_FOUND:
			c->in_mynetworks = ANSWER_YES;
			break;
		case TABLE_NONE:
			c->in_mynetworks = ANSWER_NO;
			break;
		default:
			return ANSWER_FAILED;
		}
	return c->in_mynetworks;
}

static void server_side(struct session *s, const struct hostaddr *told)
{
	struct hostaddr here = {.len = sizeof(here.ss)};
	char text[HOSTADDR_TEXT];

	s->server_addr = "";
	s->server_port = "";
	if (told)
		here = *told;
	else if (getsockname(s->io->fd, &here.sa, &here.len) < 0)
		return;
	if (here.sa.sa_family == AF_INET || here.sa.sa_family == AF_INET6) {
		s->server_addr = arena_cstr(&s->arena, str_of(hostaddr_text(&here, text)));
		s->server_port = arena_printf(&s->arena, "%u", hostaddr_port(&here));
	}
}

static void network_side(struct session *s, const struct hostaddr *peer)
{
	struct client *c = &s->client;
	char text[HOSTADDR_TEXT];
	struct known *k;

	c->name = c->reverse_name = "unknown";
	c->name_status = c->reverse_status = c->forward_status = NAME_UNKNOWN;
	c->sock = *peer;
	c->addr = arena_cstr(&s->arena, str_of(hostaddr_text(peer, text)));
	c->port = arena_printf(&s->arena, "%u", hostaddr_port(peer));
	if (!conf.smtpd_peername_lookup)
		return;
	k = look_up(peer, c->addr);
	c->name_status = k->name_status;
	c->reverse_status = k->reverse_status;
	c->forward_status = k->forward_status;
	if (k->name)
		c->name = arena_cstr(&s->arena, str_of(k->name));
	if (k->reverse)
		c->reverse_name = arena_cstr(&s->arena, str_of(k->reverse));
}

void peer_identify(struct session *s, const struct hostaddr *peer, const struct hostaddr *here)
{
	struct client *c = &s->client;

	server_side(s, here);
	if (peer) {
		network_side(s, peer);
	} else {
		c->name = c->reverse_name = "localhost";
		c->addr = "127.0.0.1";
		c->port = "0";
		c->name_status = c->reverse_status = c->forward_status = NAME_OK;
		hostaddr_parse(&c->sock, STR("127.0.0.1"), 0, NULL);
	}
	set_namaddr(s);
	peer_rights(s);
}
