/* Messages on their way into the queue. */
#include "queue/message.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "loop/work.h"
#include "queue/io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SPILL_PIECE (256u << 10) /* gathered before it goes to the file */
#define RESERVE	    (64u << 10)	 /* a message larger than that gets memory in large steps */

static size_t process_memory; /* of the contents of all messages */

struct queue_message *queue_message_new(struct queue_writer *w, const char *id)
{
	struct queue_message *m = mem_zero(sizeof *m);

	m->writer = w;
	m->file.fd = -1;
	snprintf(m->id, sizeof m->id, "%s", id);
	cond_init(&m->cond);
	return m;
}

static void message_account(struct queue_message *m)
{
	process_memory = process_memory - m->counted + m->content.n;
	m->counted = m->content.n;
}

static void message_free(struct queue_message *m)
{
	process_memory -= m->counted;
	buf_free(&m->content);
	buf_free(&m->envelope);
	free(m);
}

/* --- content that is too much for memory */

struct spill {
	struct queue_message *m;
	struct err *err;
	int result;
};

static void spill_run(void *arg)
{
	struct spill *s = arg;
	struct queue_message *m = s->m;

	if (!m->spilled)
		s->result = qfile_begin(&m->file, "incoming", m->id, s->err);
	if (s->result == 0 && qfile_content(&m->file, buf_view(&m->content)) < 0) {
		s->result = err_errno(s->err, errno, "write %s", m->file.path);
		qfile_drop(&m->file);
	}
}

static int message_spill(struct queue_message *m, struct err *err)
{
	struct err local = {0};
	struct spill s = {.m = m, .err = err ? err : &local};

	work_run(spill_run, &s);
	m->spilled = true;
	if (m->content.cap > SPILL_PIECE)
		buf_free(&m->content);
	else
		buf_clear(&m->content);
	message_account(m);
	return s.result;
}

/* Few steps of growth: each copies all there is. */
static void message_reserve(struct queue_message *m, size_t n)
{
	size_t need = m->content.n + n,
	       size = need > 4 * RESERVE ? MESSAGE_MEMORY + SPILL_PIECE : 4 * RESERVE;

	if (need > RESERVE && need > m->content.cap)
		buf_room(&m->content, size - m->content.n);
}

int queue_message_content(struct queue_message *m, str wire, struct err *err)
{
	size_t limit = m->spilled ? SPILL_PIECE : MESSAGE_MEMORY;

	if (m->spilled && m->file.fd < 0)
		return err_errno(err, EIO, "%s: an earlier write failed", m->id);
	while (wire.n > 0) {
		str part = str_head(wire, SPILL_PIECE);

		message_reserve(m, part.n);
		buf_str(&m->content, part);
		if (!m->spilled) /* now, while it is in the processor's cache */
			m->content_crc = crc32c(m->content_crc, part.p, part.n);
		message_account(m);
		m->length += part.n;
		wire = str_from(wire, part.n);
		if ((m->content.n > limit ||
			(process_memory > PROCESS_MEMORY && m->content.n >= SPILL_PIECE / 4)) &&
		    message_spill(m, err) < 0)
			return -1;
		limit = m->spilled ? SPILL_PIECE : MESSAGE_MEMORY;
	}
	return 0;
}

uint64_t queue_message_length(const struct queue_message *m)
{
	return m->length;
}

str queue_message_memory(struct queue_message *m)
{
	return m->spilled ? (str){NULL, 0} : buf_view(&m->content);
}

int queue_message_file(struct queue_message *m, uint64_t *offset, struct err *err)
{
	if (m->file.fd >= 0 && m->content.n > 0 && message_spill(m, err) < 0)
		return -1;
	if (m->file.fd < 0)
		return err_errno(err, EIO, "%s: an earlier write failed", m->id);
	*offset = QFILE_HEAD;
	return m->file.fd;
}

struct queue_message *queue_message_again(struct queue_message *m)
{
	/* The new one may need the file's name. */
	if (m->file.path)
		unlink(m->file.path);
	free(m->file.path);
	m->file.path = NULL;
	return queue_message_new(m->writer, m->id);
}

/* --- commit */

struct commit {
	struct queue_message *m;
	const char *queue;
	struct queue_ref *ref;
	struct err *err;
	int result;
};

static void commit_ref(struct commit *c)
{
	*c->ref = (struct queue_ref){
	    .lane = LANE_FILE,
	    .content_offset = QFILE_HEAD,
	    .content_length = c->m->length,
	};
	snprintf(c->ref->id, sizeof c->ref->id, "%s", c->m->id);
	snprintf(c->ref->queue, sizeof c->ref->queue, "%s", c->queue);
}

/* A message that spilled into incoming but was put on hold: its file's last name is there instead.
 */
static void commit_redirect(struct commit *c)
{
	struct qfile_temp *t = &c->m->file;

	if (strcmp(c->queue, "incoming") == 0)
		return;
	free(t->final);
	t->final = qfile_path(c->queue, c->m->id);
}

static void commit_file(void *arg)
{
	struct commit *c = arg;
	struct queue_message *m = c->m;

	if (!m->spilled)
		c->result = qfile_begin(&m->file, c->queue, m->id, c->err);
	else
		commit_redirect(c);
	if (c->result < 0)
		return;
	if (qfile_content(&m->file, buf_view(&m->content)) < 0) {
		c->result = err_errno(c->err, errno, "write %s", m->file.path);
		qfile_drop(&m->file);
		return;
	}
	c->result = qfile_commit(&m->file, buf_view(&m->envelope), STR(""), 0700, 0, c->err);
	if (c->result == 0)
		commit_ref(c);
}

static bool commit_to_log(const struct queue_message *m, const char *queue)
{
	return !m->spilled && m->writer && strcmp(queue, "incoming") == 0 &&
	       record_length(m->envelope.n, m->content.n) <= RECORD_MAX;
}

int queue_message_commit(struct queue_message *m, const char *queue, const struct envelope *e,
    struct queue_ref *ref, struct err *err)
{
	struct envelope whole = *e;
	struct err local = {0};
	struct commit c = {.m = m, .queue = queue, .ref = ref, .err = err ? err : &local};

	if (m->spilled && m->file.fd < 0)
		return err_errno(err, EIO, "%s: an earlier write failed", m->id);
	whole.message.queue_id = str_of(m->id);
	buf_clear(&m->envelope);
	envelope_encode(&whole, &m->envelope);
	if (commit_to_log(m, queue)) {
		int error = writer_append(m->writer, m, ref);

		if (error)
			c.result = err_errno(err, error, "write message %s to the log", m->id);
	} else {
		work_run(commit_file, &c);
		if (c.result < 0)
			m->spilled =
			    true; /* what was in memory is still there, but nothing can be added */
	}
	if (c.result == 0)
		message_free(m);
	return c.result;
}

static void abort_run(void *arg)
{
	struct queue_message *m = arg;

	qfile_drop(&m->file);
}

void queue_message_abort(struct queue_message *m)
{
	if (!m)
		return;
	if (m->file.path)
		abort_run(m); /* unlink of an unsynced file: no wait for the disk */
	else if (m->file.fd >= 0)
		qfile_forget(&m->file); /* queue_message_again() */
	message_free(m);
}

/* The content comes from memory, or from where another message lies. */
static int write_content(
    struct qfile_temp *t, str content, const struct queue_ref *from, struct err *err)
{
	struct buf path = {0};
	int fd, code, result;

	if (!from)
		return qfile_content(t, content) < 0 ? err_errno(err, errno, "write %s", t->path)
						     : 0;
	queue_ref_path(&path, from);
	fd = io_open(buf_text(&path), O_RDONLY, 0, "queue.file.open");
	result =
	    fd < 0 ? -1 : qfile_content_from(t, fd, from->content_offset, from->content_length);
	code = errno;
	if (fd >= 0)
		close(fd);
	if (result < 0)
		err_errno(err, code, "copy %s to %s", buf_text(&path), t->path);
	buf_free(&path);
	return result;
}

static int write_file(const char *queue, const char *id, mode_t mode, const struct envelope *e,
    str content, const struct queue_ref *from, struct err *err)
{
	struct envelope whole = *e;
	struct qfile_temp t;
	struct buf env = {0};
	int result;

	whole.message.queue_id = str_of(id);
	envelope_encode(&whole, &env);
	result = qfile_begin(&t, queue, id, err);
	if (result == 0) {
		result = write_content(&t, content, from, err);
		if (result < 0)
			qfile_drop(&t);
	}
	if (result == 0)
		result = qfile_commit(&t, buf_view(&env), STR(""), mode, 0, err);
	buf_free(&env);
	return result;
}

int queue_write_file(const char *queue, const char *id, mode_t mode, const struct envelope *e,
    str content, struct err *err)
{
	return write_file(queue, id, mode, e, content, NULL, err);
}

int queue_copy_file(const char *queue, const struct queue_ref *from, mode_t mode,
    const struct envelope *e, struct err *err)
{
	return write_file(queue, from->id, mode, e, STR(""), from, err);
}
