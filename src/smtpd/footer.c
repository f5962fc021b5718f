#include "smtpd/footer.h"

#include "base/clock.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "table/table.h"

#include <unistd.h>

static struct maps *maps;

void footer_setup(void)
{
	maps = maps_open("smtpd_reject_footer_maps", conf.smtpd_reject_footer_maps, 0);
}

/* Attributes of a footer, as postconf(5) lists them for smtpd_reject_footer. */
static const char *look(void *ctx, str name)
{
	struct session *s = ctx;
	struct arena *a = &s->tx.arena;

	if (str_eq(name, STR("client_address")))
		return s->client.addr;
	if (str_eq(name, STR("client_name")))
		return s->client.name;
	if (str_eq(name, STR("client_port")))
		return s->client.port;
	if (str_eq(name, STR("helo_name")))
		return s->helo;
	if (str_eq(name, STR("localtime"))) {
		char date[CLOCK_MAIL_DATE];
		return arena_printf(a, "%.15s", clock_mail_date(clock_wall_us() / 1000000, date) + 5);
	}
	if (str_eq(name, STR("process_id")))
		return arena_printf(a, "%d", (int)getpid());
	if (str_eq(name, STR("recipient")))
		return arena_cstr(a, s->tx.rcpt);
	if (str_eq(name, STR("recipient_domain")) || str_eq(name, STR("sender_domain"))) {
		str addr = name.p[0] == 'r' ? s->tx.rcpt : s->tx.sender;
		ptrdiff_t at = str_rchr(addr, '@');
		return at < 0 ? "" : arena_cstr(a, str_from(addr, at + 1));
	}
	if (str_eq(name, STR("recipient_name")) || str_eq(name, STR("sender_name"))) {
		str addr = name.p[0] == 'r' ? s->tx.rcpt : s->tx.sender;
		ptrdiff_t at = str_rchr(addr, '@');
		return arena_cstr(a, at < 0 ? addr : str_head(addr, at));
	}
	if (str_eq(name, STR("sender")))
		return arena_cstr(a, s->tx.sender);
	if (str_eq(name, STR("server_address")))
		return s->server_addr;
	if (str_eq(name, STR("server_name")))
		return conf.myhostname;
	if (str_eq(name, STR("server_port")))
		return s->server_port;
	return NULL;
}

/* Appends one footer: '\n' and the two characters "\n" both begin a new line. */
static void append(struct buf *reply, str footer)
{
	if (str_starts(footer, STR("\\c")))
		footer = str_from(footer, 2);
	else
		buf_char(reply, '\n');
	for (size_t i = 0; i < footer.n; i++) {
		if (footer.p[i] == '\\' && i + 1 < footer.n && footer.p[i + 1] == 'n') {
			buf_char(reply, '\n');
			i++;
		} else if (footer.p[i] != '\r') {
			buf_char(reply, footer.p[i]);
		}
	}
}

void footer_add(struct session *s, struct buf *reply)
{
	struct buf text = {0}, out = {0};
	struct err err;

	if (!maps_empty(maps) && maps_get(maps, buf_view(reply), &text, &err) == TABLE_FOUND)
		;
	else if (conf.smtpd_reject_footer[0])
		buf_cstr(&text, conf.smtpd_reject_footer);
	if (text.n > 0) {
		if (expand_text(&out, buf_view(&text), look, s, &err) < 0)
			log_warn("smtpd_reject_footer: %s", err.text);
		else
			append(reply, buf_view(&out));
	}
	buf_free(&text);
	buf_free(&out);
}
