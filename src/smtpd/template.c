#include "smtpd/template.h"

#include "base/clock.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "smtpwire/wire.h"

#include <unistd.h>

static bool allowed[256];

void template_setup(void)
{
	if (!wire_char_set(conf.smtpd_expansion_filter, allowed))
		log_fatal("smtpd_expansion_filter: bad syntax: %s", conf.smtpd_expansion_filter);
}

struct lookup {
	struct session *s;
	const struct template_extra *extra;
	struct arena arena;
};

/* An address or a part of it; the null address is shown as <>. */
static const char *address(struct lookup *l, str name, str prefix, str addr)
{
	str part = str_from(name, prefix.n);

	if (str_eq(part, STR("_domain")))
		return arena_cstr(&l->arena, addr_domain(addr));
	if (str_eq(part, STR("_name")))
		addr = addr_local(addr);
	else if (part.n)
		return NULL;
	return addr.n ? arena_cstr(&l->arena, addr) : "<>";
}

static const char *local_time(struct lookup *l)
{
	char text[32];
	time_t now = clock_wall_us() / 1000000;
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm);
	return arena_cstr(&l->arena, str_of(text));
}

static const char *raw_value(struct lookup *l, str name)
{
	const struct session *s = l->s;

	for (const struct template_extra *x = l->extra; x && x->name; x++)
		if (str_eq(name, str_of(x->name)))
			return x->value;
	if (str_eq(name, STR("client")))
		return s->client.namaddr;
	if (str_eq(name, STR("client_address")))
		return s->client.addr;
	if (str_eq(name, STR("client_name")))
		return s->client.name;
	if (str_eq(name, STR("client_port")))
		return s->client.port;
	if (str_eq(name, STR("reverse_client_name")))
		return s->client.reverse_name;
	if (str_eq(name, STR("helo_name")))
		return s->helo ? s->helo : "";
	if (str_eq(name, STR("localtime")))
		return local_time(l);
	if (str_eq(name, STR("process_id")))
		return arena_printf(&l->arena, "%d", (int)getpid());
	if (str_eq(name, STR("server_address")))
		return s->server_addr;
	if (str_eq(name, STR("server_name")))
		return conf.myhostname;
	if (str_eq(name, STR("server_port")))
		return s->server_port;
	if (str_starts(name, STR("recipient")))
		return address(l, name, STR("recipient"), s->tx.rcpt);
	if (str_starts(name, STR("sender")))
		return address(l, name, STR("sender"), s->tx.sender);
	return NULL;
}

static const char *look(void *ctx, str name)
{
	struct lookup *l = ctx;
	const char *value = raw_value(l, name);
	char *clean;

	if (!value) {
		log_warn("unknown macro name \"%.*s\" in expansion request", STR_FMT(name));
		return NULL;
	}
	clean = arena_cstr(&l->arena, str_of(value));
	for (char *p = clean; *p; p++)
		if (!allowed[(unsigned char)*p])
			*p = '_';
	return clean;
}

bool template_expand(struct session *s, const char *what, str text,
    const struct template_extra *extra, struct buf *out)
{
	struct lookup l = {.s = s, .extra = extra};
	size_t start = out->n;
	struct err err;
	bool good = expand_text(out, text, look, &l, &err) == 0;

	if (!good) {
		log_warn("%s: %s", what, err.text);
		buf_cut(out, start);
	}
	arena_free(&l.arena);
	return good;
}
