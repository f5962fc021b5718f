/* Who hears of what: the sender by RFC 3461 4.1 and 6.2, the postmaster by notify_classes. */
#include "bounce/report.h"

#include "base/names.h"
#include "ipc/deliver.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"

static bool class_wanted(const char *class)
{
	str rest = str_of(conf.notify_classes), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, str_of(class)))
			return true;
	return false;
}

/* Is the sender the address that our own notices to the postmaster come from? */
static bool is_double_bounce(str sender)
{
	str own = str_of(conf.double_bounce_sender), domain = addr_domain(sender);

	if (str_eq_nocase(sender, own))
		return true;
	return str_eq_nocase(addr_local(sender), addr_local(own)) &&
	       (str_eq_nocase(domain, str_of(conf.myorigin)) ||
		   str_eq_nocase(domain, str_of(conf.myhostname)) ||
		   (addr_domain(own).n && str_eq_nocase(domain, addr_domain(own))));
}

/* Those recipients whose NOTIFY asks for this. It is about what the sender hears: the postmaster
 * hears of all. */
static struct report asked_for(struct report *r, uint32_t notify_bit)
{
	struct report some = *r;

	some.rcpts = arena_alloc(&r->arena, (r->nrcpts + 1) * sizeof(*some.rcpts));
	some.nrcpts = 0;
	for (size_t i = 0; i < r->nrcpts; i++) {
		uint32_t notify = r->rcpts[i].rcpt.notify;
		if (notify == 0 || (notify & notify_bit))
			some.rcpts[some.nrcpts++] = r->rcpts[i];
	}
	return some;
}

static int tell_postmaster(struct report *r, const char *to, bool headers_only, struct err *err)
{
	struct notification n = {
	    .to = str_of(to),
	    .from = conf.double_bounce_sender,
	    .headers_only = headers_only,
	    .postmaster = true,
	    .what = r->m.kind == NOTIFY_DELAY ? "postmaster delay notification"
					      : "postmaster non-delivery notification",
	};

	return compose_send(r, &n, err);
}

/* A copy that cannot be made is not tried again: the sender has been told, and would be told twice.
 */
static void copy_to_postmaster(struct report *r, const char *class, const char *to)
{
	struct err err;

	if (class_wanted(class) && tell_postmaster(r, to, true, &err) < 0)
		log_warn("%.*s: %s", STR_FMT(r->m.queue_id), err.text);
}

static int tell_sender(
    struct report *r, uint32_t notify_bit, bool headers_only, const char *what, struct err *err)
{
	struct report some = asked_for(r, notify_bit);
	struct notification n = {.to = r->m.return_path.n ? r->m.return_path : r->m.sender,
	    .from = "",
	    .headers_only = headers_only,
	    .what = what};

	return some.nrcpts ? compose_send(&some, &n, err) : 0;
}

/* What cannot be returned goes to the postmaster, and what comes back from there ends here. */
static int notify_failure(struct report *r, struct err *err)
{
	r->text = BOUNCE_TEXT_FAILURE;
	if (is_double_bounce(r->m.sender)) {
		log_warn("%.*s: undeliverable postmaster notification discarded",
		    STR_FMT(r->m.queue_id));
		return 0;
	}
	if (r->m.sender.n == 0)
		return class_wanted("2bounce") || class_wanted("bounce")
			   ? tell_postmaster(r, conf.n2bounce_notice_recipient, false, err)
			   : 0;
	if (tell_sender(r, DSN_NOTIFY_FAILURE, r->m.ret == DSN_RET_HDRS,
		"sender non-delivery notification", err) < 0)
		return -1;
	copy_to_postmaster(r, "bounce", conf.bounce_notice_recipient);
	return 0;
}

static int notify_delay(struct report *r, struct err *err)
{
	r->text = BOUNCE_TEXT_DELAY;
	if (r->m.sender.n == 0 || is_double_bounce(r->m.sender))
		return 0;
	if (tell_sender(r, DSN_NOTIFY_DELAY, true, "sender delay notification", err) < 0)
		return -1;
	copy_to_postmaster(r, "delay", conf.delay_notice_recipient);
	return 0;
}

/* Success of a message that nobody is waiting for the news of. */
static int notify_nobody(struct report *r, struct err *err)
{
	struct notification n = {
	    .to = str_of(conf.n2bounce_notice_recipient),
	    .from = conf.double_bounce_sender,
	    .headers_only = true,
	    .postmaster = true,
	    .what = "sender delivery status notification",
	};
	bool single = r->m.sender.n == 0;

	if (single && class_wanted("2bounce"))
		return compose_send(r, &n, err);
	log_info("%.*s: not sending trace/success notification for %s-bounce message",
	    STR_FMT(r->m.queue_id), single ? "single" : "double");
	return 0;
}

/* Success reports, and the answers to sendmail -v and -bv, which tell of every recipient. */
static int notify_success(struct report *r, struct err *err)
{
	struct notification n = {.to = r->m.sender,
	    .from = "",
	    .headers_only = true,
	    .what = "sender delivery status notification"};

	r->text = r->m.kind == NOTIFY_TRACE ? BOUNCE_TEXT_VERIFY : BOUNCE_TEXT_SUCCESS;
	if (r->nrcpts == 0)
		return 0;
	if (r->m.sender.n == 0 || is_double_bounce(r->m.sender))
		return notify_nobody(r, err);
	return compose_send(r, &n, err);
}

int policy_notify(struct report *r, struct err *err)
{
	switch (r->m.kind) {
	case NOTIFY_BOUNCE:
		return notify_failure(r, err);
	case NOTIFY_DELAY:
		return notify_delay(r, err);
	case NOTIFY_SUCCESS:
	case NOTIFY_TRACE:
		return notify_success(r, err);
	default:
		return err_set(err, "unknown kind of notification %u", r->m.kind);
	}
}
