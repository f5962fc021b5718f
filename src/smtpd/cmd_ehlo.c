/* EHLO (RFC 5321 4.1.1.1) and the keywords of its reply, in the order that clients of Postfix know.
 */
#include "smtpd/ehlo.h"

#include "log/event.h"
#include "log/log.h"
#include "param/param.h"
#include "smtpd/restrict.h"
#include "smtpwire/esmtp.h"
#include "table/table.h"

#include <stdio.h>

static struct maps *address_maps;

void ehlo_setup(void)
{
	address_maps = maps_open("smtpd_discard_ehlo_keyword_address_maps",
	    conf.smtpd_discard_ehlo_keyword_address_maps, 0);
}

int ehlo_discard(struct session *s, uint32_t *discard)
{
	enum table_result found = TABLE_NONE;
	struct buf list = {0};
	struct err err;
	uint64_t mask;

	if (!maps_empty(address_maps))
		found = maps_get(address_maps, str_of(s->client.addr), &list, &err);
	if (found == TABLE_ERROR) {
		log_warn("%s", err.text);
		log_warn("don't know what EHLO features to announce to %s", s->client.namaddr);
		buf_free(&list);
		return -1;
	}
	if (found != TABLE_FOUND)
		buf_cstr(&list, conf.smtpd_discard_ehlo_keywords);
	if (ehlo_mask(buf_view(&list), &mask, &err) < 0)
		log_warn("smtpd_discard_ehlo_keywords: %s", err.text);
	buf_free(&list);
	*discard = (uint32_t)mask;
	return 0;
}

static void log_discarded(uint32_t mask)
{
	struct buf names = {0};

	if (!(mask & ~EHLO_SILENT_DISCARD) || (mask & EHLO_SILENT_DISCARD))
		return;
	ehlo_print(&names, mask);
	log_info("discarding EHLO keywords: %s", buf_text(&names));
	buf_free(&names);
}

static void keyword(struct session *s, struct buf *out, uint32_t bit, const char *text)
{
	if (!(s->discard & bit))
		buf_printf(out, "\n%s", text);
}

static void local_error(struct session *s)
{
	char reply[512];

	snprintf(reply, sizeof(reply), "421 4.3.0 %s Server local data error", conf.myhostname);
	restrict_log(s, "reject", reply);
	session_reply(s, "%s", reply);
}

void cmd_ehlo(struct session *s, str args)
{
	struct buf reply = {0}, size = {0};

	if (!helo_accept(s, "EHLO", args))
		return;
	s->protocol = "ESMTP"; /* HELO does not take it back */
	if (ehlo_discard(s, &s->discard) < 0) {
		local_error(s);
		return;
	}
	log_discarded(s->discard);
	if (s->milters_refuse)
		s->discard |= ~(uint32_t)EHLO_ENHANCEDSTATUSCODES;
	buf_printf(&reply, "250 %s", conf.myhostname);
	buf_cstr(&size, "SIZE");
	if (conf.message_size_limit > 0)
		buf_printf(&size, " %lld", (long long)conf.message_size_limit);
	keyword(s, &reply, EHLO_PIPELINING, "PIPELINING");
	keyword(s, &reply, EHLO_SIZE, buf_text(&size));
	if (!conf.disable_vrfy_command)
		keyword(s, &reply, EHLO_VRFY, "VRFY");
	keyword(s, &reply, EHLO_ETRN, "ETRN");
	if (s->xclient)
		keyword(s, &reply, EHLO_XCLIENT, "XCLIENT " XCLIENT_ATTRS);
	if (s->xforward)
		keyword(s, &reply, EHLO_XFORWARD, "XFORWARD " XFORWARD_ATTRS);
	keyword(s, &reply, EHLO_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES");
	keyword(s, &reply, EHLO_8BITMIME, "8BITMIME");
	keyword(s, &reply, EHLO_DSN, "DSN");
	if (conf.smtputf8_enable)
		keyword(s, &reply, EHLO_SMTPUTF8, "SMTPUTF8");
	keyword(s, &reply, EHLO_CHUNKING, "CHUNKING");
	session_reply_text(s, buf_view(&reply));
	buf_free(&reply);
	buf_free(&size);
}
