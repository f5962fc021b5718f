/* Listening sockets: connections become sessions, triggers wake-ups, datagrams calls. */
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "service/service_int.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

struct session {
	struct stream *stream;
	bool is_inet;
	struct hostaddr peer;
};

#define DATAGRAM_MAX   65536
#define DATAGRAM_BURST 64
#define DATAGRAM_LAST  4096 /* more than a socket holds */

static struct watch **watches;
static bool paused, closed;
static struct timer idle, retry;
static bool wake_running, wake_again;

static void pause_all(bool on)
{
	if (closed || paused == on)
		return;
	paused = on;
	for (int i = 0; i < worker.nfds; i++)
		watch_pause(watches[i], on);
}

void session_begin(void)
{
	worker.sessions++;
	timer_stop(&idle);
	if (worker.sessions >= worker.limit) {
		pause_all(true);
		control_report(); /* master may start a companion at once */
	}
	service_busy();
}

void session_end(void)
{
	worker.sessions--;
	if (worker.sessions < worker.limit)
		pause_all(false);
	if (worker.sessions > 0)
		return;
	cond_wake_all(&worker.changed);
	if (!worker.service->resident && !closed)
		timer_set(&idle, (int64_t)conf.max_idle * 1000);
}

static void idle_over(void *arg)
{
	(void)arg;
	service_drain_requested(false);
}

static void retry_over(void *arg)
{
	(void)arg;
	if (worker.sessions < worker.limit)
		pause_all(false);
}

/* --- wake-ups: one at a time; what comes meanwhile makes it run once more */

static void wake_main(void *arg)
{
	(void)arg;
	do {
		wake_again = false;
		worker.service->wakeup();
	} while (wake_again && !worker.draining);
	wake_running = false;
	session_end();
}

static void wake(void)
{
	if (worker.service->wakeup == NULL)
		return;
	if (wake_running) {
		wake_again = true;
		return;
	}
	wake_running = true;
	session_begin();
	co_start(&worker.clients, "wakeup", wake_main, NULL);
}

/* --- connections */

enum peer_kind session_peer(int fd, struct hostaddr *peer)
{
	struct hostaddr here = {.len = sizeof here.ss};

	*peer = (struct hostaddr){.len = sizeof peer->ss};
	if (getsockname(fd, &here.sa, &here.len) < 0 || here.sa.sa_family == AF_UNIX)
		return PEER_LOCAL;
	return getpeername(fd, &peer->sa, &peer->len) == 0 ? PEER_INET : PEER_GONE;
}

/* A connection that postscreen hands over arrives as a descriptor. */
static struct stream *receive_client(struct session *s)
{
	struct stream *client = NULL;
	enum peer_kind kind;
	int fd;

	if (stream_recv_fd(s->stream, &fd, deadline_in(SERVICE_TRIGGER_WAIT)) == WAIT_OK) {
		kind = session_peer(fd, &s->peer);
		s->is_inet = kind == PEER_INET;
		if (kind == PEER_GONE)
			close(fd);
		else
			client = stream_new(fd);
	}
	stream_free(s->stream);
	return client;
}

static void serve_session(struct session *s)
{
	if (worker.type == SERVICE_PASS)
		s->stream = receive_client(s);
	if (s->stream)
		worker.service->serve(s->stream, s->is_inet ? &s->peer : NULL);
}

static void serve_trigger(struct session *s)
{
	str bytes;

	if (stream_peek(s->stream, 1, &bytes, deadline_in(SERVICE_TRIGGER_WAIT)) == WAIT_OK)
		wake();
}

static void session_main(void *arg)
{
	struct session *s = arg;

	if (worker.service->serve)
		serve_session(s);
	else
		serve_trigger(s);
	stream_free(s->stream);
	free(s);
	session_end();
}

static void session_start(int fd, const struct sockaddr_storage *from, socklen_t len)
{
	bool is_inet = from->ss_family == AF_INET || from->ss_family == AF_INET6;
	struct session *s = mem_zero(sizeof *s);
	int on = 1;

	s->stream = stream_new(fd);
	s->is_inet = is_inet;
	if (is_inet) {
		memcpy(&s->peer.ss, from, len);
		s->peer.len = len;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	session_begin();
	co_start(&worker.clients, "session", session_main, s);
}

static void accept_failed(int error)
{
	if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
		return;
	log_warn("accept connection: %s", strerror(error));
	pause_all(true);
	timer_set(&retry, 1000);
}

static void accept_ready(int fd, void *arg)
{
	(void)arg;
	for (int i = 0; i < SERVICE_ACCEPT_BURST && worker.sessions < worker.limit; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof from;
		int client =
		    accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client < 0) {
			accept_failed(errno);
			return;
		}
		session_start(client, &from, len);
	}
}

static void read_datagrams(int fd, int most)
{
	static char packet[DATAGRAM_MAX];

	for (int i = 0; i < most; i++) {
		ssize_t n = recv(fd, packet, sizeof packet, MSG_DONTWAIT);

		if (n < 0)
			return;
		worker.service->datagram(str_mem(packet, (size_t)n));
	}
}

static void datagram_ready(int fd, void *arg)
{
	(void)arg;
	read_datagrams(fd, DATAGRAM_BURST);
}

static void fifo_ready(int fd, void *arg)
{
	char bytes[512];

	(void)arg;
	if (read(fd, bytes, sizeof bytes) > 0)
		wake();
}

void accept_open(void)
{
	void (*ready)(int fd, void *arg) = accept_ready;

	if (worker.type == SERVICE_DGRAM)
		ready = datagram_ready;
	else if (worker.type == SERVICE_FIFO)
		ready = fifo_ready;
	if (ready == datagram_ready ? !worker.service->datagram
				    : !worker.service->serve && !worker.service->wakeup)
		log_fatal(
		    "service %s: this program cannot serve a socket of this type", worker.name);
	timer_init(&idle, idle_over, NULL);
	timer_init(&retry, retry_over, NULL);
	watches = mem_zero(sizeof *watches * (size_t)worker.nfds);
	for (int i = 0; i < worker.nfds; i++) {
		int fd = SERVICE_LISTEN_FD + i;

		if (file_nonblock(fd) < 0 || file_cloexec(fd) < 0)
			log_fatal("listening socket %d: %s", fd, strerror(errno));
		watches[i] = watch_readable(fd, ready, NULL);
	}
	if (!worker.service->resident)
		timer_set(&idle, (int64_t)conf.max_idle * 1000);
}

void accept_close(void)
{
	if (closed || watches == NULL)
		return;
	closed = true;
	timer_stop(&idle);
	timer_stop(&retry);
	for (int i = 0; i < worker.nfds; i++) {
		/* There may be no next worker to read them: the system stops. */
		if (worker.type == SERVICE_DGRAM)
			read_datagrams(SERVICE_LISTEN_FD + i, DATAGRAM_LAST);
		watch_free(watches[i]);
		close(SERVICE_LISTEN_FD + i);
	}
}
