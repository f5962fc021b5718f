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

#define FOLD_AT 79

bool report_is_global(const struct report *r)
{
	return conf.smtputf8_enable && (r->m.sender_flags & SENDER_SMTPUTF8);
}

bool report_is_eight_bit(const struct report *r, const struct notification *n)
{
	return conf.smtputf8_enable || original_is_eight_bit(r) || text_is_eight_bit(r, n);
}

static void no_controls(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->n; i++)
		if ((unsigned char)b->p[i] < ' ' || b->p[i] == 127)
			b->p[i] = '?';
}

void report_address(struct buf *out, str address)
{
	size_t from = out->n;

	addr_quote(out, address);
	no_controls(out, from);
}

void report_sender(const struct report *r, struct buf *out)
{
	if (r->m.sender.n)
		report_address(out, r->m.sender);
	else
		buf_printf(out, "MAILER-DAEMON@%s", conf.myorigin);
}

void report_line(struct cleanup *c, struct buf *line)
{
	no_controls(line, 0);
	cleanup_line(c, "%s", buf_text(line));
	buf_clear(line);
}

void report_fold(struct cleanup *c, str text)
{
	struct buf line = {0};
	str word;

	while (str_word(&text, " \t\r\n", &word)) {
		if (line.n > 4 && line.n + 1 + word.n > FOLD_AT) {
			report_line(c, &line);
			buf_cstr(&line, "   ");
		}
		if (line.n)
			buf_char(&line, ' ');
		buf_str(&line, word);
	}
	report_line(c, &line);
	buf_free(&line);
}

static void envelope(
    const struct report *r, const struct notification *n, bool eight_bit, struct cleanup *c)
{
	struct ipc_env_sender sender = {
	    .address = str_of(n->from), .full_name = STR("Mail Delivery System")};
	struct ipc_env_rcpt rcpt = {.address = n->to, .orig_address = n->to};

	if (report_is_global(r) || !str_is_ascii(n->to))
		sender.flags |= SENDER_SMTPUTF8;
	if (eight_bit)
		sender.flags |= SENDER_BODY_8BITMIME;
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

static void thread_headers(const struct report *r, struct cleanup *c)
{
	struct buf id = {0}, line = {0};

	original_thread(r, &id);
	if (id.n) {
		buf_printf(&line, "References:%s", buf_text(&id));
		report_fold(c, buf_view(&line));
		buf_clear(&line);
		buf_printf(&line, "In-Reply-To:%s", buf_text(&id));
		report_fold(c, buf_view(&line));
	}
	buf_free(&id);
	buf_free(&line);
}

/* What a notification is made of. */
struct draft {
	const char *boundary;
	bool eight_bit;
};

static void headers(
    const struct report *r, const struct notification *n, const struct draft *d, struct cleanup *c)
{
	const struct bounce_text *t = bounce_text(r->text);
	char date[CLOCK_MAIL_DATE];
	struct buf to = {0};

	report_address(&to, n->to);
	cleanup_line(c, "Date: %s", clock_mail_date(clock_wall_us() / 1000000, date));
	cleanup_line(c, "From: %s", t->from);
	cleanup_line(c, "Subject: %s",
	    n->postmaster && t->postmaster_subject ? t->postmaster_subject : t->subject);
	cleanup_line(c, "To: %s", buf_text(&to));
	if (conf.enable_threaded_bounces)
		thread_headers(r, c);
	cleanup_line(c, "Auto-Submitted: %s", n->postmaster ? "auto-generated" : "auto-replied");
	cleanup_line(c, "MIME-Version: 1.0");
	cleanup_line(c, "Content-Type: multipart/report; report-type=delivery-status;");
	cleanup_line(c, "\tboundary=\"%s\"", d->boundary);
	if (d->eight_bit)
		cleanup_line(c, "Content-Transfer-Encoding: 8bit");
	cleanup_line(c, "%s", "");
	cleanup_line(c, "This is a MIME-encapsulated message.");
	buf_free(&to);
}

static void next_part(struct cleanup *c, const struct draft *d, const char *last)
{
	cleanup_line(c, "%s", "");
	cleanup_line(c, "--%s%s", d->boundary, last);
}

static int body(const struct report *r, const struct notification *n, const struct draft *d,
    struct cleanup *c, struct err *err)
{
	bool headers_only =
	    n->headers_only ||
	    (conf.bounce_size_limit > 0 && r->m.content_length > (uint64_t)conf.bounce_size_limit);

	next_part(c, d, "");
	text_part(r, n, c);
	next_part(c, d, "");
	status_part(r, c);
	next_part(c, d, "");
	if (original_part(r, n, c, headers_only, err) < 0)
		return -1;
	next_part(c, d, "--");
	return 0;
}

static int commit(struct cleanup *c, struct err *err)
{
	struct buf text = {0};
	enum cleanup_status status = cleanup_commit(c, &text);

	if (status != CLEANUP_OK)
		err_set(err, "cleanup refused the notification: %s (%d)", buf_text(&text), status);
	buf_free(&text);
	return status == CLEANUP_OK ? 0 : -1;
}

static void log_result(const struct report *r, const struct notification *n, const char *new_id,
    const struct err *failure)
{
	char id[QUEUE_ID_MAX];

	snprintf(id, sizeof(id), "%.*s", STR_FMT(r->m.queue_id));
	if (failure)
		log_bounce_failed(
		    id, n->postmaster ? "postmaster" : "sender", n->to, failure->text);
	else
		log_bounce_notice(id, n->what, new_id);
}

int compose_send(struct report *r, const struct notification *n, struct err *err)
{
	struct draft d = {.eight_bit = report_is_eight_bit(r, n)};
	int64_t now = clock_wall_us();
	struct buf boundary = {0}, socket = {0};
	struct cleanup *c;
	char id[QUEUE_ID_MAX];
	int result;

	queue_id_new(id);
	buf_printf(&boundary, "%.*s.%lld/%s", STR_FMT(r->m.queue_id), (long long)(now / 1000),
	    conf.myhostname);
	d.boundary = buf_text(&boundary);
	buf_printf(&socket, "public/%s", conf.cleanup_service_name);
	c = cleanup_open(buf_text(&socket), str_of(id), now,
	    CLEANUP_FLAG_INTERNAL | CLEANUP_FLAG_MAP | CLEANUP_FLAG_LOCAL_HEADERS |
		cleanup_internal("bounce"));
	envelope(r, n, d.eight_bit, c);
	received(c, id, now);
	headers(r, n, &d, c);
	if (body(r, n, &d, c, err) < 0) {
		cleanup_abort(c);
		result = -1;
	} else {
		result = commit(c, err);
	}
	log_result(r, n, id, result < 0 ? err : NULL);
	buf_free(&boundary);
	buf_free(&socket);
	return result;
}
