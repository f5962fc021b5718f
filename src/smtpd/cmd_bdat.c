/* BDAT (RFC 3030): "BDAT" SP chunk-size [SP "LAST"] CRLF octets */
#include "smtpd/session.h"

#include "log/log.h"
#include "param/param.h"
#include "smtpd/content.h"
#include "smtpd/milters.h"
#include "smtpd/restrict.h"
#include "smtpd/stress.h"
#include "smtpwire/cmd.h"
#include "smtpwire/esmtp.h"
#include "smtpwire/wire.h"

static const char *id(const struct session *s)
{
	return s->tx.queue_id[0] ? s->tx.queue_id : "NOQUEUE";
}

static bool parse(str args, uint64_t *size, bool *last)
{
	str word;

	*last = false;
	if (!smtp_cmd_word(&args, &word) || !str_to_u64(word, size))
		return false;
	if (!smtp_cmd_word(&args, &word))
		return true;
	*last = true;
	return str_eq_nocase(word, STR("LAST")) && !smtp_cmd_word(&args, &word);
}

/* Passes the chunk's octets on (keep) or skips them; false when the client has gone. */
static bool read_chunk(struct session *s, uint64_t size, bool keep)
{
	uint64_t left = size;
	str in;

	while (left > 0) {
		enum wait r = WAIT_OK;

		if (stream_buffered(s->io) == 0) /* it may wait for replies to what came before */
			r = stream_flush(s->io, session_deadline(s));
		if (r == WAIT_OK)
			r = stream_peek(s->io, 1, &in, session_deadline(s));
		if (r != WAIT_OK) {
			session_input_ended(s, r);
			return false;
		}
		in = str_head(in, left < in.n ? left : in.n);
		if (keep) {
			content_unstuffed(s, in, content_room(s));
			content_added(s);
		}
		left -= in.n;
		stream_consume(s->io, in.n);
		stress_request_data(s->io, in.n);
	}
	return true;
}

/* A chunk of a refused message: its octets are read all the same, and what follows is refused up to
 * the last chunk, or RSET. */
static void skip(struct session *s, uint64_t size, bool last)
{
	if (!read_chunk(s, size, false))
		return;
	if (last)
		transaction_reset(s);
	else
		s->bdat = BDAT_FAILED;
}

static void refuse(struct session *s, uint64_t size, bool last, const char *reply)
{
	if (s->content)
		content_abort(s);
	session_reply(s, "%s", reply);
	skip(s, size, last);
}

/* The reply that forbids this chunk, or NULL. */
static const char *objection(struct session *s, uint64_t size)
{
	if (!s->tx.open)
		return "503 5.5.1 Error: need RCPT command";
	if (s->tx.nrcpts == 0)
		return "554 5.5.1 Error: no valid recipients";
	if (conf.message_size_limit > 0 && size > (uint64_t)conf.message_size_limit) {
		log_warn("%s: BDAT request from %s exceeds message size limit", s->tx.queue_id,
		    s->client.namaddr);
		return "552 5.3.4 Chunk exceeds message size limit";
	}
	if (!s->content && (!restrict_data(s) || !milters_data(s)))
		return buf_text(&s->verdict);
	return NULL;
}

static void finish(struct session *s)
{
	struct buf tail = {0};

	content_unstuffed_end(s, &tail);
	content_put(s, buf_view(&tail));
	buf_free(&tail);
	content_end(s);
}

void cmd_bdat(struct session *s, str args)
{
	const char *no;
	uint64_t size;
	bool last;

	if (s->discard & EHLO_CHUNKING) {
		session_reply(s, "521 5.5.1 Error: command not implemented");
		return;
	}
	if (!parse(args, &size, &last)) {
		log_warn("%s: malformed BDAT command syntax from %s: BDAT%s%.*s", id(s),
		    s->client.namaddr, args.n ? " " : "", STR_FMT(str_head(args, 100)));
		session_reply(s, "521 5.5.4 Syntax: BDAT count [LAST]");
		return;
	}
	if (size == 0 && !last) {
		log_warn("%s: null BDAT request from %s", id(s), s->client.namaddr);
		refuse(s, size, last, "551 5.7.1 Null BDAT request");
		return;
	}
	if (s->bdat == BDAT_FAILED) {
		if (!read_chunk(s, size, false))
			return;
		if (last)
			transaction_reset(s);
		session_reply(s, "551 5.0.0 Discarded %llu bytes after earlier error",
		    (unsigned long long)size);
		return;
	}
	if ((no = objection(s, size))) {
		refuse(s, size, last, no);
		return;
	}
	if (!s->content && !content_begin(s)) {
		skip(s, size, last);
		return;
	}
	s->bdat = BDAT_OK;
	if (!read_chunk(s, size, true))
		return;
	if (last)
		finish(s);
	else if ((no = content_refusal(s)))
		refuse(s, 0, false, no);
	else
		session_reply(s, "250 2.0.0 Ok: %llu bytes", (unsigned long long)size);
}
