/* virtual: delivers into mailboxes and maildirs that tables name. */
#include "log/log.h"
#include "mailbox/become.h"
#include "mailbox/letter.h"
#include "param/param.h"
#include "service/privilege.h"
#include "service/service.h"
#include "virtual/lookup.h"
#include <errno.h>

static unsigned lock_styles;

static void explain_access(const struct letter *l)
{
	if (!l->maildir || l->err.code != EACCES)
		return;
	log_warn("maildir access problem for UID/GID=%u/%u: %s", (unsigned)l->uid, (unsigned)l->gid,
	    l->err.text);
	log_warn("perhaps you need to create the maildirs in advance");
}

static void tell_failure(struct delivery *d, struct delivery_rcpt *r, const struct letter *l)
{
	bool full = l->err.code == EDQUOT || l->err.code == EFBIG;
	struct fate f = {.kind = full ? RCPT_BOUNCED : RCPT_DEFERRED, .relay = service_name()};

	f.dsn = full ? "5.2.2" : l->writing ? "4.3.0" : "4.2.0";
	f.reason = l->maildir ? arena_printf(&d->arena, "maildir delivery failed: %s", l->err.text)
			      : arena_printf(&d->arena, "delivery failed to mailbox %s: %s",
				    l->full, l->err.text);
	explain_access(l);
	if (l->torn)
		log_warn("%.*s: mailbox %s keeps a part of the message: it could not be cut off",
		    STR_FMT(d->m.queue_id), l->full);
	delivery_fate(d, r, &f);
}

static void tell_success(struct delivery *d, struct delivery_rcpt *r, bool maildir)
{
	bool probe = d->m.flags & (DELIVER_PROBE | DELIVER_REPORT_ONLY);
	struct fate f = {.kind = RCPT_SENT, .dsn = "2.0.0", .relay = service_name()};

	f.reason = arena_printf(&d->arena, "%s to %s", probe ? "delivers" : "delivered",
	    maildir ? "maildir" : "mailbox");
	delivery_fate(d, r, &f);
}

static void deliver_box(struct delivery *d, struct delivery_rcpt *r, const struct box *box)
{
	struct letter letter = {.d = d,
	    .rcpt = r,
	    .base = conf.virtual_mailbox_base,
	    .path = box->path,
	    .full =
		arena_printf(&d->arena, "%s/%.*s", conf.virtual_mailbox_base, STR_FMT(box->path)),
	    .maildir = box->maildir,
	    .uid = box->uid,
	    .gid = box->gid,
	    .lock = lock_styles,
	    .limit = (uint64_t)conf.virtual_mailbox_limit};

	if (letter_deliver(&letter) == 0)
		tell_success(d, r, box->maildir);
	else
		tell_failure(d, r, &letter);
}

static void deliver_rcpt(struct delivery *d, struct delivery_rcpt *r)
{
	struct fate f = {.relay = service_name()};
	struct box box;

	switch (lookup_box(r->address, &box, &d->arena)) {
	case TABLE_NONE:
		f.kind = RCPT_BOUNCED;
		f.dsn = "5.1.1";
		f.reason = arena_printf(&d->arena, "unknown user: \"%.*s\"", STR_FMT(r->address));
		delivery_fate(d, r, &f);
		return;
	case TABLE_ERROR:
		f.kind = RCPT_DEFERRED;
		f.dsn = "4.3.5";
		f.reason = "mail system configuration error";
		delivery_fate(d, r, &f);
		return;
	case TABLE_FOUND:
		break;
	}
	if (d->m.flags & (DELIVER_PROBE | DELIVER_REPORT_ONLY))
		tell_success(d, r, box.maildir);
	else
		deliver_box(d, r, &box);
}

static void virtual_deliver(struct delivery *d)
{
	for (size_t i = 0; i < d->nrcpts; i++)
		deliver_rcpt(d, &d->rcpts[i]);
}

static void virtual_serve(struct stream *qmgr, const struct hostaddr *peer)
{
	(void)peer;
	delivery_serve(qmgr, virtual_deliver);
}

static void check_limits(void)
{
	if (conf.virtual_mailbox_limit == 0)
		return;
	if (conf.message_size_limit == 0)
		log_fatal("configuration error: virtual_mailbox_limit is limited but "
			  "message_size_limit is unlimited");
	if (conf.virtual_mailbox_limit < conf.message_size_limit)
		log_fatal("configuration error: virtual_mailbox_limit is smaller than "
			  "message_size_limit");
}

static void virtual_setup(void)
{
	struct err err;

	check_limits();
	if (conf.virtual_mailbox_base[0] == 0)
		log_fatal("parameter virtual_mailbox_base: empty; it must name the folder of the "
			  "mailboxes");
	if (boxlock_styles(conf.virtual_mailbox_lock, &lock_styles, &err) < 0)
		log_fatal("parameter virtual_mailbox_lock: %s", err.text);
	lookup_setup();
	delivery_filter(
	    maps_open("virtual_delivery_status_filter", conf.virtual_delivery_status_filter, 0));
	become_setup();
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "virtual",
	    .setup = virtual_setup,
	    .serve = virtual_serve,
	    .keep_root = true,
	    .privileges = PRIVILEGES_IDS | PRIVILEGES_QUEUE};

	return service_main(argc, argv, &service);
}
