/* Connecting to a host. */
#include "smtp/smtp.h"

#include "log/event.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"

#include <arpa/inet.h>
#include <errno.h>

static struct hostaddr bind4, bind6;
static bool have_bind4, have_bind6;

static str without_brackets(str text)
{
	if (str_starts(text, STR("[")) && str_ends(text, STR("]")))
		text = str_head(str_from(text, 1), text.n - 2);
	return str_starts_nocase(text, STR("ipv6:")) ? str_from(text, 5) : text;
}

static bool is_loopback(const struct hostaddr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
	return (ntohl(a->in.sin_addr.s_addr) >> 24) == 127;
}

/* With one address of a family in inet_interfaces, and that not loopback, mail goes out from it. */
static bool only_interface(int family, struct hostaddr *out)
{
	str rest = str_of(conf.inet_interfaces), word;
	struct hostaddr a;
	int count = 0;

	while (str_word(&rest, ", \t\r\n", &word)) {
		if (hostaddr_parse(&a, without_brackets(word), 0, NULL) < 0)
			return false; /* a name may be any number of addresses */
		if (a.sa.sa_family != family)
			continue;
		*out = a;
		count++;
	}
	return count == 1 && !is_loopback(out);
}

static bool bind_setting(const char *param, const char *value, int family, struct hostaddr *out)
{
	struct err err;

	if (!*value)
		return only_interface(family, out);
	if (hostaddr_parse(out, without_brackets(str_of(value)), 0, &err) == 0 &&
	    out->sa.sa_family == family)
		return true;
	log_fatal("%s: bad address \"%s\"", param, value);
}

void dial_setup(void)
{
	have_bind4 = bind_setting("smtp_bind_address", conf.smtp_bind_address, AF_INET, &bind4);
	have_bind6 = bind_setting("smtp_bind_address6", conf.smtp_bind_address6, AF_INET6, &bind6);
}

/* smtp_bind_address_enforce: mail does not leave from any other address. */
static struct stream *dial_inet(
    const struct host *h, int64_t deadline, struct err *err, bool *config_error)
{
	bool v6 = h->addr.sa.sa_family == AF_INET6;
	const struct hostaddr *from =
	    v6 ? (have_bind6 ? &bind6 : NULL) : (have_bind4 ? &bind4 : NULL);
	struct stream *s = stream_connect(&h->addr, from, deadline, err);
	char text[HOSTADDR_TEXT];

	if (s || !from || !str_starts(str_of(err->text), STR("bind to")))
		return s;
	log_warn("smtp_connect_addr: bind %s: %s", hostaddr_text(from, text), strerror(err->code));
	*config_error = conf.smtp_bind_address_enforce;
	return *config_error ? NULL : stream_connect(&h->addr, NULL, deadline, err);
}

struct stream *dial(struct delivery *d, const struct host *h, struct trouble *t)
{
	int64_t deadline = conf.smtp_connect_timeout > 0
			       ? deadline_in(conf.smtp_connect_timeout * 1000L)
			       : FOREVER;
	bool config_error = false;
	char text[HOSTADDR_TEXT];
	const char *where, *why;
	struct stream *s;
	struct err err = {0};

	*t = (struct trouble){.dsn = "4.4.1", .relay = "none"};
	if (h->path) {
		s = stream_connect_unix(h->path, deadline, &err);
		where = arena_printf(&d->arena, "%s[%s]", h->name, h->path);
	} else {
		s = dial_inet(h, deadline, &err, &config_error);
		where = arena_printf(&d->arena, "%s[%s]:%u", h->name, hostaddr_text(&h->addr, text),
		    hostaddr_port(&h->addr));
	}
	if (s)
		return s;
	if (config_error) {
		t->dsn = "4.4.0";
		t->text = "server configuration error";
		return NULL;
	}
	why = strerror(err.code ? err.code : ECONNREFUSED);
	log_smtp_connect(where, why);
	t->text = arena_printf(&d->arena, "connect to %s: %s", where, why);
	return NULL;
}
