#include "ipc/notice.h"

#include "base/clock.h"
#include "base/names.h"
#include "ipc/cleanup.h"
#include "log/log.h"
#include "mail/header.h"
#include "param/param.h"

#define KEEP_MAX (64 * 1024)
#define LINE_MAX 1000

uint32_t notice_classes(void)
{
	static const struct name_row names[] = {{"policy", NOTICE_POLICY},
	    {"protocol", NOTICE_PROTOCOL}, {"resource", NOTICE_RESOURCE},
	    {"software", NOTICE_SOFTWARE}, {"data", NOTICE_DATA}, {"bounce", NOTICE_BOUNCE},
	    {"2bounce", 0}, {"delay", 0}, {NULL, 0}};
	uint64_t mask;
	struct err err;

	if (names_mask(names, str_of(conf.notify_classes), &mask, &err) < 0)
		log_fatal("notify_classes: %s", err.text);
	return (uint32_t)mask;
}

void notice_line(struct buf *transcript, const char *who, str line)
{
	if (transcript->n > KEEP_MAX)
		return;
	buf_cstr(transcript, who);
	line = str_head(line, LINE_MAX);
	for (size_t i = 0; i < line.n; i++)
		buf_char(transcript, (unsigned char)line.p[i] < ' ' ? '?' : line.p[i]);
	buf_char(transcript, '\n');
}

static void envelope(const struct notice *n, struct cleanup *c)
{
	struct ipc_env_sender sender = {
	    .address = str_of(conf.double_bounce_sender), .full_name = STR("Mail Delivery System")};
	struct ipc_env_rcpt rcpt = {.address = str_of(n->to)};

	cleanup_put(c, MSG_ENV_SENDER, &sender);
	cleanup_attr(c, "rewrite_context", STR("local"));
	cleanup_attr(c, "log_message_origin", STR("local"));
	cleanup_put(c, MSG_ENV_RCPT, &rcpt);
}

static void head(const struct notice *n, struct cleanup *c, int64_t now)
{
	char date[CLOCK_MAIL_DATE];
	struct buf text = {0}, wire = {0};

	clock_mail_date(now / 1000000, date);
	buf_printf(&text, "Received: by %s (%s)\n\tid %s; %s", conf.myhostname, conf.mail_name,
	    n->id, date);
	header_wire(&wire, buf_view(&text));
	cleanup_content(c, buf_view(&wire));
	buf_free(&text);
	buf_free(&wire);
	cleanup_line(c, "Date: %s", date);
	cleanup_line(c, "From: Mail Delivery System <MAILER-DAEMON>");
	cleanup_line(c, "To: Postmaster <%s>", conf.error_notice_recipient);
	cleanup_line(c, "Subject: %s %s", conf.mail_name, n->subject);
	cleanup_line(c, "Auto-Submitted: auto-generated");
	cleanup_line(c, "%s", "");
}

static void body(const struct notice *n, struct cleanup *c)
{
	str rest = n->transcript, line;

	if (n->intro) {
		cleanup_line(c, "%s", n->intro);
		cleanup_line(c, "%s", "");
	}
	cleanup_line(c, "Transcript of session follows.");
	cleanup_line(c, "%s", "");
	while (str_split(&rest, '\n', &line))
		if (line.n > 0)
			cleanup_line(c, "%.*s", STR_FMT(line));
	cleanup_line(c, "%s", "");
	if (n->aborted) {
		cleanup_line(c, "Session aborted, reason: %s", n->aborted);
		cleanup_line(c, "%s", "");
	}
	cleanup_line(c, "For other details, see the local mail logfile");
}

void notice_send(const struct notice *n)
{
	struct buf socket = {0}, why = {0};
	int64_t now = clock_wall_us();
	struct cleanup *c;

	buf_printf(&socket, "public/%s", conf.cleanup_service_name);
	c = cleanup_open(buf_text(&socket), str_of(n->id), now,
	    CLEANUP_FLAG_INTERNAL | CLEANUP_FLAG_MAP | CLEANUP_FLAG_LOCAL_HEADERS |
		cleanup_internal("notify"));
	envelope(n, c);
	head(n, c, now);
	body(n, c);
	if (cleanup_commit(c, &why) != CLEANUP_OK)
		log_warn("postmaster notify: %s",
		    why.n ? buf_text(&why) : "the notice could not be queued");
	buf_free(&socket);
	buf_free(&why);
}
