#include "filters/smtpfilter/smtpfilter.h"

#include "dns/dns.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>

int64_t session_deadline(void)
{
	return deadline_in(TIMEOUT_S * 1000L);
}

static struct stream *connect_inet(struct err *err)
{
	struct hostaddr *list = NULL;
	struct stream *io = NULL;
	struct arena a = {0};
	size_t n = 0;
	int port = endpoint_port(setup.next.port, err);
	const char *host = arena_cstr(&a, setup.next.host.n ? setup.next.host : STR("localhost"));

	if (port >= 0 && dns_host_lookup(host, AF_UNSPEC, &a, &list, &n, err) != DNS_OK)
		n = 0;
	for (size_t i = 0; i < n && !io; i++) {
		hostaddr_set_port(&list[i], (uint16_t)port);
		io = stream_connect(&list[i], NULL, session_deadline(), err);
	}
	arena_free(&a);
	return io;
}

static struct stream *connect_unix(struct err *err)
{
	char *path = str_dup(setup.next.path);
	struct stream *io = stream_connect_unix(path, session_deadline(), err);

	free(path);
	return io;
}

int next_connect(struct session *s)
{
	struct err err = {0};

	s->next = setup.next.is_unix ? connect_unix(&err) : connect_inet(&err);
	if (!s->next) {
		log_warn("connect to %s: %s", setup.next_name, err.text);
		session_say(s, "421 4.3.2 Error: the server behind this filter is not available");
		s->ending = true;
		return -1;
	}
	return next_listen(s);
}

void next_lost(struct session *s, enum wait how)
{
	if (!s->ending && how != WAIT_CANCEL)
		log_warn("%s %s",
		    how == WAIT_TIMEOUT ? "timeout talking to" : "lost connection with",
		    setup.next_name);
	if (!s->ending)
		session_say(s, "421 4.3.0 Error: the server behind this filter is lost");
	s->ending = true;
}

int next_listen(struct session *s)
{
	enum reply_state state = REPLY_MORE;
	int64_t deadline = session_deadline();
	enum wait w = WAIT_OK;
	str line;

	reply_start(&s->reply);
	while (state == REPLY_MORE && (w == WAIT_OK || w == WAIT_LIMIT)) {
		bool rest = w == WAIT_LIMIT;

		w = stream_gets(s->next, REPLY_LINE_MAX, &line, deadline);
		if (!rest && (w == WAIT_OK || w == WAIT_LIMIT))
			state = reply_line(&s->reply, line);
	}
	while (w == WAIT_LIMIT)
		w = stream_gets(s->next, REPLY_LINE_MAX, &line, deadline);
	if (w == WAIT_OK && state == REPLY_DONE && !s->reply.inconsistent && !s->reply.garbage)
		return 0;
	if (w == WAIT_OK)
		log_warn("%s: a reply that makes no sense: %.100s", setup.next_name,
		    buf_text(&s->reply.text));
	next_lost(s, w);
	return -1;
}

/* What the server has said already would be taken for the answer to what it is asked next. */
static bool is_out_of_step(struct session *s)
{
	str data;

	if (!stream_input_ready(s->next))
		return false;
	if (stream_peek(s->next, 1, &data, session_deadline()) == WAIT_OK)
		log_warn("%s: more replies than commands", setup.next_name);
	next_lost(s, WAIT_EOF);
	return true;
}

int next_ask(struct session *s, str line)
{
	enum wait w;

	if (is_out_of_step(s))
		return -1;
	stream_write(s->next, line.p, line.n, session_deadline());
	stream_write(s->next, "\r\n", 2, session_deadline());
	w = stream_flush(s->next, session_deadline());
	if (w == WAIT_OK)
		return next_listen(s);
	next_lost(s, w);
	return -1;
}
