/* The filter serves as a user that may not reach postlogd's socket, and lives on when the gateway
 * is started anew, with a new socket. A helper that kept the group of that socket, and nothing else
 * of root, opens it for us. */
#include "filters/smtpfilter/smtpfilter.h"

#include "base/fdpass.h"
#include "log/log.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int helper = -1;

static void help(int asker, uid_t uid, gid_t gid)
{
	char any;
	int fd;

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "log-helper");
	setsid();
	while (fdpass_receive(asker, &any, 1, &fd) == 1) {
		fd = log_connect();
		fdpass_send(asker, "", 1, fd);
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

static int ask(void)
{
	char any;
	int fd = -1;

	if (fdpass_send(helper, "", 1, -1) < 0 || fdpass_receive(helper, &any, 1, &fd) < 0 ||
	    fd < 0)
		return -1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

void logs_keep(uid_t uid)
{
	const struct group *gr = *conf.maillog_file ? getgrnam(conf.setgid_group) : NULL;
	struct timeval patience = {.tv_sec = 1};
	int pair[2];
	pid_t pid;

	if (!gr)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		log_fatal("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		log_fatal("fork: %s", strerror(errno));
	if (pid == 0) {
		close(pair[0]);
		help(pair[1], uid, gr->gr_gid);
	}
	close(pair[1]);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	helper = pair[0];
	log_connector(ask);
}
