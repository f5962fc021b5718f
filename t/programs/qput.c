/* Puts messages into a queue and tells qmgr of them, as cleanup does: for tests and measurements of
 * qmgr.
 *
 *     qput -c config_dir [-n count] [-f] [-k] [-h] [-s sender] [-a name=value] [-v] [-N] recipient
 * ...
 *
 * -f: into a file of incoming (default: the log). -h: on hold. -k: qmgr is not told. -N: notify on
 * success. -v: a report is wanted (sendmail -v). A recipient "old=new" has an original address.
 * Prints the queue IDs.
 * A "#" in a single recipient becomes the number of the message. */
#include "base/clock.h"
#include "ipc/msg.h"
#include "log/log.h"
#include "loop/loop.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "queue/write.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct arena arena;
static struct envelope env;
static int count = 1;
static bool file, quiet, hold;
static struct stream *qmgr;
static struct sema writing; /* one at a time */

static struct buf closings; /* what qmgr is told in the end */

static void tell(const struct queue_ref *ref, const struct envelope *env)
{
	struct buf records = {0};
	struct envelope whole = *env;
	struct ipc_qmgr_new m = {.queue_id = str_of(ref->id),
	    .lane = ref->lane,
	    .queue = str_of(ref->queue),
	    .segment = ref->segment,
	    .generation = ref->generation,
	    .offset = ref->offset,
	    .length = ref->length,
	    .content_offset = ref->content_offset,
	    .content_length = ref->content_length};

	whole.message.queue_id = m.queue_id;
	envelope_encode(&whole, &records);
	m.envelope = buf_view(&records);
	sema_take(&writing, FOREVER);
	if (qmgr)
		ipc_send(qmgr, MSG_QMGR_NEW, &m, FOREVER);
	sema_give(&writing);
	buf_free(&records);
}

/* The envelope of the next message, whose recipient may have a number of its own. */
struct numbered {
	struct envelope env;
	struct ipc_env_rcpt rcpt;
	char text[256];
};

static void number(struct numbered *m)
{
	static int n;
	str pattern = env.rcpts[0].address;
	ptrdiff_t at = str_chr(pattern, '#');

	m->env = env;
	m->env.message.arrival_us = clock_wall_us();
	if (at < 0 || env.nrcpts != 1)
		return;
	snprintf(m->text, sizeof(m->text), "%.*s%d%.*s", (int)at, pattern.p, ++n,
	    STR_FMT(str_from(pattern, (size_t)at + 1)));
	m->rcpt = env.rcpts[0];
	m->rcpt.address = str_of(m->text);
	m->env.rcpts = &m->rcpt;
}

static void put_one(struct queue_writer *w)
{
	static const char content[] = "Subject: test\r\n\r\nbody\r\n";
	struct queue_message *m;
	struct queue_ref ref;
	struct numbered numbered;
	struct err err;
	char id[QUEUE_ID_MAX];

	queue_id_new(id);
	number(&numbered);
	m = queue_message_new(file ? NULL : w, id);
	if (queue_message_content(m, str_mem(content, sizeof(content) - 1), &err) < 0 ||
	    queue_message_commit(m, hold ? "hold" : "incoming", &numbered.env, &ref, &err) < 0)
		log_fatal("%s: %s", id, err.text);
	puts(id);
	tell(&ref, &numbered.env);
}

static void closed(uint64_t segment, uint64_t generation)
{
	struct ipc_qmgr_closed m = {segment, generation, {}};
	struct buf frame = {0};

	ipc_put(&frame, MSG_QMGR_CLOSED, &m);
	buf_add(&closings, frame.p, frame.n);
	buf_free(&frame);
}

static struct queue_writer *writer;
static int left;

static void putter(void *arg)
{
	(void)arg;
	while (left > 0) {
		left--;
		put_one(writer);
	}
}

static void run(void *arg)
{
	struct scope scope;
	struct err err;

	(void)arg;
	if (!quiet) {
		qmgr = stream_connect_unix("public/qmgr", deadline_in(10000), &err);
		if (!qmgr)
			log_fatal("%s", err.text);
	}
	sema_init(&writing, 1);
	writer = queue_writer_new(closed);
	left = count;
	scope_init(&scope);
	for (int i = 0; i < 50; i++)
		co_start(&scope, "putter", putter, NULL);
	scope_join(&scope);
	queue_writer_free(writer);
	if (qmgr && closings.n)
		stream_write(qmgr, closings.p, closings.n, FOREVER);
	if (qmgr)
		stream_flush(qmgr, FOREVER);
	stream_free(qmgr);
	fflush(stdout);
	exit(0);
}

static void become_owner(void)
{
	struct passwd *p = getpwnam(conf.mail_owner);

	if (getuid() == 0 && p &&
	    (setgroups(0, NULL) < 0 || setgid(p->pw_gid) < 0 || setuid(p->pw_uid) < 0))
		log_fatal("cannot become %s", conf.mail_owner);
}

static void options(int argc, char **argv, uint32_t *notify)
{
	struct err err;
	int c;

	while ((c = getopt(argc, argv, "c:n:s:a:fkhvN")) > 0) {
		str rest = str_of(optarg), name = {0};

		if (c == 'c' && conf_set_dir(optarg, &err) < 0)
			log_fatal("%s", err.text);
		if (c == 'n')
			count = atoi(optarg);
		if (c == 's')
			env.sender.address = str_of(optarg);
		if (c == 'a' && str_split(&rest, '=', &name))
			envelope_add_attr(&env, &arena, name, rest);
		if (c == 'N')
			*notify = DSN_NOTIFY_SUCCESS;
		if (c == 'v')
			env.message.flags |= MESSAGE_TRACE;
		file |= c == 'f';
		quiet |= c == 'k';
		hold |= c == 'h';
	}
}

int main(int argc, char **argv)
{
	uint32_t notify = 0;
	struct err err;

	env.sender.address = STR("sender@example.test");
	log_early("qput");
	options(argc, argv, &notify);
	for (int i = optind; i < argc; i++) {
		str rest = str_of(argv[i]), first = {0};
		struct ipc_env_rcpt r = {.address = rest, .notify = notify};

		if (str_chr(rest, '=') >= 0 && str_split(&rest, '=', &first)) {
			r.orig_address = first;
			r.address = rest;
		}
		envelope_add_rcpt(&env, &arena, &r);
	}
	env.message.size = 20;
	if (conf_load(NULL, &err) < 0 || chdir(conf.queue_directory) < 0)
		log_fatal("%s", err.text);
	become_owner();
	loop_init();
	loop_run(run, NULL);
	return 0;
}
