/* A notification as a message: multipart/report (RFC 6522) with a text, a status part and the
 * original. */
#include "bounce/report.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "param/param.h"
#include "queue/queue.h"

#include <stdio.h>

static void envelope(struct report *r, const struct notification *n, struct cleanup *c)
{
	struct ipc_env_sender sender = {
	    .address = str_of(n->from), .full_name = STR("Mail Delivery System")};
	struct ipc_env_rcpt rcpt = {.address = n->to, .orig_address = n->to};

	if (!str_is_ascii(n->to) || (r->m.sender_flags & SENDER_SMTPUTF8))
		sender.flags |= SENDER_SMTPUTF8;
	if (r->m.content_flags & (CONTENT_8BIT_BODY | CONTENT_8BIT_HEADER | CONTENT_MIME_8BIT))
		sender.flags |= SENDER_BODY_8BITMIME;
	if (n->copy)
		rcpt.notify = DSN_NOTIFY_NEVER;
	cleanup_put(c, MSG_ENV_SENDER, &sender);
	cleanup_attr(c, "rewrite_context", STR("local"));
	cleanup_attr(c, "log_message_origin", STR("local"));
	cleanup_put(c, MSG_ENV_RCPT, &rcpt);
}

static void received(struct cleanup *c, const char *id, int64_t now)
{
	struct buf text = {0}, wire = {0};
	char date[CLOCK_MAIL_DATE];

	buf_printf(&text, "Received: by %s (%s)\n\tid %s; %s", conf.myhostname, conf.mail_name, id,
	    clock_mail_date(now / 1000000, date));
	header_wire(&wire, buf_view(&text));
	cleanup_content(c, buf_view(&wire));
	buf_free(&text);
	buf_free(&wire);
}

static void headers(
    struct report *r, const struct notification *n, struct cleanup *c, const char *boundary)
{
	const struct bounce_text *t = bounce_text(r->text);
	char date[CLOCK_MAIL_DATE];
	struct buf to = {0};

	addr_quote(&to, n->to);
	cleanup_line(c, "Date: %s", clock_mail_date(clock_wall_us() / 1000000, date));
	cleanup_line(c, "From: %s", t->from);
	cleanup_line(c, "Subject: %s",
	    n->copy && t->postmaster_subject ? t->postmaster_subject : t->subject);
	cleanup_line(c, "To: %s", buf_text(&to));
	cleanup_line(c, "Auto-Submitted: auto-replied");
	cleanup_line(c, "MIME-Version: 1.0");
	cleanup_line(c, "Content-Type: multipart/report; report-type=delivery-status;");
	cleanup_line(c, "\tboundary=\"%s\"", boundary);
	if (r->m.content_flags & (CONTENT_8BIT_BODY | CONTENT_8BIT_HEADER | CONTENT_MIME_8BIT))
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	cleanup_line(c, "This is a MIME-encapsulated message.");
	cleanup_line(c, "%s", "");
	buf_free(&to);
}

static void put_text(struct cleanup *c, str text)
{
	str line;

	if (str_ends(text, STR("\n")))
		text.n--;
	while (str_split(&text, '\n', &line))
		cleanup_line(c, "%.*s", STR_FMT(line));
}

/* "<user@dom>: reason", folded at spaces. */
static void reason(struct cleanup *c, const struct report_rcpt *x)
{
	struct buf text = {0}, line = {0}, a = {0};
	str rest, word;

	addr_quote(&a, x->rcpt.address);
	buf_printf(&text, "<%s>", buf_text(&a));
	if (x->rcpt.orig_address.n && !str_eq_nocase(x->rcpt.orig_address, x->rcpt.address))
		buf_printf(&text, " (expanded from <%.*s>)", STR_FMT(x->rcpt.orig_address));
	buf_printf(&text, ": %.*s", STR_FMT(x->status.reason));
	rest = buf_view(&text);
	while (str_word(&rest, " \n", &word)) {
		if (line.n > 4 && line.n + 1 + word.n > 78) {
			cleanup_line(c, "%s", line.p);
			buf_clear(&line);
			buf_cstr(&line, "   ");
		}
		if (line.n)
			buf_char(&line, ' ');
		buf_str(&line, word);
	}
	cleanup_line(c, "%s", buf_text(&line));
	cleanup_line(c, "%s", "");
	buf_free(&text);
	buf_free(&line);
	buf_free(&a);
}

static void human_part(struct report *r, const struct notification *n, struct cleanup *c)
{
	const struct bounce_text *t = bounce_text(r->text);
	struct buf text = {0};
	struct err err;

	cleanup_line(c, "Content-Description: Notification");
	cleanup_line(c, "Content-Type: text/plain; charset=%s", t->charset);
	if (strcasecmp(t->charset, "us-ascii") != 0)
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	if (!n->copy) {
		if (bounce_text_expand(t, &text, &err) < 0)
			log_warn("%s: %s", t->name, err.text);
		put_text(c, buf_view(&text));
		cleanup_line(c, "%s", "");
		buf_free(&text);
	}
	for (size_t i = 0; i < r->nrcpts; i++)
		reason(c, &r->rcpts[i]);
}

static int body(struct report *r, const struct notification *n, struct cleanup *c,
    const char *boundary, struct err *err)
{
	bool headers_only =
	    n->headers_only ||
	    (conf.bounce_size_limit > 0 && r->m.content_length > (uint64_t)conf.bounce_size_limit);

	cleanup_line(c, "--%s", boundary);
	human_part(r, n, c);
	cleanup_line(c, "--%s", boundary);
	cleanup_line(c, "Content-Description: Delivery report");
	cleanup_line(c, "Content-Type: message/delivery-status");
	cleanup_line(c, "%s", "");
	status_part(r, c);
	cleanup_line(c, "%s", "");
	if (original_part(r, c, headers_only, boundary, err) < 0)
		return -1;
	cleanup_line(c, "%s", "");
	cleanup_line(c, "--%s--", boundary);
	return 0;
}

int compose_send(struct report *r, const struct notification *n, struct err *err)
{
	int64_t now = clock_wall_us();
	struct buf boundary = {0}, text = {0}, socket = {0};
	enum cleanup_status status;
	struct cleanup *c;
	char id[QUEUE_ID_MAX], from_id[QUEUE_ID_MAX];
	int result = 0;

	queue_id_new(id);
	snprintf(from_id, sizeof(from_id), "%.*s", STR_FMT(r->m.queue_id));
	buf_printf(&boundary, "%s.%lld/%s", id, (long long)(now / 1000), conf.myhostname);
	buf_printf(&socket, "public/%s", conf.cleanup_service_name);
	c = cleanup_open(buf_text(&socket), str_of(id), now,
	    CLEANUP_FLAG_INTERNAL | CLEANUP_FLAG_MAP | CLEANUP_FLAG_LOCAL_HEADERS |
		cleanup_autodetect("bounce"));
	envelope(r, n, c);
	received(c, id, now);
	headers(r, n, c, buf_text(&boundary));
	if (body(r, n, c, buf_text(&boundary), err) < 0) {
		cleanup_abort(c);
		result = -1;
	} else if ((status = cleanup_commit(c, &text)) != CLEANUP_OK) {
		result = err_set(
		    err, "cleanup refused the notification: %s (%d)", buf_text(&text), status);
	} else {
		log_bounce_notice(from_id, n->what, id);
	}
	buf_free(&boundary);
	buf_free(&text);
	buf_free(&socket);
	return result;
}
