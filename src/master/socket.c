/* Listening sockets of a service. Those below public/ and private/ are made as the mail owner, who
 * owns these directories and could otherwise make root follow a link. */
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "loop/stream.h"
#include "master/master.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel lowers it to its own limit */

static void become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0 && getuid() != 0)
		return;
	if (seteuid(0) < 0 || setegid(gid) < 0 || seteuid(uid) < 0)
		log_fatal("cannot switch to user %ld: %s", (long)uid, strerror(errno));
}

static int open_dgram(const char *path, struct err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof at.sun_path)
		return err_errno(err, ENAMETOOLONG, "%s", path);
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	unlink(path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || chmod(path, 0666) < 0) {
		int error = errno;

		close(fd);
		return err_errno(err, error, "bind %s", path);
	}
	return fd;
}

static int open_fifo(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (mkfifo(path, 0622) < 0 && errno != EEXIST)
		return err_errno(err, errno, "create fifo %s", path);
	/* Read-write, so that it does not end when the last writer goes. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "open fifo %s", path);
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || fchmod(fd, 0622) < 0) {
		close(fd);
		return err_set(err, "%s: not a fifo", path);
	}
	return fd;
}

static int open_local(const struct master_service *s, struct err *err)
{
	int fd;

	become(master.owner_uid, master.owner_gid);
	switch (s->type) {
	case SERVICE_DGRAM:
		fd = open_dgram(s->socket_path, err);
		break;
	case SERVICE_FIFO:
		fd = open_fifo(s->socket_path, err);
		break;
	default:
		fd = listen_unix(s->socket_path, 0666, BACKLOG, err);
	}
	become(0, 0);
	return fd;
}

static void keep(struct master_service *s, int fd, const struct hostaddr *addr)
{
	struct master_socket *k;

	s->socks = mem_realloc(s->socks, sizeof *s->socks * (s->nsocks + 1));
	k = &s->socks[s->nsocks++];
	*k = (struct master_socket){.fd = fd};
	if (addr)
		k->addr = *addr;
}

/* The descriptor of a socket of old with this address, which leaves old; -1 if it has none. */
static int take_over(struct master_service *old, const struct hostaddr *addr)
{
	for (size_t i = 0; old && i < old->nsocks; i++) {
		struct master_socket *k = &old->socks[i];
		bool same = addr ? k->addr.len == addr->len &&
				       k->addr.sa.sa_family == addr->sa.sa_family &&
				       hostaddr_eq(&k->addr, addr) &&
				       hostaddr_port(&k->addr) == hostaddr_port(addr)
				 : true;

		if (k->fd >= 0 && same) {
			int fd = k->fd;

			watch_free(k->watch);
			k->watch = NULL;
			k->fd = -1;
			return fd;
		}
	}
	return -1;
}

static int open_inet(struct master_service *s, struct master_service *old,
    const struct hostaddr *addr, struct err *err)
{
	int fd = take_over(old, addr);

	if (fd < 0)
		fd = listen_inet(addr, BACKLOG, err);
	if (fd >= 0)
		keep(s, fd, addr);
	return fd < 0 ? -1 : 0;
}

static int open_all_inet(struct master_service *s, struct master_service *old, struct err *err)
{
	struct hostaddr *v;
	size_t n;
	int r = 0;

	if (addresses_of(s, &v, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = open_inet(s, old, &v[i], err);
		/* A kernel without IPv6 is no reason not to serve IPv4. */
		if (r < 0 && v[i].sa.sa_family == AF_INET6 && n > 1 &&
		    (err->code == EAFNOSUPPORT || err->code == EADDRNOTAVAIL))
			r = 0;
	}
	free(v);
	if (r == 0 && s->nsocks == 0)
		return err_prefix(err, "service %s", s->name);
	return r;
}

int sockets_open(struct master_service *s, struct master_service *old, struct err *err)
{
	int fd;

	if (s->type == SERVICE_INET)
		return open_all_inet(s, old, err);
	fd = take_over(old, NULL);
	if (fd < 0)
		fd = open_local(s, err);
	if (fd < 0)
		return -1;
	keep(s, fd, NULL);
	return 0;
}

void sockets_close(struct master_service *s, bool unlink_path)
{
	bool had = false;

	for (size_t i = 0; i < s->nsocks; i++) {
		watch_free(s->socks[i].watch);
		s->socks[i].watch = NULL;
		if (s->socks[i].fd < 0)
			continue;
		had = true;
		close(s->socks[i].fd);
		s->socks[i].fd = -1;
	}
	if (unlink_path && had && s->socket_path) {
		become(master.owner_uid, master.owner_gid);
		unlink(s->socket_path);
		become(0, 0);
	}
}
