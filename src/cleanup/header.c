/* The message's own header: what is dropped, rewritten, counted, added. */
#include "cleanup/address.h"
#include "cleanup/message.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "mail/hdraddr.h"
#include "mail/msgid.h"
#include "param/param.h"

/* Fields whose presence matters. */
static const struct {
	enum header_id id;
	uint32_t seen;
} seen_fields[] = {
    {HDR_FROM, SEEN_FROM},
    {HDR_DATE, SEEN_DATE},
    {HDR_MESSAGE_ID, SEEN_MESSAGE_ID},
    {HDR_TO, SEEN_TO},
    {HDR_CC, SEEN_TO},
    {HDR_RESENT_FROM, SEEN_RESENT_FROM},
    {HDR_RESENT_DATE, SEEN_RESENT_DATE},
    {HDR_RESENT_MESSAGE_ID, SEEN_RESENT_MESSAGE_ID},
    {HDR_RESENT_TO, SEEN_TO},
    {HDR_RESENT_CC, SEEN_TO},
};

static bool dropped[HDR_COUNT];
static struct buf message_drop; /* names that have no row */

void header_setup(void)
{
	str rest = str_of(conf.message_drop_headers), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		enum header_id id = header_find(word)->id;
		if (id != HDR_OTHER)
			dropped[id] = true;
		else
			buf_printf(&message_drop, "%.*s ", STR_FMT(word));
	}
}

void header_emit(struct message *m, str text)
{
	if (!str_is_ascii(text))
		m->env.sender.flags |= SENDER_SMTPUTF8_HEADER;
	m->nfields++;
	header_wire(&m->out, text);
}

static void note_presence(struct message *m, const struct header_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(seen_fields); i++)
		if (seen_fields[i].id == row->id)
			m->seen |= seen_fields[i].seen;
	if (row->flags & H_RESENT)
		m->resent = true;
}

static void log_message_id(struct message *m, const struct header_row *row, str value)
{
	if (m->discard || (m->status != CLEANUP_OK && !(m->flags & CLEANUP_FLAG_BOUNCE_ON_ERROR)))
		return;
	log_cleanup_message_id(
	    m->id, row->id == HDR_MESSAGE_ID ? "message-id" : "resent-message-id", str_trim(value));
}

/* --- address fields */

struct field_ctx {
	struct message *m;
	enum address_class class;
};

static bool rewrite_field_address(void *ctx, str address, struct buf *out)
{
	struct field_ctx *f = ctx;

	if (f->m->status != CLEANUP_OK)
		return false;
	buf_str(out, address);
	if (address_complete(f->m, f->m->context, out) < 0 ||
	    address_canonical(f->m, f->class, out) < 0)
		return false;
	return !str_eq(buf_view(out), address);
}

/* Emits an address field, rewritten where it must be. */
static void emit_addresses(
    struct message *m, const struct header_row *row, str text, str name, str value)
{
	struct field_ctx f = {
	    m, row->flags & H_SENDER ? ADDRESS_HEADER_SENDER : ADDRESS_HEADER_RCPT};
	struct buf out = {0};

	buf_printf(&out, "%.*s: ", STR_FMT(name));
	if (hdraddr_rewrite(
		value, out.n, conf.header_address_token_limit, rewrite_field_address, &f, &out))
		header_emit(m, buf_view(&out));
	else
		header_emit(m, text);
	buf_free(&out);
}

void header_field(struct message *m, const struct header_row *row, str text)
{
	str name, value;

	if (!header_split(text, &name, &value)) {
		header_emit(m, text);
		return;
	}
	note_presence(m, row);
	if (row->id == HDR_MESSAGE_ID || row->id == HDR_RESENT_MESSAGE_ID)
		log_message_id(m, row, value);
	if (row->id == HDR_RECEIVED && ++m->hops == (unsigned)conf.hopcount_limit) {
		log_warn("%s: message rejected: hopcount exceeded", m->id);
		message_fail(m, CLEANUP_HOPS, NULL);
	}
	if (row->id == HDR_OTHER ? message_drop.n && header_listed(buf_text(&message_drop), name)
				 : dropped[row->id])
		return;
	if ((row->flags & (H_SENDER | H_RCPT)) && m->rewrite_headers)
		emit_addresses(m, row, text, name, value);
	else
		header_emit(m, text);
}

/* --- fields that are missing */

static void add_message_id(struct message *m)
{
	struct buf text = {0}, id = {0};

	msgid_put(&id, m->env.message.arrival_us / 1000000, str_of(m->id), str_of(conf.myhostname));
	buf_printf(&text, "%sMessage-Id: %s", m->resent ? "Resent-" : "", buf_text(&id));
	header_emit(m, buf_view(&text));
	log_cleanup_message_id(
	    m->id, m->resent ? "resent-message-id" : "message-id", buf_view(&id));
	buf_free(&text);
	buf_free(&id);
}

static void add_date(struct message *m)
{
	char date[CLOCK_MAIL_DATE];
	struct buf text = {0};

	clock_mail_date(m->env.message.arrival_us / 1000000, date);
	buf_printf(&text, "%sDate: %s", m->resent ? "Resent-" : "", date);
	header_emit(m, buf_view(&text));
	buf_free(&text);
}

static void add_from(struct message *m)
{
	struct buf text = {0}, sender = {0};
	bool obsolete = strcasecmp(conf.header_from_format, "obsolete") == 0;

	/* header_from_format: the null sender has no name */
	if (m->env.sender.address.n == 0) {
		from_put(&text, m->resent, STR(""), STR("MAILER-DAEMON"), obsolete, STR(""));
	} else {
		sender_map(m);
		buf_str(&sender, m->env.sender.address);
		from_put(&text, m->resent, m->env.sender.full_name, buf_view(&sender), obsolete,
		    str_of(conf.full_name_encoding_charset));
	}
	header_emit(m, buf_view(&text));
	buf_free(&text);
	buf_free(&sender);
}

/* Missing fields are added to mail whose header is ours to complete (of local origin, or with
 * remote_header_rewrite_domain), or always where always_add_missing_headers says so. */
void header_finish(struct message *m)
{
	bool refused =
	    m->discard || (m->status != CLEANUP_OK && !(m->flags & CLEANUP_FLAG_BOUNCE_ON_ERROR));
	bool add = conf.always_add_missing_headers || m->rewrite_headers;
	uint32_t id = m->resent ? SEEN_RESENT_MESSAGE_ID : SEEN_MESSAGE_ID;
	uint32_t date = m->resent ? SEEN_RESENT_DATE : SEEN_DATE;
	uint32_t from = m->resent ? SEEN_RESENT_FROM : SEEN_FROM;

	if (refused)
		return;
	if (add && !(m->seen & id))
		add_message_id(m);
	if (!(m->seen & SEEN_MESSAGE_ID) && (!add || m->resent))
		log_cleanup_message_id(m->id, "message-id", STR("<>"));
	if (!add)
		return;
	if (!(m->seen & date))
		add_date(m);
	if (!(m->seen & from))
		add_from(m);
	if (!(m->seen & SEEN_TO) && *conf.undisclosed_recipients_header)
		header_emit(m, str_of(conf.undisclosed_recipients_header));
}
