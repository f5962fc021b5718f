#include "smtpd/transcript.h"

#include "ipc/notice.h"
#include "param/param.h"
#include "smtpd/standalone.h"

static uint32_t wanted;

void transcript_setup(void)
{
	wanted = notice_classes();
}

static void keep(struct session *s, const char *who, str line)
{
	if (!wanted)
		return;
	notice_line(&s->said, who, line);
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
		return NOTICE_RESOURCE;
	/* A before-queue filter that is away is not our own trouble. */
	if (str_eq(dsn, STR("4.3.0")))
		return s->tx.proxied ? NOTICE_DATA
				     : NOTICE_RESOURCE | NOTICE_SOFTWARE | NOTICE_DATA;
	/* Our own configuration; that of a table or a policy server makes a refusal like others. */
	if (str_starts(wire, STR("451 4.3.5 Server configuration error")))
		return NOTICE_SOFTWARE;
	if (str_eq(detail, STR("1.1")) || str_eq(detail, STR("1.6")) ||
	    str_starts(wire, STR("552 5.3.4 Error: message file too big")))
		return NOTICE_BOUNCE;
	if (str_starts(detail, STR("5.")) || (code >= 500 && code <= 504))
		return NOTICE_PROTOCOL;
	return NOTICE_POLICY;
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

static void send_notice(const struct session *s)
{
	struct buf subject = {0};
	char id[QUEUE_ID_MAX];
	struct notice n = {
	    .id = id,
	    .to = s->trouble & NOTICE_BOUNCE ? conf.bounce_notice_recipient
					     : conf.error_notice_recipient,
	    .transcript = buf_view(&s->said),
	    .aborted = s->aborted,
	};

	buf_printf(&subject, "SMTP server: errors from %s", s->client.namaddr);
	queue_id_new(id);
	n.subject = buf_text(&subject);
	notice_send(&n);
	buf_free(&subject);
}

void transcript_end(struct session *s)
{
	if (s->trouble && !standalone())
		send_notice(s);
	buf_free(&s->said);
}
