/* pickup: brings messages from the maildrop into the queue (pickup(8)).
 *
 * Whoever may run postdrop decides what is in the maildrop: a file is opened once, without
 * following links, and what it says is checked. */
#include "base/clock.h"
#include "base/names.h"
#include "ipc/cleanup.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "param/param.h"
#include "queue/qfile.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE 8 /* messages on their way to cleanup: their syncs are shared */
#define PIECE	65536

/* A message of the maildrop. */
struct drop {
	const char *name;
	char *path;
	int fd;
	uid_t uid; /* of the file: who handed it in */
	struct qfile_head head;
	struct arena arena;
	struct envelope env;
};

static uint32_t override_mask;
static struct sema one_scan;
static bool again; /* triggered while a scan was under way */

/* --- to cleanup */

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

/* What postdrop lets a submitter say about a message. */
static void attribute(struct cleanup *c, const struct ipc_env_attr *a)
{
	struct ipc_cleanup_env trace = {.action = STR("trace"), .value = a->value};

	if (str_eq(a->name, STR("trace")))
		cleanup_put(c, MSG_CLEANUP_ENV, &trace);
	else if (str_eq(a->name, STR("rewrite_context")) || str_eq(a->name, STR("verp_delimiters")))
		cleanup_put(c, MSG_ENV_ATTR, a);
}

static void envelope(struct cleanup *c, const struct drop *d)
{
	char uid[24];

	cleanup_put(c, MSG_ENV_SENDER, &d->env.sender);
	for (size_t i = 0; i < d->env.nattrs; i++)
		attribute(c, &d->env.attrs[i]);
	snprintf(uid, sizeof(uid), "%ld", (long)d->uid);
	cleanup_attr(c, "uid", str_of(uid));
	cleanup_attr(c, "log_message_origin", STR("local"));
	if (*conf.content_filter)
		cleanup_attr(c, "content_filter", str_of(conf.content_filter));
	for (size_t i = 0; i < d->env.nrcpts; i++)
		if (d->env.status[i].kind == 0)
			cleanup_put(c, MSG_ENV_RCPT, &d->env.rcpts[i]);
}

/* postsuper -r leaves files of the mail system itself, under the name that they had, and with
 * attributes that postdrop does not let through. */
static bool is_requeued(const struct drop *d)
{
	return d->uid == getuid() && envelope_attr(&d->env, "log_message_origin").n > 0;
}

static uint32_t flags(const struct drop *d)
{
	uint32_t f = (CLEANUP_MASK_EXTERNAL & ~override_mask) | CLEANUP_FLAG_BOUNCE_ON_ERROR |
		     cleanup_autodetect("sendmail");

	if (!str_eq(envelope_attr(&d->env, "rewrite_context"), STR("remote")))
		f |= CLEANUP_FLAG_LOCAL_HEADERS;
	if (is_requeued(d))
		f &= ~(uint32_t)CLEANUP_FLAG_MILTER; /* they have seen it, or it was not for them */
	return f;
}

/* -1: the file is shorter than it says. */
static int content(struct cleanup *c, const struct drop *d)
{
	struct buf piece = {0};
	uint64_t left = d->head.content_length, at = d->head.content_offset;
	bool first = true;

	while (left > 0) {
		size_t want = left < PIECE ? (size_t)left : PIECE;
		ssize_t n = pread(d->fd, buf_room(&piece, want), want, (off_t)at);

		if (n <= 0)
			break;
		/* It must not become part of our Received field. */
		if (first && (piece.p[0] == ' ' || piece.p[0] == '\t'))
			cleanup_content(c, STR("\r\n"));
		first = false;
		cleanup_content(c, str_mem(piece.p, (size_t)n));
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	buf_free(&piece);
	return left > 0 ? -1 : 0;
}

static const char *trouble(enum cleanup_status status)
{
	switch (status) {
	case CLEANUP_SPACE:
		return "insufficient system storage";
	case CLEANUP_EXPANSION:
		return "alias expansion error";
	case CLEANUP_NO_RCPT:
		return "no recipients";
	case CLEANUP_BAD:
		return "internal protocol error";
	default:
		return "queue file write error";
	}
}

/* True when the file is done with. What failed for a reason that may pass stays; what is refused is
 * returned by cleanup. */
static bool submit(struct drop *d)
{
	struct buf socket = {0}, text = {0};
	char id[QUEUE_ID_MAX];
	int64_t now = clock_wall_us();
	enum cleanup_status status;
	struct cleanup *c;

	queue_id_new(id);
	log_pickup(id, d->uid, d->env.sender.address, is_requeued(d) ? d->name : NULL);
	buf_printf(&socket, "public/%s", conf.cleanup_service_name);
	c = cleanup_open(buf_text(&socket), str_of(id),
	    d->env.message.arrival_us ? d->env.message.arrival_us : now, flags(d));
	buf_free(&socket);
	envelope(c, d);
	received(c, d, id, now);
	if (content(c, d) < 0) {
		cleanup_abort(c);
		log_warn("%s: shorter than it should be", d->path);
		return false;
	}
	status = cleanup_commit(c, &text);
	if (status != CLEANUP_OK)
		log_warn("%s: error writing %s: %s", d->path, id,
		    text.n ? buf_text(&text) : trouble(status));
	buf_free(&text);
	return status == CLEANUP_OK || status == CLEANUP_NO_RCPT;
}

/* --- the file */

static void corrupt(const struct drop *d, const char *why)
{
	struct buf to = {0};

	buf_printf(&to, "corrupt/%s", d->name);
	log_warn("%s: %s -- saved to %s", d->path, why, buf_text(&to));
	if (rename(d->path, buf_text(&to)) < 0)
		log_warn("rename %s: %s", d->path, strerror(errno));
	buf_free(&to);
}

/* 1: read; 0: not (yet) for us; -1 and err (EBADMSG: it is damaged). */
static int read_file(struct drop *d, struct err *err)
{
	struct stat st;

	d->fd = qfile_open(d->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, &d->head, err);
	if (d->fd < 0)
		return -1;
	if (fstat(d->fd, &st) < 0)
		return err_errno(err, errno, "fstat");
	if (!(st.st_mode & S_IXUSR))
		return 0; /* still being written */
	if (st.st_nlink != 1) {
		err_set(err, "it has another name");
		err->code = EBADMSG;
		return -1;
	}
	d->uid = st.st_uid;
	if (qfile_read_envelope(d->fd, &d->head, &d->env, &d->arena, NULL, err) < 0 ||
	    qfile_check_content(d->fd, &d->head, err) < 0)
		return -1;
	return 1;
}

static void one(const char *name)
{
	struct drop d = {.name = name, .path = qfile_path("maildrop", name), .fd = -1};
	struct err err;
	int r = read_file(&d, &err);

	if (r < 0 && err.code == EBADMSG)
		corrupt(&d, err.text);
	else if (r < 0 && err.code != ENOENT)
		log_warn("%s: %s", d.path, err.text);
	else if (r > 0 && submit(&d) && unlink(d.path) < 0)
		log_warn("unlink %s: %s", d.path, strerror(errno));
	if (d.fd >= 0)
		close(d.fd);
	arena_free(&d.arena);
	free(d.path);
}

/* --- the maildrop */

struct scan {
	struct arena arena;
	const char **names;
	size_t n, cap, next;
};

static bool collect(const struct queue_ref *ref, void *arg)
{
	struct scan *s = arg;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->names = mem_realloc(s->names, s->cap * sizeof(*s->names));
	}
	s->names[s->n++] = arena_cstr(&s->arena, str_of(ref->id));
	return true;
}

static void take(void *arg)
{
	struct scan *s = arg;

	while (s->next < s->n && !co_cancelled())
		one(s->names[s->next++]);
}

static void scan(void)
{
	struct scan s = {0};
	struct scope scope;
	struct err err;

	if (queue_scan("maildrop", collect, &s, &err) < 0)
		log_warn("%s", err.text);
	scope_init(&scope);
	for (size_t i = 0; i < AT_ONCE && i < s.n; i++)
		co_start(&scope, "maildrop", take, &s);
	scope_join(&scope);
	free(s.names);
	arena_free(&s.arena);
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

/* --- start */

static void setup(void)
{
	static const struct name_row names[] = {
	    {"no_unknown_recipient_checks", 0},
	    {"no_address_mappings", CLEANUP_FLAG_MAP | CLEANUP_FLAG_BCC},
	    {"no_header_body_checks", CLEANUP_FLAG_FILTER},
	    {"no_milters", CLEANUP_FLAG_MILTER},
	    {NULL, 0},
	};
	uint64_t mask;
	struct err err;

	if (names_mask(names, str_of(conf.receive_override_options), &mask, &err) < 0)
		log_fatal("receive_override_options: %s", err.text);
	override_mask = (uint32_t)mask;
}

static void start(void)
{
	sema_init(&one_scan, 1);
}

int main(int argc, char **argv)
{
	static const struct service pickup = {
	    .program = "pickup", .setup = setup, .start = start, .wakeup = wakeup};

	return service_main(argc, argv, &pickup);
}
