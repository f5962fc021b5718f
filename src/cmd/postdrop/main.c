/* postdrop: takes a message on standard input and leaves it in the maildrop (postdrop(1)).
 *
 * Installed set-gid setgid_group, so everything it is given is hostile: options, environment,
 * input. It does not need the mail system to be up. receive.c reads the input; this file stores. */
#include "cmd/postdrop/postdrop.h"

#include "base/clock.h"
#include "base/file.h"
#include "log/log.h"
#include "mail/submit.h"
#include "param/param.h"
#include "queue/write.h"
#include "service/service.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static void answer(int status, const char *id, const char *text)
{
	struct ipc_drop_done done = {
	    .status = (uint32_t)status, .queue_id = str_of(id), .text = str_of(text)};
	struct buf out = {0};

	ipc_put(&out, MSG_DROP_DONE, &done);
	if (file_write_all(STDOUT_FILENO, out.p, out.n) < 0)
		exit(EX_IOERR);
	exit(status);
}

/* Tells the submitter, and for what is not the user's own doing, the log. */
static void refuse(int status, const char *text)
{
	if (status != EX_NOPERM)
		log_warn("uid=%ld: %s", (long)getuid(), text);
	answer(status, "", text);
}

/* --- input */

static void receive(struct drop *d)
{
	struct err err;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, buf_room(&d->in, 64 * 1024), 64 * 1024);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* The submitter gave up: nothing is left behind. */
			log_warn("uid=%ld: unexpected end of input", (long)getuid());
			exit(EX_DATAERR);
		}
		buf_added(&d->in, (size_t)n);
		switch (drop_take(d, &err)) {
		case DROP_MORE:
			break;
		case DROP_COMPLETE:
			return;
		default:
			refuse(EX_DATAERR, err.text);
		}
	}
}

static void check_sender(const struct drop *d)
{
	struct buf text = {0};
	struct err err;

	switch (submit_sender_allowed(d->env.sender.address, &err)) {
	case TABLE_FOUND:
		return;
	case TABLE_ERROR:
		log_warn("local_login_sender_maps: %s", err.text);
		refuse(EX_TEMPFAIL, "local_login_sender_maps lookup error");
		break;
	default:
		buf_printf(
		    &text, "not authorized to use sender='%.*s'", STR_FMT(d->env.sender.address));
		refuse(EX_NOPERM, buf_text(&text));
	}
}

/* --- the file */

static void store(struct drop *d)
{
	char id[QUEUE_ID_MAX];
	struct buf wake = {0};
	struct err err;
	sigset_t all;

	/* What could end us would leave half a file (SIGXFSZ too: then the write fails). */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	queue_id_new(id);
	d->env.message.queue_id = str_of(id);
	d->env.message.arrival_us = clock_wall_us();
	d->env.message.size = d->facts.size;
	if (queue_write_file("maildrop", id, 0744, &d->env, buf_view(&d->content), &err) < 0)
		refuse(err.code == ENOSPC ? EX_TEMPFAIL : EX_IOERR, err.text);
	buf_printf(&wake, "public/%s", conf.pickup_service_name);
	service_trigger(buf_text(&wake), STR("W"), &err); /* a system that is down finds it later */
	answer(EX_OK, id, "");
}

int main(int argc, char **argv)
{
	struct drop d;
	struct err err;
	int c;

	argv[0] = "postdrop"; /* for getopt's messages */
	log_early("postdrop");
	conf_clean_environment();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "c:rv")) > 0) {
		switch (c) {
		case 'c':
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal_status(EX_USAGE, "%s", err.text);
			break;
		case 'r':
			break; /* the internal protocol is the only one */
		case 'v':
			log_verbose += getuid() == 0;
			break;
		default:
			log_fatal_status(EX_USAGE, "usage: postdrop [-rv] [-c config_dir]");
		}
	}
	if (conf_load(NULL, &err) < 0)
		log_fatal_status(EX_CONFIG, "%s", err.text);
	log_open("postdrop", true);
	if (chdir(conf.queue_directory) < 0)
		log_fatal_status(EX_UNAVAILABLE, "chdir %s: %m", conf.queue_directory);
	submit_check_user();
	drop_init(&d);
	receive(&d);
	check_sender(&d);
	store(&d);
}
