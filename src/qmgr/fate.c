#include "qmgr/fate.h"

#include "base/clock.h"
#include "log/event.h"
#include "qmgr/index.h"

static const char *status_word(enum rcpt_kind kind)
{
	return kind == RCPT_SENT ? "sent" : kind == RCPT_BOUNCED ? "bounced" : "deferred";
}

void fate_log(
    const struct message *m, uint32_t index, enum rcpt_kind kind, const char *dsn, str text)
{
	const struct ipc_env_rcpt *r = &m->env.rcpts[index];
	int64_t now = clock_wall_us(), arrival = m->env.message.arrival_us;
	struct buf delay = {0}, delays = {0}, reason = {0};
	str orig = r->orig_address;

	if (!orig.n || str_eq(orig, r->address))
		orig = LOG_NONE;
	delivery_delay(&delay, now - arrival);
	delivery_delay(&delays, m->active_us - arrival);
	buf_char(&delays, '/');
	delivery_delay(&delays, now - m->active_us);
	buf_cstr(&delays, "/0/0");
	buf_str(&reason, text);
	log_delivery(m->item->id, r->address, orig, "none", 0, buf_text(&delay), buf_text(&delays),
	    dsn, status_word(kind), buf_text(&reason));
	buf_free(&delay);
	buf_free(&delays);
	buf_free(&reason);
}
