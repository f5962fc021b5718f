#include "smtpd/proxy_int.h"

#include "base/names.h"
#include "dns/dns.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "smtpd/destination.h"
#include "smtpd/proxy_checks.h"
#include "smtpd/standalone.h"
#include "smtpwire/esmtp.h"

#include <errno.h>
#include <stdlib.h>

/* A filter has this long to say goodbye; the client may be waiting. */
#define QUIT_MS 5000
/* Of a command, with its line end (RFC 5321 4.5.3.1.4). */
#define COMMAND_LENGTH 512
#define FILE_PIECE     (1024 * 1024)

#define SPEED_ADJUST 1

static const struct name_row option_names[] = {{"speed_adjust", SPEED_ADJUST}, {NULL, 0}};

static struct endpoint where;
static int port;
static uint64_t options;

void proxy_setup(void)
{
	struct err err;

	if (!*conf.smtpd_proxy_filter)
		return;
	proxy_checks_setup();
	if (endpoint_parse(&where, str_of(conf.smtpd_proxy_filter), &err) < 0)
		log_fatal("smtpd_proxy_filter: %s", err.text);
	if (!where.is_unix && (port = endpoint_port(where.port, &err)) < 0)
		log_fatal("smtpd_proxy_filter: %s", err.text);
	if (where.host.n == 0)
		where.host = STR("localhost");
	if (names_mask(option_names, str_of(conf.smtpd_proxy_options), &options, &err) < 0)
		log_fatal("smtpd_proxy_options: %s", err.text);
}

bool proxy_configured(void)
{
	return *conf.smtpd_proxy_filter && !standalone();
}

bool proxy_late(void)
{
	return options & SPEED_ADJUST;
}

/* --- connecting */

static enum dns_status find_host(
    struct arena *a, struct hostaddr **list, size_t *n, struct err *err)
{
	return dns_host_lookup(arena_cstr(a, where.host), AF_UNSPEC, a, list, n, err);
}

str proxy_as_filter(struct arena *a)
{
	struct hostaddr *list;
	char text[HOSTADDR_TEXT];
	struct err err;
	size_t n, at = 0;

	if (where.is_unix)
		return str_of(arena_printf(a, "smtp:unix:%.*s", STR_FMT(where.path)));
	if (find_host(a, &list, &n, &err) == DNS_OK && n > 0) {
		/* Of "localhost" most filters listen on the one of IPv4 only. */
		while (at + 1 < n && list[at].sa.sa_family != AF_INET)
			at++;
		return str_of(
		    arena_printf(a, "smtp:[%s]:%d", hostaddr_text(&list[at], text), port));
	}
	return str_of(arena_printf(a, "smtp:[%.*s]:%d", STR_FMT(where.host), port));
}

static struct stream *connect_inet(struct err *err)
{
	int64_t deadline = proxy_deadline();
	struct stream *io = NULL;
	struct hostaddr *list;
	struct arena a = {0};
	size_t n = 0;

	if (find_host(&a, &list, &n, err) != DNS_OK) {
		log_warn("host or service %s not found: %s", conf.smtpd_proxy_filter, err->text);
		err->code = EADDRNOTAVAIL;
		n = 0;
	}
	for (size_t i = 0; i < n && !io; i++) {
		hostaddr_set_port(&list[i], (uint16_t)port);
		io = stream_connect(&list[i], NULL, deadline, err);
	}
	arena_free(&a);
	return io;
}

static struct stream *connect_unix(struct err *err)
{
	char *path = str_dup(where.path);
	struct stream *io = stream_connect_unix(path, proxy_deadline(), err);

	free(path);
	return io;
}

static int dial(struct proxy *p)
{
	struct err err = {0};

	p->name = conf.smtpd_proxy_filter;
	p->io = where.is_unix ? connect_unix(&err) : connect_inet(&err);
	if (p->io)
		return 0;
	log_warn("connect to proxy filter %s: %s", p->name,
	    strerror(err.code ? err.code : ECONNREFUSED));
	p->broken = true;
	return -1;
}

/* --- XFORWARD */

struct attribute {
	const char *name;
	str value; /* empty: not known */
};

static str known(const char *value)
{
	return value && strcasecmp(value, "unknown") != 0 ? str_of(value) : STR("");
}

static str address(struct arena *a, const char *value)
{
	str plain = known(value);

	if (str_chr(plain, ':') < 0 || str_starts_nocase(plain, STR("IPV6:")))
		return plain;
	return str_of(arena_printf(a, "IPV6:%.*s", STR_FMT(plain)));
}

#define ATTRIBUTES 7

/* Who the client is, or for whom it says it speaks: then nothing of the client itself. */
static void attributes(struct session *s, struct arena *a, struct attribute out[ATTRIBUTES])
{
	const struct forwarded *told = s->forwarded, *f = told && told->client ? told : NULL;
	const struct client *c = &s->client;
	const struct attribute all[ATTRIBUTES] = {
	    {"NAME", known(f ? f->name : c->name)},
	    {"ADDR", address(a, f ? f->addr : c->addr)},
	    {"PORT", known(f ? f->port : c->port)},
	    {"HELO", known(f ? f->helo : s->helo)},
	    {"IDENT", known(told && told->ident ? told->ident : s->tx.queue_id)},
	    {"PROTO", known(f ? f->proto : s->protocol)},
	    {"SOURCE", content_is_local(s) ? STR("LOCAL") : STR("REMOTE")},
	};

	memcpy(out, all, sizeof(all));
}

static bool announced(str list, const char *name)
{
	str word;

	while (str_word(&list, " \t", &word))
		if (str_eq_nocase(word, str_of(name)))
			return true;
	return false;
}

static int send_line(struct proxy *p, struct buf *line)
{
	int status = proxy_ask(p, buf_view(line), 2, false);

	buf_clear(line);
	return status;
}

/* In one command, or in several when it gets long. */
static int xforward(struct session *s, struct proxy *p, str list)
{
	struct buf line = {0}, one = {0};
	struct attribute all[ATTRIBUTES];
	struct arena a = {0};
	int status = 0;

	attributes(s, &a, all);
	for (size_t i = 0; i < ATTRIBUTES && status == 0; i++) {
		if (!announced(list, all[i].name))
			continue;
		buf_clear(&one);
		xattr_put(&one, all[i].name, all[i].value);
		if (line.n > 0 && line.n + one.n + 2 > COMMAND_LENGTH)
			status = send_line(p, &line);
		if (line.n == 0)
			buf_cstr(&line, "XFORWARD");
		buf_str(&line, buf_view(&one));
	}
	if (status == 0 && line.n > 0)
		status = send_line(p, &line);
	buf_free(&line);
	buf_free(&one);
	arena_free(&a);
	return status;
}

/* --- the dialogue */

/* What a filter might take for the end of a line goes no further. */
static bool sound(str args)
{
	for (size_t i = 0; i < args.n; i++)
		if (((unsigned char)args.p[i] < ' ' && args.p[i] != '\t') || args.p[i] == 127)
			return false;
	return true;
}

static int say(struct proxy *p, const char *verb, str args, int code, bool pass)
{
	struct buf line = {0};
	int status;

	p->unsound = !sound(args);
	if (p->unsound)
		return -1;
	buf_printf(&line, "%s %.*s", verb, STR_FMT(args));
	status = proxy_ask(p, buf_view(&line), code, pass);
	buf_free(&line);
	return status;
}

static int introduce(struct session *s, struct proxy *p)
{
	struct ehlo_caps caps = {0};
	char *attrs;
	int status;
	str line;

	if (proxy_ask(p, (str){NULL, 0}, 2, false) < 0 ||
	    say(p, "EHLO", str_of(conf.smtpd_proxy_ehlo), 2, false) < 0)
		return -1;
	for (unsigned i = 1; reply_get_line(&p->reply, i, &line); i++)
		ehlo_cap(&caps, line);
	attrs = str_dup(caps.xforward); /* the reply does not last */
	status = xforward(s, p, str_of(attrs));
	free(attrs);
	return status;
}

struct proxy *proxy_open(struct session *s, str mail_args)
{
	struct proxy *p = mem_zero(sizeof(*p));

	p->failed = dial(p) < 0 || introduce(s, p) < 0 || say(p, "MAIL", mail_args, 2, true) < 0;
	return p;
}

bool proxy_failed(const struct proxy *p)
{
	return p->failed;
}

/* What the filter said no to does not count for the next question. */
static int status_of(struct proxy *p, int status)
{
	p->failed = status < 0;
	return status;
}

int proxy_rcpt(struct proxy *p, str args)
{
	p->passed = false;
	return status_of(p, say(p, "RCPT", args, 2, true));
}

int proxy_data(struct proxy *p)
{
	p->passed = false;
	if (status_of(p, proxy_ask(p, STR("DATA"), 354, true)) < 0)
		return -1;
	p->in_data = true;
	return 0;
}

void proxy_put(struct proxy *p, str wire)
{
	enum wait w;

	if (p->broken)
		return;
	w = stream_write(p->io, wire.p, wire.n, proxy_deadline());
	if (w != WAIT_OK)
		proxy_broke(p, w);
}

void proxy_put_file(struct proxy *p, int file, uint64_t length)
{
	uint64_t at = 0;

	while (at < length && !p->broken) {
		size_t n = length - at < FILE_PIECE ? (size_t)(length - at) : FILE_PIECE;
		enum wait w = stream_send_file(p->io, file, (int64_t)at, n, proxy_deadline());

		if (w != WAIT_OK)
			proxy_broke(p, w);
		at += n;
	}
}

/* It spoke while it should have listened: a refusal counts, a yes to half a message does not. */
static int early_reply(struct proxy *p)
{
	if (proxy_listen(p) == 0) {
		p->passed = p->reply.code / 100 >= 4;
		if (!p->passed)
			log_warn("proxy %s: reply before the end of the message: %d", p->name,
			    p->reply.code);
	}
	p->broken = true;
	return -1;
}

static int end(struct proxy *p)
{
	int class;

	if (p->broken)
		return -1;
	if (stream_input_ready(p->io))
		return early_reply(p);
	stream_puts(p->io, ".\r\n", proxy_deadline());
	if (stream_flush(p->io, proxy_deadline()) == WAIT_CANCEL || proxy_listen(p) < 0) {
		p->broken = true;
		return -1;
	}
	p->in_data = false;
	class = p->reply.code / 100;
	p->passed = class == 4 || class == 5;
	return class == 2 ? 0 : -1;
}

int proxy_end(struct proxy *p)
{
	p->passed = false;
	return status_of(p, end(p));
}

str proxy_reply(const struct proxy *p)
{
	return buf_view(&p->reply.text);
}

str proxy_refusal(const struct proxy *p)
{
	if (p->unsound)
		return STR("501 5.5.2 Error: control character in command");
	return p->passed ? buf_view(&p->reply.text)
			 : STR("451 4.3.0 Error: queue file write error");
}

void proxy_close(struct proxy *p)
{
	int64_t deadline = deadline_in(QUIT_MS);
	str line;

	if (!p)
		return;
	if (p->io && !p->broken && !p->in_data &&
	    stream_puts(p->io, "QUIT\r\n", deadline) == WAIT_OK &&
	    stream_flush(p->io, deadline) == WAIT_OK)
		stream_gets(p->io, REPLY_LINE_MAX, &line, deadline);
	stream_free(p->io);
	reply_free(&p->reply);
	free(p);
}
