/* XFORWARD: tells a server behind us (a content filter) who the message's client was. */
#include "smtp/smtp.h"

#include "log/log.h"
#include "param/param.h"

/* What goes into which command: one line would be too long for some servers. */
static const struct row {
	const char *name, *attr;
	int command;
} rows[] = {
    {"NAME", "log_client_name", 0},
    {"ADDR", "log_client_address", 0},
    {"PORT", "log_client_port", 0},
    {"PROTO", "log_protocol_name", 1},
    {"HELO", "log_helo_name", 1},
    {"IDENT", "log_ident", 1},
    {"SOURCE", "rewrite_context", 1},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

unsigned xforward_attrs(str names)
{
	unsigned mask = 0;
	str word;

	while (str_word(&names, " \t", &word))
		for (size_t i = 0; i < ROWS; i++)
			if (str_eq_nocase(word, str_of(rows[i].name)))
				mask |= 1u << i;
	return mask;
}

/* Addresses of IPv6 carry a prefix, and the origin has words of its own (XFORWARD_README). What is
 * not known is left out, but for a connection that had a message before: a server that does not
 * forget what it was told of that one would take it for this one's. */
static void put_attr(
    const struct conn *c, const struct delivery *d, const struct row *row, struct buf *line)
{
	str value = delivery_attr(d, row->attr);
	struct buf text = {0};

	if (str_eq(str_of(row->name), STR("ADDR")) && str_chr(value, ':') >= 0 &&
	    !str_starts_nocase(value, STR("IPV6:")))
		buf_cstr(&text, "IPV6:");
	if (str_eq(str_of(row->name), STR("SOURCE")))
		value = str_eq_nocase(value, STR("local")) ? STR("LOCAL") : STR("REMOTE");
	if (!str_eq_nocase(value, STR("unknown")))
		buf_str(&text, value);
	if (text.n > 0 || c->uses > 1)
		xattr_put(line, row->name, buf_view(&text));
	buf_free(&text);
}

static int send_command(struct conn *c, const struct delivery *d, int command)
{
	static const char *const phases[] = {
	    "sending XFORWARD name/address", "sending XFORWARD protocol/helo_name"};
	static const char *const what[] = {"name/address", "helo/protocol"};
	struct buf line = {0}, text = {0};
	int status = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].command == command && (c->xforward & (1u << i)))
			put_attr(c, d, &rows[i], &line);
	if (line.n > 0) {
		c->phase = phases[command];
		chat_put(c, conf.smtp_xforward_timeout, "XFORWARD%s", line.p);
		status = chat_reply(c, conf.smtp_xforward_timeout);
		if (status == 0 && c->reply.code / 100 != 2) {
			reply_joined(&c->reply, &text);
			log_warn("host %s said: %s (in reply to XFORWARD %s command)", c->relay,
			    buf_text(&text), what[command]);
		}
	}
	buf_free(&line);
	buf_free(&text);
	return status;
}

int xforward_send(struct conn *c, const struct delivery *d)
{
	if (!conf.smtp_send_xforward_command || c->xforward == 0)
		return 0;
	if (send_command(c, d, 0) < 0 || send_command(c, d, 1) < 0)
		return -1;
	return 0;
}
