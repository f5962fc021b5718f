/* Connecting. A milter that keeps failing is left alone for a while: then one session at a time
 * tries it again, and the others have its default action at once. */
#include "milter/milter_int.h"

#include "dns/dns.h"
#include "log/log.h"

#include <errno.h>
#include <string.h>

#define DIALS_MAX    3	/* failures to connect before it is left alone */
#define BREAKS_MAX   50 /* sessions that broke */
#define PAUSE_MIN_MS 50 /* at first; doubled by each further failure */
#define PAUSE_MAX_MS 1000

static int64_t pause_after(unsigned failures, unsigned max)
{
	unsigned over = failures - max;

	return over > 4 ? PAUSE_MAX_MS : (int64_t)PAUSE_MIN_MS << over;
}

void milter_trouble(struct milter_conf *c, bool dial)
{
	if (dial && ++c->trouble.dials >= DIALS_MAX)
		c->trouble.until = loop_now() + pause_after(c->trouble.dials, DIALS_MAX);
	if (!dial && ++c->trouble.breaks >= BREAKS_MAX)
		c->trouble.until = loop_now() + pause_after(c->trouble.breaks, BREAKS_MAX);
}

void milter_well(struct milter_conf *c)
{
	c->trouble.breaks = 0;
}

static struct stream *connect_inet(struct milter_conf *c, int64_t deadline, struct err *err)
{
	struct arena a = {0};
	struct hostaddr *list;
	struct stream *s = NULL;
	size_t n = 0;
	struct err why = {0};

	if (dns_host_lookup(c->host, AF_UNSPEC, &a, &list, &n, &why) != DNS_OK)
		err_set(err, "host %s: %s", c->host, why.text);
	for (size_t i = 0; i < n && !s; i++) {
		hostaddr_set_port(&list[i], (uint16_t)c->port);
		s = stream_connect(&list[i], NULL, deadline, err);
	}
	arena_free(&a);
	return s;
}

static int connect_to(struct milter *m, int64_t deadline, struct err *err)
{
	struct milter_conf *c = m->conf;

	*err = (struct err){0};
	m->io =
	    c->path ? stream_connect_unix(c->path, deadline, err) : connect_inet(c, deadline, err);
	if (m->io)
		return 0;
	log_warn("connect to Milter service %s: %s", c->name,
	    err->code ? strerror(err->code) : err->text);
	return -1;
}

int milter_dial(struct milter *m, struct err *err)
{
	struct milter_conf *c = m->conf;
	int64_t deadline = deadline_in(c->connect_ms);

	if (c->broken) {
		log_warn("milter %s: %s", c->name, c->broken);
		return err_set(err, "%s", c->broken);
	}
	if (loop_now() < c->trouble.until)
		return err_set(err, "not asked: it has just failed several times");
	if (c->trouble.dials >= DIALS_MAX) /* the others wait for this try */
		c->trouble.until = deadline_in(c->connect_ms);
	if (connect_to(m, deadline, err) < 0 || milter_negotiate(m, deadline, err) < 0) {
		milter_trouble(c, true);
		return -1;
	}
	c->trouble.dials = 0;
	c->trouble.until = 0;
	return 0;
}
