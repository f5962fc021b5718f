/* pickup: brings messages from the maildrop into the queue (pickup(8)). */
#include "base/clock.h"
#include "ipc/cleanup.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "param/param.h"
#include "queue/queue.h"
#include "service/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A message of the maildrop. */
struct drop {
	struct queue_ref ref;
	struct arena arena;
	struct envelope env;
	struct buf path;
	uid_t uid; /* of the file: who handed it in */
	int fd;
};

static struct sema one_scan;
static bool again; /* triggered while a scan was under way */

static void received(struct cleanup *c, const struct drop *d, const char *id, int64_t now)
{
	struct buf text = {0}, wire = {0};
	char date[CLOCK_MAIL_DATE];

	buf_printf(&text, "Received: by %s (%s, from userid %ld)\n\tid %s; %s", conf.myhostname,
	    conf.mail_name, (long)d->uid, id, clock_mail_date(now / 1000000, date));
	header_wire(&wire, buf_view(&text));
	cleanup_content(c, buf_view(&wire));
	buf_free(&text);
	buf_free(&wire);
}

static void envelope(struct cleanup *c, const struct drop *d)
{
	char uid[24];

	cleanup_put(c, MSG_ENV_SENDER, &d->env.sender);
	for (size_t i = 0; i < d->env.nattrs; i++) {
		if (str_eq(d->env.attrs[i].name, STR("trace"))) {
			struct ipc_cleanup_env a = {
			    .action = STR("trace"), .value = d->env.attrs[i].value};
			cleanup_put(c, MSG_CLEANUP_ENV, &a);
		} else {
			cleanup_put(c, MSG_ENV_ATTR, &d->env.attrs[i]);
		}
	}
	snprintf(uid, sizeof(uid), "%ld", (long)d->uid);
	cleanup_attr(c, "uid", str_of(uid));
	cleanup_attr(c, "log_message_origin", STR("local"));
	for (size_t i = 0; i < d->env.nrcpts; i++)
		if (d->env.status[i].kind == 0)
			cleanup_put(c, MSG_ENV_RCPT, &d->env.rcpts[i]);
}

static uint32_t flags(const struct drop *d)
{
	uint32_t f = CLEANUP_MASK_EXTERNAL | CLEANUP_FLAG_BOUNCE_ON_ERROR | CLEANUP_FLAG_AUTOUTF8;

	if (!str_eq(envelope_attr(&d->env, "rewrite_context"), STR("remote")))
		f |= CLEANUP_FLAG_LOCAL_HEADERS;
	if (d->env.sender.flags & SENDER_SMTPUTF8)
		f |= CLEANUP_FLAG_SMTPUTF8;
	return f;
}

static void content(struct cleanup *c, const struct drop *d)
{
	struct buf piece = {0};
	uint64_t left = d->ref.content_length, at = d->ref.content_offset;

	while (left > 0) {
		size_t want = left < 65536 ? (size_t)left : 65536;
		ssize_t n = pread(d->fd, buf_room(&piece, want), want, (off_t)at);
		if (n <= 0)
			break; /* checked by queue_read_envelope: cannot be shorter */
		cleanup_content(c, str_mem(piece.p, (size_t)n));
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	buf_free(&piece);
}

/* True when the file is done with. */
static bool submit(struct drop *d)
{
	struct buf socket = {0}, text = {0};
	char id[QUEUE_ID_MAX];
	int64_t now = clock_wall_us();
	enum cleanup_status status;
	struct cleanup *c;

	queue_id_new(id);
	log_pickup(id, d->uid, d->env.sender.address);
	buf_printf(&socket, "public/%s", conf.cleanup_service_name);
	c = cleanup_open(buf_text(&socket), str_of(id),
	    d->env.message.arrival_us ? d->env.message.arrival_us : now, flags(d));
	envelope(c, d);
	received(c, d, id, now);
	content(c, d);
	status = cleanup_commit(c, &text);
	if (status != CLEANUP_OK)
		log_warn("maildrop/%s: %s: %s", d->ref.id, id,
		    text.n ? buf_text(&text) : "cleanup failed");
	buf_free(&socket);
	buf_free(&text);
	/* What failed for a reason that may pass stays; the rest was returned by cleanup, or is for
	 * nobody. */
	return status == CLEANUP_OK || status == CLEANUP_NO_RCPT;
}

static void corrupt(const struct drop *d, const char *why)
{
	struct buf to = {0};

	buf_printf(&to, "corrupt/%s", d->ref.id);
	log_warn("maildrop/%s: %s -- saved to corrupt", d->ref.id, why);
	if (rename(buf_text(&d->path), buf_text(&to)) < 0)
		log_warn("rename %s: %m", buf_text(&d->path));
	buf_free(&to);
}

static void one(struct drop *d)
{
	struct stat st;
	struct err err;

	queue_ref_path(&d->path, &d->ref);
	if (lstat(buf_text(&d->path), &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
		return; /* still being written, or gone */
	d->uid = st.st_uid;
	if (queue_read_envelope(&d->ref, &d->env, &d->arena, &err) < 0) {
		if (err.code == EBADMSG)
			corrupt(d, err.text);
		else if (err.code != ENOENT)
			log_warn("maildrop/%s: %s", d->ref.id, err.text);
		return;
	}
	d->fd = queue_content_open(buf_text(&d->path), &err);
	if (d->fd < 0) {
		log_warn("%s", err.text);
		return;
	}
	if (submit(d) && unlink(buf_text(&d->path)) < 0)
		log_warn("unlink %s: %m", buf_text(&d->path));
	queue_content_release(d->fd);
}

struct found {
	struct queue_ref *v;
	size_t n, cap;
};

static bool collect(const struct queue_ref *ref, void *arg)
{
	struct found *f = arg;

	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 64;
		f->v = mem_realloc(f->v, f->cap * sizeof(*f->v));
	}
	f->v[f->n++] = *ref;
	return f->n < 10000; /* the rest at the next scan */
}

static void scan(void)
{
	struct found f = {0};
	struct err err;

	if (queue_scan("maildrop", collect, &f, &err) < 0)
		log_warn("%s", err.text);
	again |= f.n >= 10000;
	for (size_t i = 0; i < f.n && !co_cancelled(); i++) {
		struct drop d = {.ref = f.v[i]};
		one(&d);
		buf_free(&d.path);
		arena_free(&d.arena);
	}
	free(f.v);
}

static void wakeup(void)
{
	again = true;
	if (sema_take(&one_scan, FOREVER) != WAIT_OK)
		return;
	while (again && !co_cancelled()) {
		again = false;
		scan();
	}
	sema_give(&one_scan);
}

static void start(void)
{
	sema_init(&one_scan, 1);
}

int main(int argc, char **argv)
{
	static const struct service pickup = {
	    .program = "pickup", .start = start, .wakeup = wakeup};

	return service_main(argc, argv, &pickup);
}
