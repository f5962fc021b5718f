/* postdrop: takes a message on standard input and leaves it in the maildrop (postdrop(1)).
 *
 * Installed set-gid setgid_group, so everything it is given is hostile: options, environment,
 * input. It does not need the mail system to be up. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "mail/submit.h"
#include "param/param.h"
#include "queue/write.h"
#include "service/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define RCPTS_MAX 100000

struct drop {
	struct arena arena;
	struct envelope env;
	struct buf content;
	bool have_sender;
};

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

static void refuse(int status, const char *text)
{
	log_warn("%s", text);
	answer(status, "", text);
}

static void take_sender(struct drop *d, const struct ipc_env_sender *s)
{
	if (d->have_sender)
		refuse(EX_DATAERR, "malformed input: two senders");
	d->have_sender = true;
	d->env.sender = (struct ipc_env_sender){
	    .address = arena_str(&d->arena, s->address),
	    .full_name = arena_str(&d->arena, s->full_name),
	    .envid = arena_str(&d->arena, s->envid),
	    .ret = s->ret,
	    .flags = s->flags,
	};
}

/* Attributes that a submitter may set; the others say who a network client was. */
static void take_attr(struct drop *d, const struct ipc_env_attr *a)
{
	static const char *const allowed[] = {"rewrite_context", "trace", "verp_delimiters", NULL};

	for (size_t i = 0; allowed[i]; i++)
		if (str_eq(a->name, str_of(allowed[i]))) {
			envelope_add_attr(&d->env, &d->arena, a->name, a->value);
			return;
		}
	refuse(EX_DATAERR, "malformed input: attribute that is not allowed");
}

static void take(struct drop *d, const struct ipc_msg *m)
{
	switch (m->type) {
	case MSG_ENV_SENDER:
		take_sender(d, &m->env_sender);
		break;
	case MSG_ENV_ATTR:
		take_attr(d, &m->env_attr);
		break;
	case MSG_ENV_RCPT:
		if (d->env.nrcpts >= RCPTS_MAX)
			refuse(EX_DATAERR, "too many recipients");
		envelope_add_rcpt(&d->env, &d->arena, &m->env_rcpt);
		break;
	case MSG_CLEANUP_CONTENT:
		buf_str(&d->content, m->cleanup_content.data);
		if (conf.message_size_limit > 0 &&
		    d->content.n > (size_t)conf.message_size_limit * 2)
			refuse(EX_DATAERR, "message file too big");
		break;
	default:
		refuse(EX_DATAERR, "malformed input");
	}
}

static void receive(struct drop *d)
{
	struct buf in = {0};
	struct ipc_msg m;
	struct err err;

	for (;;) {
		str rest = buf_view(&in);
		int got;

		while ((got = ipc_take(&rest, &m, &err)) == 0) {
			if (m.type == MSG_DROP_END) {
				buf_free(&in);
				return;
			}
			take(d, &m);
		}
		if (got < 0)
			refuse(EX_DATAERR, err.text);
		buf_drop(&in, in.n - rest.n);
		if (in.n > IPC_FRAME_MAX)
			refuse(EX_DATAERR, "malformed input: endless record");
		ssize_t n = read(STDIN_FILENO, buf_room(&in, 64 * 1024), 64 * 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(EX_DATAERR); /* the submitter gave up: nothing is left behind */
		buf_added(&in, (size_t)n);
	}
}

static void store(struct drop *d)
{
	char id[QUEUE_ID_MAX];
	struct buf wake = {0};
	struct err err;
	sigset_t all;

	if (!d->have_sender || d->env.nrcpts == 0)
		refuse(EX_DATAERR, "malformed input: no sender or no recipients");
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	queue_id_new(id);
	d->env.message.queue_id = str_of(id);
	d->env.message.arrival_us = clock_wall_us();
	d->env.message.size = d->content.n;
	if (queue_write_file("maildrop", id, 0744, &d->env, buf_view(&d->content), &err) < 0)
		refuse(err.code == ENOSPC ? EX_TEMPFAIL : EX_IOERR, err.text);
	buf_printf(&wake, "public/%s", conf.pickup_service_name);
	service_trigger(buf_text(&wake), STR("W"), &err); /* a system that is down finds it later */
	answer(EX_OK, id, "");
}

int main(int argc, char **argv)
{
	struct drop d = {0};
	struct err err;
	int c;

	log_early("postdrop");
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
			log_verbose++;
			break;
		default:
			log_fatal_status(EX_USAGE, "usage: postdrop [-c config_dir] [-v]");
		}
	}
	if (conf_load(NULL, &err) < 0)
		log_fatal_status(EX_CONFIG, "%s", err.text);
	log_open("postdrop", true);
	if (chdir(conf.queue_directory) < 0)
		log_fatal_status(EX_UNAVAILABLE, "chdir %s: %m", conf.queue_directory);
	submit_check_user();
	receive(&d);
	store(&d);
}
