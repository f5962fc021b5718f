/* Destinations of a session without the rights of the mail system (sendmail -bs), and of mail that
 * is accepted and forgotten. */
#include "smtpd/destination.h"

#include "ipc/drop.h"
#include "log/log.h"

static void *begin_drop(struct session *s)
{
	struct drop *drop = drop_open();
	struct buf head = {0};

	drop_put(drop, MSG_ENV_SENDER, &s->tx.env);
	for (size_t i = 0; i < s->tx.nrcpts; i++)
		drop_put(drop, MSG_ENV_RCPT, &s->tx.rcpts[i]);
	content_head(s, &head);
	drop_content(drop, buf_view(&head));
	buf_free(&head);
	return drop;
}

static void put_drop(void *drop, str wire)
{
	drop_content(drop, wire);
}

static void commit_drop(struct session *s, void *drop)
{
	struct buf id = {0}, text = {0};
	int status = drop_commit(drop, &id, &text);

	if (status == 0) {
		content_queued(s, buf_view(&id));
	} else {
		log_warn(
		    "postdrop: exit status %d%s%s", status, text.n ? ": " : "", buf_text(&text));
		session_reply(s, "451 4.3.0 Error: queue file write error");
	}
	buf_free(&id);
	buf_free(&text);
}

static void abort_drop(void *drop)
{
	drop_abort(drop);
}

const struct destination dest_drop = {begin_drop, put_drop, commit_drop, abort_drop, NULL, NULL};

/* --- DISCARD */

static void *begin_nowhere(struct session *s)
{
	return s;
}

static void put_nowhere(void *to, str wire)
{
	(void)to;
	(void)wire;
}

static void commit_nowhere(struct session *s, void *to)
{
	(void)to;
	content_queued(s, str_of(s->tx.queue_id));
}

static void abort_nowhere(void *to)
{
	(void)to;
}

const struct destination dest_nowhere = {
    begin_nowhere, put_nowhere, commit_nowhere, abort_nowhere, NULL, NULL};
