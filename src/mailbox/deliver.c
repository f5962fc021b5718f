/* One delivery at a time to a mailbox file, its locks, and the thread that is the user. */
#include "base/list.h"
#include "base/mem.h"
#include "loop/co.h"
#include "loop/work.h"
#include "mailbox/become.h"
#include "mailbox/letter.h"
#include "param/param.h"
#include <errno.h>
#include <stdlib.h>

#define PAUSE_MIN 20 /* ms, between attempts at a lock */

/* --- a mailbox file gets one message at a time: who waits for another delivery of this worker does
 * not meet its locks */

struct busy {
	struct list node;
	const char *path;
	struct cond freed;
	unsigned users;
	bool held;
};
static struct list busy_boxes = {&busy_boxes, &busy_boxes};

static struct busy *busy_find(const char *path)
{
	struct busy *b;

	LIST_FOREACH (b, &busy_boxes, struct busy, node)
		if (strcmp(b->path, path) == 0)
			return b;
	b = mem_zero(sizeof *b);
	b->path = mem_strdup(path);
	cond_init(&b->freed);
	list_append(&busy_boxes, &b->node);
	return b;
}

static void busy_leave(struct busy *b)
{
	if (!b->held)
		cond_wake_one(&b->freed);
	if (--b->users > 0)
		return;
	list_remove(&b->node);
	free((char *)b->path);
	free(b);
}

/* NULL: it stayed busy until the deadline. May wait. */
static struct busy *busy_begin(const char *path, int64_t deadline)
{
	struct busy *b = busy_find(path);

	b->users++;
	while (b->held) {
		if (cond_wait(&b->freed, deadline) != WAIT_OK) {
			busy_leave(b);
			return NULL;
		}
	}
	b->held = true;
	return b;
}

static void busy_end(struct busy *b)
{
	b->held = false;
	busy_leave(b);
}

/* --- delivery */

struct attempt {
	struct letter *letter;
	int result;
};

static void attempt_in_thread(void *arg)
{
	struct attempt *t = arg;
	struct letter *l = t->letter;

	t->result = -1;
	if (become_user(l->uid, l->gid, &l->err) < 0)
		return;
	t->result = l->maildir ? maildir_deliver(l) : mbox_deliver(l);
	become_self();
}

static int try_mbox(struct attempt *t)
{
	int64_t longest = (int64_t)conf.deliver_lock_delay * 1000, pause = PAUSE_MIN;
	int64_t deadline = deadline_in(longest * conf.deliver_lock_attempts);
	struct busy *busy = busy_begin(t->letter->full, deadline);

	if (!busy)
		return err_errno(&t->letter->err, EAGAIN, "unable to lock for exclusive access");
	for (;;) {
		work_run(attempt_in_thread, t);
		if (t->result <= 0 || loop_now() >= deadline || co_sleep(pause) != WAIT_OK)
			break;
		pause = pause * 2 < longest ? pause * 2 : longest;
	}
	busy_end(busy);
	return t->result;
}

int letter_deliver(struct letter *l)
{
	struct attempt t = {.letter = l};

	if (!l->maildir)
		return try_mbox(&t) == 0 ? 0 : -1;
	work_run(attempt_in_thread, &t);
	return t.result;
}
