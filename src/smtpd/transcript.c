#include "smtpd/transcript.h"

#include "base/clock.h"
#include "base/names.h"
#include "log/log.h"
#include "mail/header.h"
#include "param/param.h"
#include "smtpd/standalone.h"

#define KEEP_MAX (64 * 1024) /* beyond this the rest of a session is left out */
#define LINE_MAX 1000

enum class {
	POLICY = 1 << 0,
	PROTOCOL = 1 << 1,
	RESOURCE = 1 << 2,
	SOFTWARE = 1 << 3,
	DATA = 1 << 4,
	BOUNCE = 1 << 5,
};

static uint32_t wanted;

void transcript_setup(void)
{
	static const struct name_row names[] = {{"policy", POLICY}, {"protocol", PROTOCOL},
	    {"resource", RESOURCE}, {"software", SOFTWARE}, {"data", DATA}, {"bounce", BOUNCE},
	    {"2bounce", 0}, {"delay", 0}, {NULL, 0}};
	uint64_t mask;
	struct err err;

	if (names_mask(names, str_of(conf.notify_classes), &mask, &err) < 0)
		log_fatal("notify_classes: %s", err.text);
	wanted = (uint32_t)mask;
}

static void keep(struct session *s, const char *who, str line)
{
	if (!wanted || s->said.n > KEEP_MAX)
		return;
	buf_cstr(&s->said, who);
	line = str_head(line, LINE_MAX);
	for (size_t i = 0; i < line.n; i++)
		buf_char(&s->said, (unsigned char)line.p[i] < ' ' ? '?' : line.p[i]);
	buf_char(&s->said, '\n');
	s->said_lines++;
}

/* A long session without trouble begins anew where nothing is under way. */
static void forget_old(struct session *s, str line)
{
	if (s->trouble || s->said_lines < conf.smtpd_history_flush_threshold ||
	    !(str_starts_nocase(line, STR("EHLO")) || str_starts_nocase(line, STR("RSET")) ||
		(str_starts_nocase(line, STR("MAIL")) && !s->tx.open)))
		return;
	buf_free(&s->said);
	s->said_lines = 0;
}

void transcript_in(struct session *s, str line)
{
	str rest, verb, mechanism;

	line = str_trim(line);
	rest = line;
	forget_old(s, line);
	/* Passwords are nobody's business. */
	if (str_starts_nocase(line, STR("AUTH ")) && str_word(&rest, " ", &verb) &&
	    str_word(&rest, " ", &mechanism) && rest.n > 0)
		line = str_head(line, (size_t)(mechanism.p + mechanism.n - line.p));
	keep(s, " In:  ", line);
}

/* What kind of trouble a refusal is. */
static uint32_t class_of(const struct session *s, int code, str dsn, str wire)
{
	str detail = dsn.n > 2 ? str_from(dsn, 2) : STR("");

	if (code == 421 && !str_eq(detail, STR("3.5")))
		return 0; /* it ends what went wrong before */
	if (str_eq(detail, STR("3.1")))
		return RESOURCE;
	/* A before-queue filter that is away is not our own trouble. */
	if (str_eq(dsn, STR("4.3.0")))
		return s->tx.proxied ? DATA : RESOURCE | SOFTWARE | DATA;
	/* Our own configuration; that of a table or a policy server makes a refusal like others. */
	if (str_starts(wire, STR("451 4.3.5 Server configuration error")))
		return SOFTWARE;
	if (str_eq(detail, STR("1.1")) || str_eq(detail, STR("1.6")) ||
	    str_starts(wire, STR("552 5.3.4 Error: message file too big")))
		return BOUNCE;
	if (str_starts(detail, STR("5.")) || (code >= 500 && code <= 504))
		return PROTOCOL;
	return POLICY;
}

void transcript_out(struct session *s, str wire, int code, str dsn)
{
	str rest = wire, line;

	if (code >= 400)
		s->trouble |= class_of(s, code, dsn, wire) & wanted;
	while (str_split(&rest, '\n', &line))
		if (line.n > 0)
			keep(s, " Out: ", str_trim(line));
}

void transcript_abort(struct session *s, const char *reason)
{
	if (!s->aborted)
		s->aborted = reason;
}

/* --- the notice */

static void envelope(const struct session *s, struct cleanup *c)
{
	const char *to =
	    s->trouble & BOUNCE ? conf.bounce_notice_recipient : conf.error_notice_recipient;
	struct ipc_env_sender sender = {
	    .address = str_of(conf.double_bounce_sender), .full_name = STR("Mail Delivery System")};
	struct ipc_env_rcpt rcpt = {.address = str_of(to)};

	cleanup_put(c, MSG_ENV_SENDER, &sender);
	cleanup_attr(c, "rewrite_context", STR("local"));
	cleanup_attr(c, "log_message_origin", STR("local"));
	cleanup_put(c, MSG_ENV_RCPT, &rcpt);
}

static void head(const struct session *s, struct cleanup *c, const char *id, int64_t now)
{
	char date[CLOCK_MAIL_DATE];
	struct buf text = {0}, wire = {0};

	clock_mail_date(now / 1000000, date);
	buf_printf(
	    &text, "Received: by %s (%s)\n\tid %s; %s", conf.myhostname, conf.mail_name, id, date);
	header_wire(&wire, buf_view(&text));
	cleanup_content(c, buf_view(&wire));
	buf_free(&text);
	buf_free(&wire);
	cleanup_line(c, "Date: %s", date);
	cleanup_line(c, "From: Mail Delivery System <MAILER-DAEMON>");
	cleanup_line(c, "To: Postmaster <%s>", conf.error_notice_recipient);
	cleanup_line(
	    c, "Subject: %s SMTP server: errors from %s", conf.mail_name, s->client.namaddr);
	cleanup_line(c, "Auto-Submitted: auto-generated");
	cleanup_line(c, "%s", "");
}

static void body(const struct session *s, struct cleanup *c)
{
	str rest = buf_view(&s->said), line;

	cleanup_line(c, "Transcript of session follows.");
	cleanup_line(c, "%s", "");
	while (str_split(&rest, '\n', &line))
		if (line.n > 0)
			cleanup_line(c, "%.*s", STR_FMT(line));
	cleanup_line(c, "%s", "");
	if (s->aborted) {
		cleanup_line(c, "Session aborted, reason: %s", s->aborted);
		cleanup_line(c, "%s", "");
	}
	cleanup_line(c, "For other details, see the local mail logfile");
}

static void send_notice(const struct session *s)
{
	struct buf socket = {0}, why = {0};
	int64_t now = clock_wall_us();
	char id[QUEUE_ID_MAX];
	struct cleanup *c;

	queue_id_new(id);
	buf_printf(&socket, "public/%s", conf.cleanup_service_name);
	c = cleanup_open(buf_text(&socket), str_of(id), now,
	    CLEANUP_FLAG_INTERNAL | CLEANUP_FLAG_MAP | CLEANUP_FLAG_LOCAL_HEADERS |
		cleanup_internal("notify"));
	envelope(s, c);
	head(s, c, id, now);
	body(s, c);
	if (cleanup_commit(c, &why) != CLEANUP_OK)
		log_warn("postmaster notify: %s",
		    why.n ? buf_text(&why) : "the notice could not be queued");
	buf_free(&socket);
	buf_free(&why);
}

void transcript_end(struct session *s)
{
	if (s->trouble && !standalone())
		send_notice(s);
	buf_free(&s->said);
}
