/* DATA (RFC 5321 4.1.1.4) */
#include "smtpd/session.h"

#include "log/event.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "smtpd/content.h"
#include "smtpd/milters.h"
#include "smtpd/restrict.h"
#include "smtpd/stress.h"
#include "smtpwire/wire.h"

/* Reads content until the end of data; false when the client has gone. */
static bool read_content(struct session *s, struct wire_in *w)
{
	enum wire_state state = WIRE_MORE;
	uint64_t received = 0;
	size_t used;
	str in;

	while (state == WIRE_MORE) {
		enum wait r = stream_peek(s->io, 1, &in, session_deadline(s));
		if (r != WAIT_OK) {
			session_input_ended(s, r);
			return false;
		}
		state = wire_in_feed(w, in, content_room(s), &used);
		received += used;
		stream_consume(s->io, used);
		stress_request_data(s->io, used);
		content_count(s, received, w->size);
		content_added(s);
	}
	return true;
}

static bool may_begin(struct session *s, str args)
{
	if (s->bdat != BDAT_NONE) {
		session_reply(s, "503 5.5.1 Error: DATA after BDAT");
	} else if (!s->tx.open) {
		session_reply(s, "503 5.5.1 Error: need RCPT command");
	} else if (s->tx.nrcpts == 0) {
		session_reply(s, "554 5.5.1 Error: no valid recipients");
	} else if (args.n > 0) {
		session_reply(s, "501 5.5.4 Syntax: DATA");
	} else if (!restrict_data(s) || !milters_data(s)) {
		session_reply_text(s, buf_view(&s->verdict));
	} else {
		return true;
	}
	return false;
}

void cmd_data(struct session *s, str args)
{
	struct wire_in w;

	if (!may_begin(s, args))
		return;
	if (!content_begin(s))
		return;
	session_reply(s, "354 End data with <CR><LF>.<CR><LF>");
	if (!session_flush(s)) {
		session_input_ended(s, WAIT_EOF);
		return;
	}
	wire_in_start(&w, s->bare_newline_policy ? WIRE_STRICT_END : WIRE_BARE_LF_ENDS, 0);
	w.limit = conf.message_size_limit > 0 ? (uint64_t)conf.message_size_limit : 0;
	if (!read_content(s, &w))
		return;
	if (w.too_big)
		content_refuse(s, "552 5.3.4 Error: message file too big");
	content_newlines(s, w.bare_lf);
	content_end(s);
}
