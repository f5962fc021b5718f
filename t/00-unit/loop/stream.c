/* Streams: lines, limits, deadlines, half-closed and reset connections, files, descriptors. */
#include "loop/stream.h"
#include "../../lib/tap.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair(struct stream **a, struct stream **b)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		abort();
	*a = stream_new(fds[0]);
	*b = stream_new(fds[1]);
}

static int64_t soon(void)
{
	return deadline_in(5000);
}

static void send_text(struct stream *s, const char *text)
{
	stream_puts(s, text, soon());
	stream_flush(s, soon());
}

static void lines(void *arg)
{
	struct stream *a, *b;
	str line, data;
	char four[5] = "";

	(void)arg;
	pair(&a, &b);
	send_text(a, "one\r\ntwo\nthree");
	is_int(stream_gets(b, 100, &line, soon()), WAIT_OK, "a line");
	is_str(line, STR("one\r\n"), "with its CRLF");
	is_int(stream_buffered(b), 9, "the rest is buffered");
	stream_gets(b, 100, &line, soon());
	is_str(line, STR("two\n"), "with a bare LF");
	is_int(stream_gets(b, 100, &line, deadline_in(20)), WAIT_TIMEOUT,
	    "a line that is not complete");
	is_int(line.n, 0, "is not handed out");
	send_text(a, "!\n");
	stream_gets(b, 100, &line, soon());
	is_str(line, STR("three!\n"), "and not lost");
	send_text(a, "0123456789abc\nrest");
	is_int(stream_gets(b, 10, &line, soon()), WAIT_LIMIT, "a line over the limit");
	is_str(line, STR("0123456789"), "its first part");
	is_int(stream_gets(b, 4, &line, soon()), WAIT_OK, "a line of just the limit");
	is_str(line, STR("abc\n"), "is no overflow");
	is_int(stream_peek(b, 2, &data, soon()), WAIT_OK, "peek");
	ok(str_starts(data, STR("re")), "shows what is next");
	is_int(stream_read(b, four, 4, soon()), WAIT_OK, "read");
	is_cstr(four, "rest", "takes it");
	stream_peek(b, 0, &data, soon());
	is_int(data.n, 0, "peeking at nothing does not wait");
	ok(!stream_input_ready(b), "nothing is there");
	send_text(a, "tail");
	ok(stream_input_ready(b), "something is there");
	shutdown(a->fd, SHUT_WR);
	is_int(stream_gets(b, 100, &line, soon()), WAIT_EOF, "end of file within a line");
	is_str(line, STR("tail"), "which is handed out");
	is_int(stream_gets(b, 100, &line, soon()), WAIT_EOF, "end of file again");
	is_int(line.n, 0, "with nothing");
	is_int(stream_peek(b, 1, &data, soon()), WAIT_EOF, "peek at the end");
	is_int(stream_read(b, four, 1, soon()), WAIT_EOF, "read at the end");
	send_text(b, "still\n");
	stream_gets(a, 100, &line, soon());
	is_str(line, STR("still\n"), "the other half works on");
	is_int(b->bytes_out, 6, "bytes are counted");
	stream_free(a);
	stream_free(b);
	stream_free(NULL);
}

/* Bulk: more than any buffer. */

#define BULK ((size_t)3 * 1024 * 1024 + 17)

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + (i >> 12));
}

static void bulk_writer(void *arg)
{
	struct stream *s = arg;
	char *all = malloc(BULK);

	for (size_t i = 0; i < BULK; i++)
		all[i] = (char)pattern(i);
	stream_write(s, all, 10, soon());
	stream_write(s, all + 10, BULK - 10 - 5000, soon());
	for (size_t i = BULK - 5000; i < BULK; i++)
		stream_write(s, all + i, 1, soon());
	is_int(stream_flush(s, soon()), WAIT_OK, "bulk is written");
	shutdown(s->fd, SHUT_WR);
	free(all);
}

static void bulk(void *arg)
{
	struct stream *a, *b;
	struct scope s;
	size_t total = 0, most = 0;
	bool same = true;
	char piece[1000];
	str data;

	(void)arg;
	pair(&a, &b);
	scope_init(&s);
	co_start(&s, "writer", bulk_writer, a);
	while (stream_peek(b, 1, &data, soon()) == WAIT_OK) {
		if (data.n > most)
			most = data.n;
		for (size_t i = 0; i < data.n; i++)
			same = same && (unsigned char)data.p[i] == pattern(total + i);
		total += data.n;
		stream_consume(b, data.n);
		if (total > BULK / 2 && stream_read(b, piece, sizeof(piece), soon()) == WAIT_OK) {
			for (size_t i = 0; i < sizeof(piece); i++)
				same = same && (unsigned char)piece[i] == pattern(total + i);
			total += sizeof(piece);
		}
	}
	scope_join(&s);
	is_int(total, BULK, "bulk arrives");
	ok(same, "unchanged");
	ok(most <= 128 * 1024, "through a bounded buffer");
	ok(a->out.cap <= 8192, "the output buffer is given back");
	is_int(stream_wait_input(b, soon()), WAIT_OK, "the end of file counts as input");
	stream_free(a);
	stream_free(b);
}

static void slow_writer(void *arg)
{
	struct stream *s = arg;

	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 1000; k++)
			stream_write(s, "x", 1, soon());
		stream_flush(s, soon());
		co_yield ();
	}
	send_text(s, "\nnext\n");
}

static void long_line(void *arg)
{
	struct stream *a, *b;
	struct scope s;
	str line;

	(void)arg;
	pair(&a, &b);
	scope_init(&s);
	co_start(&s, "writer", slow_writer, a);
	is_int(stream_gets(b, 200000, &line, soon()), WAIT_OK, "a line of 100 kB");
	is_int(line.n, 100001, "whole");
	stream_gets(b, 100, &line, soon());
	is_str(line, STR("next\n"), "and the next");
	scope_join(&s);
	stream_free(a);
	stream_free(b);
}

/* Waiting. */

static void write_later(void *arg)
{
	co_sleep(20);
	send_text(arg, "hello\n");
}

static void idle(void *arg)
{
	struct stream *a, *b;
	struct scope s;
	str line;

	(void)arg;
	pair(&a, &b);
	scope_init(&s);
	send_text(a, "x\n");
	stream_gets(b, 10, &line, soon());
	co_start(&s, "later", write_later, a);
	is_int(stream_wait_input(b, deadline_in(2)), WAIT_TIMEOUT, "nothing came yet");
	is_int(b->in.cap, 0, "an idle stream has no buffer");
	is_int(stream_wait_input(b, soon()), WAIT_OK, "something came");
	stream_gets(b, 10, &line, soon());
	is_str(line, STR("hello\n"), "namely this");
	b->deadline_all = deadline_in(5);
	is_int(
	    stream_gets(b, 10, &line, soon()), WAIT_TIMEOUT, "the overall deadline counts as well");
	scope_join(&s);
	stream_free(a);
	stream_free(b);
}

static void blocked_reader(void *arg)
{
	str line;
	enum wait r = stream_gets(arg, 100, &line, FOREVER);

	is_int(r, WAIT_CANCEL, "a reader is cancelled");
}

static void cancelled(void *arg)
{
	struct stream *a, *b;
	struct scope s;

	(void)arg;
	pair(&a, &b);
	scope_init(&s);
	co_start(&s, "reader", blocked_reader, a);
	co_yield ();
	scope_end(&s);
	stream_free(a);
	stream_free(b);
}

/* Both directions at once, and arrival while nobody waits. */

static void echo(void *arg)
{
	struct stream *s = arg;
	str line;

	while (stream_gets(s, 100, &line, soon()) == WAIT_OK) {
		stream_write(s, line.p, line.n, soon());
		stream_flush(s, soon());
	}
}

static void reader(void *arg)
{
	struct stream *s = arg;
	str line;
	int n = 0;

	while (n < 2000 && stream_gets(s, 100, &line, soon()) == WAIT_OK)
		n++;
	is_int(n, 2000, "all echoes came while others wrote");
}

static void duplex(void *arg)
{
	struct stream *a, *b;
	struct scope s;

	(void)arg;
	pair(&a, &b);
	scope_init(&s);
	co_start(&s, "echo", echo, b);
	co_start(&s, "reader", reader, a);
	for (int i = 0; i < 2000; i++) {
		stream_printf(a, soon(), "line %d\n", i);
		if (i % 7 == 0)
			stream_flush(a, soon());
		if (i % 500 == 0)
			co_sleep(1);
	}
	stream_flush(a, soon());
	shutdown(a->fd, SHUT_WR);
	scope_join(&s);
	stream_free(a);
	stream_free(b);
}

/* Errors. */

static void errors(void *arg)
{
	struct hostaddr at, here;
	struct stream *a, *b;
	struct linger hard = {1, 0};
	struct err err;
	socklen_t len = sizeof(here.ss);
	int fd;
	str line;

	(void)arg;
	pair(&a, &b);
	stream_free(b);
	is_int(stream_puts(a, "x", soon()), WAIT_OK, "a write that is only gathered");
	is_int(stream_flush(a, soon()), WAIT_ERROR, "a write to a closed stream");
	is_int(errno, EPIPE, "is a broken pipe, not a signal");
	is_int(stream_puts(a, "x", soon()), WAIT_ERROR, "which is reported again");
	stream_free(a);

	hostaddr_parse(&at, STR("127.0.0.1"), 0, NULL);
	fd = listen_inet(&at, 5, &err);
	ok(fd >= 0, "listen");
	getsockname(fd, &here.sa, &len);
	here.len = len;
	a = stream_connect(&here, &at, soon(), &err);
	ok(a, "connect from an address");
	b = stream_new(accept(fd, NULL, NULL));
	setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	stream_free(b);
	is_int(stream_gets(a, 100, &line, soon()), WAIT_ERROR, "a reset connection");
	is_int(errno, ECONNRESET, "is told from an end of file");
	is_int(stream_gets(a, 100, &line, soon()), WAIT_ERROR, "and stays so");
	is_int(stream_wait_input(a, soon()), WAIT_OK, "waiting for it returns at once");
	stream_free(a);
	close(fd);
	ok(!stream_connect(&here, NULL, soon(), &err), "nobody listens");
	is_int(err.code, ECONNREFUSED, "connection refused");
	ok(strstr(err.text, "connect to 127.0.0.1:") && strstr(err.text, "refused"), "and by whom");
	ok(!stream_connect_unix("/nowhere/at/all", soon(), &err), "no such socket");
	is_int(err.code, ENOENT, "no such file");
}

static void no_answer(void *arg)
{
	struct hostaddr at, here;
	struct stream *waiting[4] = {NULL};
	struct err err = {0};
	socklen_t len = sizeof(here.ss);
	int fd;

	(void)arg;
	hostaddr_parse(&at, STR("127.0.0.1"), 0, NULL);
	fd = listen_inet(&at, 0, &err);
	getsockname(fd, &here.sa, &len);
	here.len = len;
	for (int i = 0; i < 4 && !err.code; i++)
		waiting[i] = stream_connect(&here, NULL, deadline_in(50), &err);
	is_int(err.code, ETIMEDOUT, "no answer in time");
	for (int i = 0; i < 4; i++)
		stream_free(waiting[i]);
	close(fd);
}

static void unix_sockets(void *arg)
{
	char path[] = "/tmp/t-stream-XXXXXX", name[64];
	struct stream *a, *b, *c, *d;
	struct err err;
	int fd, passed;
	str line;

	(void)arg;
	if (!mkdtemp(path))
		abort();
	snprintf(name, sizeof(name), "%s/s", path);
	fd = listen_unix(name, 0600, 0, &err);
	ok(fd >= 0, "listen on a UNIX socket");
	close(fd);
	fd = listen_unix(name, 0600, 0, &err);
	ok(fd >= 0, "again, where an old one was left");
	a = stream_connect_unix(name, soon(), &err);
	ok(a, "connect");
	c = stream_connect_unix(name, deadline_in(30), &err);
	if (!c)
		is_int(err.code, ETIMEDOUT, "a full backlog is waited for");
	else
		stream_free(c);
	b = stream_new(accept(fd, NULL, NULL));
	pair(&c, &d);
	is_int(stream_send_fd(a, c->fd, soon()), WAIT_OK, "send a descriptor");
	is_int(stream_recv_fd(b, &passed, soon()), WAIT_OK, "receive it");
	ok(passed >= 0 && (fcntl(passed, F_GETFD) & FD_CLOEXEC), "it is closed on exec");
	close(passed);
	is_int(stream_recv_fd(b, &passed, deadline_in(5)), WAIT_TIMEOUT, "no second one");
	send_text(a, "a\n");
	is_int(stream_recv_fd(b, &passed, soon()), WAIT_ERROR, "data without a descriptor");
	stream_gets(b, 9, &line, soon());
	is_str(line, STR("\n"), "takes a byte");
	close(fd);
	unlink(name);
	rmdir(path);
	stream_free(a);
	stream_free(b);
	stream_free(c);
	stream_free(d);
}

/* Descriptors between ordinary data. */
static void fds_with_data(void *arg)
{
	struct stream *a, *b;
	int fds[STREAM_FDS_MAX], got[STREAM_FDS_MAX], p[2];
	str line;

	(void)arg;
	pair(&a, &b);
	stream_accept_fds(b);
	if (pipe(p) < 0)
		abort();
	for (size_t i = 0; i < STREAM_FDS_MAX; i++)
		fds[i] = p[1];
	send_text(a, "before\n");
	stream_puts(a, "with\nmore\n", soon());
	is_int(stream_flush_fds(a, fds, 3, soon()), WAIT_OK, "send descriptors with data");
	send_text(a, "after\n");
	stream_gets(b, 99, &line, soon());
	is_str(line, STR("before\n"), "what came before them");
	stream_gets(b, 99, &line, soon());
	is_str(line, STR("with\n"), "what came with them");
	is_int((long long)stream_take_fds(b, got, 2), 2, "as many as are wanted");
	ok(write(got[1], "x", 1) == 1 && (fcntl(got[1], F_GETFD) & FD_CLOEXEC), "they work");
	close(got[0]);
	close(got[1]);
	stream_gets(b, 99, &line, soon());
	stream_gets(b, 99, &line, soon());
	is_str(line, STR("after\n"), "what came behind them");
	is_int((long long)stream_take_fds(b, got, 2), 0, "the others are closed");
	stream_puts(a, "x\n", soon());
	stream_flush_fds(a, fds, STREAM_FDS_MAX, soon());
	stream_puts(a, "y\n", soon());
	stream_flush_fds(a, fds, 1, soon());
	stream_gets(b, 99, &line, soon());
	stream_gets(b, 99, &line, soon());
	is_str(line, STR("y\n"), "more than can be kept");
	stream_puts(a, "z\n", soon());
	is_int(stream_flush_fds(a, fds, 0, soon()), WAIT_OK, "none at all");
	stream_free(a);
	stream_free(b);
	close(p[1]);
	is_int(read(p[0], got, 9), 1, "nothing is left open");
	is_int(read(p[0], got, 9), 0, "nothing is left open: end");
	close(p[0]);
}

/* Files. */

static size_t got_bytes;
static bool got_same;

static void drain(void *arg)
{
	struct stream *s = arg;
	str data;

	got_bytes = 0;
	got_same = true;
	while (stream_peek(s, 1, &data, soon()) == WAIT_OK) {
		for (size_t i = 0; i < data.n; i++)
			if ((unsigned char)data.p[i] != pattern(got_bytes + i))
				got_same = false;
		got_bytes += data.n;
		stream_consume(s, data.n);
		co_yield ();
	}
}

/* A transport that turns nothing into something else, in small pieces. */
static ssize_t slow_read(void *impl, void *p, size_t n, int *want)
{
	*want = 1;
	return read(*(int *)impl, p, n > 3 ? 3 : n);
}
static ssize_t slow_writev(void *impl, const struct iovec *v, int nv, int *want)
{
	static int turn;

	(void)nv;
	*want = 2;
	if (++turn % 3 == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(*(int *)impl, v->iov_base, v->iov_len > 3000 ? 3000 : v->iov_len);
}
static void slow_close(void *impl)
{
	(void)impl;
}
static bool slow_pending(void *impl)
{
	(void)impl;
	return false;
}
static const struct stream_ops slow = {slow_read, slow_writev, slow_pending, slow_close};

static void send_file(int file, size_t n, const struct stream_ops *ops, const char *what)
{
	struct stream *a, *b;
	struct scope s;
	enum wait r;

	pair(&a, &b);
	if (ops)
		stream_wrap(a, ops, &a->fd);
	scope_init(&s);
	co_start(&s, "drain", drain, b);
	stream_write(a, (char[]){(char)pattern(0), (char)pattern(1)}, 2, soon());
	r = stream_send_file(a, file, 2, n - 2, soon());
	if (r == WAIT_OK)
		r = stream_flush(a, soon());
	is_int(r, WAIT_OK, what);
	shutdown(a->fd, SHUT_WR);
	scope_join(&s);
	ok(got_bytes == n && got_same, "comes over whole");
	stream_free(a);
	stream_free(b);
}

static void files(void *arg)
{
	char path[] = "/tmp/t-stream-XXXXXX", *all = malloc(BULK);
	int file = mkstemp(path);
	struct stream *a, *b;
	struct scope s;
	str line;

	(void)arg;
	unlink(path);
	for (size_t i = 0; i < BULK; i++)
		all[i] = (char)pattern(i);
	if (write(file, all, BULK) != (ssize_t)BULK)
		abort();
	free(all);
	send_file(file, 5000, NULL, "a small file");
	send_file(file, 65536, NULL, "a larger one");
	send_file(file, BULK, NULL, "a large one");
	send_file(file, BULK, &slow, "a large one through a transport");
	pair(&a, &b);
	scope_init(&s);
	co_start(&s, "drain", drain, b);
	is_int(
	    stream_send_file(a, file, 1000, BULK, soon()), WAIT_ERROR, "a file that is too short");
	is_int(errno, EIO, "is an I/O error");
	is_int(stream_flush(a, soon()), WAIT_ERROR, "after which nothing is sent");
	stream_free(a);
	scope_join(&s);
	stream_free(b);
	close(file);

	a = stream_new(open("/proc/self/exe", O_RDONLY));
	while (stream_gets(a, 5000, &line, soon()) != WAIT_EOF)
		;
	ok(a->bytes_in > 10000, "a file can be read as a stream");
	stream_free(a);
}

static void wrapped(void *arg)
{
	struct stream *a, *b;
	str line;

	(void)arg;
	pair(&a, &b);
	send_text(a, "STARTTLS\nsmuggled\n");
	stream_gets(b, 100, &line, soon());
	stream_wrap(b, &slow, &b->fd);
	send_text(a, "inside the tunnel\n");
	is_int(stream_gets(b, 100, &line, soon()), WAIT_OK, "a line through a transport");
	is_str(line, STR("inside the tunnel\n"), "plaintext sent ahead is gone");
	ok(!stream_input_ready(b), "nothing more");
	send_text(a, "x\n");
	ok(stream_input_ready(b), "more");
	stream_gets(b, 100, &line, soon());
	is_str(line, STR("x\n"), "which is not lost");
	stream_free(a);
	stream_free(b);
}

/* A piece that went past the buffer says nothing of the buffer's size. */
static void large_first(void *arg)
{
	struct stream *a, *b;
	static char piece[8192];
	str line;

	(void)arg;
	pair(&a, &b);
	memset(piece, 'x', sizeof(piece));
	stream_write(a, piece, sizeof(piece), soon());
	stream_flush(a, soon());
	is_int(
	    stream_read(b, piece, sizeof(piece), soon()), WAIT_OK, "a large piece is read first");
	send_text(a, "line\n");
	is_int(stream_gets(b, 100, &line, soon()), WAIT_OK, "then a line");
	is_str(line, STR("line\n"), "which is whole");
	/* STARTTLS behind input that has filled the buffer to its end */
	stream_write(a, piece, 4095, soon());
	stream_flush(a, soon());
	is_int(stream_peek(b, 4095, &line, soon()), WAIT_OK, "a full buffer");
	stream_consume(b, 4095);
	stream_wrap(b, NULL, NULL);
	send_text(a, "after\n");
	is_int(stream_gets(b, 100, &line, soon()), WAIT_OK, "a line after a wrap");
	stream_free(a);
	stream_free(b);
}

static int send_two(int to, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	int fds[2] = {fd, fd};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	return sendmsg(to, &m, 0) == 1 ? 0 : -1;
}

static void two_fds(void *arg)
{
	struct stream *a, *b;
	int before, after, fd;

	(void)arg;
	pair(&a, &b);
	before = dup(0);
	close(before);
	is_int(send_two(a->fd, 0), 0, "two descriptors are sent");
	is_int(stream_recv_fd(b, &fd, soon()), WAIT_ERROR, "where one is expected");
	after = dup(0);
	close(after);
	is_int(after, before, "none is left open");
	stream_free(a);
	stream_free(b);
}

static void stuck(void *arg)
{
	struct stream *a, *b;
	char *all = calloc(1, BULK);

	(void)arg;
	pair(&a, &b);
	is_int(
	    stream_write(a, all, BULK, deadline_in(20)), WAIT_TIMEOUT, "a peer that does not read");
	is_int(stream_flush(a, soon()), WAIT_ERROR, "part is lost: no more can be sent");
	is_int(errno, ETIMEDOUT, "because of the time");
	for (int i = 0; i < 100; i++)
		stream_printf(a, soon(), "%1000d", i);
	ok(a->out.n < 20000, "what can never be sent does not gather");
	free(all);
	stream_free(a);
	stream_free(b);
}

int main(void)
{
	static void (*const tests[])(void *) = {lines, bulk, long_line, idle, cancelled, duplex,
	    errors, no_answer, unix_sockets, fds_with_data, files, wrapped, large_first, two_fds,
	    stuck};

	loop_init();
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		loop_run(tests[i], NULL);
	return done();
}
