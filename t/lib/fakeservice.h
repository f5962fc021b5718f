/* A service for unit tests: a socket in this process whose connections are coroutines. */
#ifndef POSTERN_T_FAKESERVICE_H
#define POSTERN_T_FAKESERVICE_H

#include "loop/loop.h"
#include "loop/stream.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fakeservice {
	const char *path;
	void (*serve)(struct stream *s); /* the stream is freed when it returns */
	int fd, connections;
	struct watch *watch;
	struct scope scope;
};
struct fakesession {
	struct fakeservice *service;
	int fd;
};

static inline void fakeservice_session(void *arg)
{
	struct fakesession *session = arg;
	struct stream *s = stream_new(session->fd);

	session->service->serve(s);
	stream_free(s);
	free(session);
}

static inline void fakeservice_accept(int fd, void *arg)
{
	struct fakeservice *f = arg;
	struct fakesession *session = malloc(sizeof *session);

	session->service = f;
	session->fd = accept(fd, NULL, NULL);
	if (session->fd < 0) {
		free(session);
		return;
	}
	f->connections++;
	co_start(&f->scope, "fake", fakeservice_session, session);
}

static inline void fakeservice_start(struct fakeservice *f)
{
	struct err err;

	f->fd = listen_unix(f->path, 0600, 10, &err);
	if (f->fd < 0)
		abort();
	f->connections = 0;
	scope_init(&f->scope);
	f->watch = watch_readable(f->fd, fakeservice_accept, f);
}

/* Closes the socket and all its connections. May wait. */
static inline void fakeservice_stop(struct fakeservice *f)
{
	watch_free(f->watch);
	close(f->fd);
	unlink(f->path);
	scope_end(&f->scope);
}

#endif
