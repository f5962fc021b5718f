/* Envelope recipients: standard form, canonical maps, automatic copies, virtual aliases, each once.
 */
#include "cleanup/address.h"
#include "cleanup/message.h"
#include "cleanup/virtual.h"

#include "ipc/deliver.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mail/dsn.h"
#include "param/param.h"

#include <stdlib.h>

static struct maps *sender_bcc, *recipient_bcc;

void recipient_setup(void)
{
	sender_bcc = maps_open("sender_bcc_maps", conf.sender_bcc_maps, TABLE_FOLD | TABLE_UTF8);
	recipient_bcc =
	    maps_open("recipient_bcc_maps", conf.recipient_bcc_maps, TABLE_FOLD | TABLE_UTF8);
	virtual_setup();
}

/* A recipient that is stored: once for each address or, with enable_original_recipient, for each
 * address with its original and wishes for reports. So a copy for ourselves, which has no ORCPT
 * yet, is not swallowed by a recipient of the client's. */
static bool is_new(struct message *m, const struct ipc_env_rcpt *r)
{
	struct buf key = {0};
	bool fresh = true;

	buf_lower(&key, r->address);
	if (conf.enable_original_recipient) {
		buf_char(&key, '\0');
		buf_lower(&key, r->orig_address);
		buf_printf(&key, "%c%u ", '\0', (unsigned)r->notify);
		buf_lower(&key, r->orcpt);
	}
	if (htab_find(&m->seen_rcpts, buf_view(&key)))
		fresh = false;
	else if (conf.duplicate_filter_limit <= 0 ||
		 m->seen_rcpts.count < (size_t)conf.duplicate_filter_limit)
		htab_set(&m->seen_rcpts, buf_view(&key), m);
	buf_free(&key);
	return fresh;
}

/* RFC 6533 3: utf-8-addr-xtext. s is well-formed as a rule; what is not is taken byte by byte. */
static void put_utf8_xtext(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		uint32_t u = c;

		if (n > 1 && n <= s.n - i) {
			u = c & (0xffu >> (n + 1));
			for (size_t k = 1; k < n; k++)
				u = u << 6 | ((unsigned char)s.p[i + k] & 0x3f);
		} else {
			n = 1;
		}
		if (u > ' ' && u < 127 && u != '+' && u != '=' && u != '\\')
			buf_char(out, (char)u);
		else
			buf_printf(out, "\\x{%02X}", (unsigned)u);
		i += n;
	}
}

/* Original recipient for those whose client named none: the address as it was given. */
static str make_orcpt(struct message *m, str given)
{
	bool utf8 = !str_is_ascii(given) && conf.smtputf8_enable &&
		    ((m->env.sender.flags & SENDER_SMTPUTF8) || (m->flags & CLEANUP_FLAG_AUTOUTF8));
	struct buf orcpt = {0}, a = {0};
	str out;

	addr_quote(&a, given);
	buf_cstr(&orcpt, utf8 ? "utf-8;" : "rfc822;");
	if (utf8)
		put_utf8_xtext(&orcpt, buf_view(&a));
	else
		xtext_encode(&orcpt, buf_view(&a));
	out = arena_str(&m->arena, buf_view(&orcpt));
	buf_free(&orcpt);
	buf_free(&a);
	return out;
}

static void store(struct message *m, const struct ipc_env_rcpt *r)
{
	struct ipc_env_rcpt with = *r;

	if (!is_new(m, r))
		return;
	if (with.orcpt.n == 0)
		with.orcpt = make_orcpt(m, with.orig_address);
	envelope_add_rcpt(&m->env, &m->arena, &with);
}

/* RFC 3461 5.2.7.3: who asked for news of success hears "expanded" here; the members report
 * failures. */
static void expanded(struct message *m, const struct ipc_env_rcpt *from)
{
	struct ipc_rcpt_status st = {
	    .index = (uint32_t)m->env.nrcpts,
	    .kind = RCPT_SENT,
	    .dsn = STR("2.0.0"),
	    .action = STR("expanded"),
	    .reason = STR("alias expanded"),
	    .time_us = m->env.message.arrival_us,
	};

	envelope_add_rcpt(&m->env, &m->arena, from);
	message_fate(m, &st);
}

/* A mapped address goes through the virtual aliases and into the envelope. */
static void add_expanded(struct message *m, const struct ipc_env_rcpt *r)
{
	struct virtual_list list = {0};

	if (!(m->flags & CLEANUP_FLAG_MAP)) {
		store(m, r);
		return;
	}
	if (virtual_expand(m, r->address, &list) == 0) {
		struct ipc_env_rcpt member = *r;
		bool changed = list.n != 1 || !str_eq_nocase(list.v[0], r->address);

		if (changed && (r->notify & DSN_NOTIFY_SUCCESS)) {
			expanded(m, r);
			member.notify &= ~(uint32_t)DSN_NOTIFY_SUCCESS;
			if (member.notify == 0)
				member.notify = DSN_NOTIFY_NEVER;
		}
		for (size_t i = 0; i < list.n; i++) {
			member.address = list.v[i];
			store(m, &member);
		}
	}
	free(list.v);
}

/* Copies are for us: nobody else is told of their fate. */
static void add_copy(struct message *m, str address)
{
	struct ipc_env_rcpt r = {.notify = DSN_NOTIFY_NEVER};
	struct buf a = {0};

	addr_unquote(&a, str_trim(address));
	if (a.n > 0 && address_complete(m, "local", &a) == 0 && !milter_unwanted(m, buf_view(&a))) {
		r.address = r.orig_address = arena_str(&m->arena, buf_view(&a));
		add_expanded(m, &r);
	}
	buf_free(&a);
}

static void copy_by_map(struct message *m, const char *param, struct maps *maps, str address)
{
	struct buf value = {0};
	struct err err;

	if (maps_empty(maps) || !(m->flags & CLEANUP_FLAG_BCC) || address.n == 0)
		return;
	switch (addr_find(maps, address, ADDR_FIND_CANONICAL, &value, NULL, &err)) {
	case TABLE_FOUND:
		add_copy(m, buf_view(&value));
		break;
	case TABLE_ERROR:
		message_lookup_failed(m, param, STR(""), &err);
		break;
	default:
		break;
	}
	buf_free(&value);
}

/* Standard form and canonical maps. */
static int map_address(struct message *m, const struct ipc_env_rcpt *given, struct ipc_env_rcpt *r)
{
	struct buf a = {0};
	int status;

	*r = *given;
	buf_str(&a, r->address);
	if (a.n == 0)
		buf_cstr(&a, conf.empty_address_recipient);
	/* The original recipient stays as it was given: orig_to=<root> of cron's mail. */
	if (r->orig_address.n == 0)
		r->orig_address = arena_str(&m->arena, buf_view(&a));
	status = address_complete(m, "local", &a);
	if (status == 0) {
		status = address_canonical(m, ADDRESS_ENVELOPE_RCPT, &a);
		r->address = arena_str(&m->arena, buf_view(&a));
		if (r->orcpt.n == 0)
			r->orcpt =
			    make_orcpt(m, given->orig_address.n ? given->orig_address : r->address);
	}
	buf_free(&a);
	return status;
}

str recipient_shown(struct message *m)
{
	const struct ipc_env_rcpt *last;
	struct ipc_env_rcpt r;

	if (m->ngiven == 0)
		return (str){NULL, 0};
	last = &m->given[m->ngiven - 1];
	if (m->shown_of != m->ngiven) {
		m->shown_of = m->ngiven;
		m->shown = map_address(m, last, &r) == 0 ? r.address : last->address;
	}
	return m->shown;
}

static void map_one(struct message *m, const struct ipc_env_rcpt *given, bool from_milter)
{
	struct ipc_env_rcpt r;

	if (map_address(m, given, &r) < 0)
		return;
	add_expanded(m, &r);
	if (!from_milter)
		copy_by_map(m, "recipient_bcc_maps", recipient_bcc, r.address);
}

/* One recipient instead of all; it overrides FILTER (header_checks(5), access(5)). */
static void redirect(struct message *m)
{
	struct ipc_env_rcpt r = {0};
	struct buf a = {0};

	addr_unquote(&a, m->redirect);
	if (m->ngiven > 0 && map_address(m, &m->given[0], &r) < 0) {
		buf_free(&a);
		return;
	}
	r.address = arena_str(&m->arena, buf_view(&a));
	if (m->ngiven == 0)
		r.orig_address = r.address;
	if (envelope_attr(&m->env, "content_filter").n)
		envelope_add_attr(&m->env, &m->arena, STR("content_filter"), STR(""));
	store(m, &r);
	buf_free(&a);
}

void recipient_plain(struct message *m)
{
	struct ipc_env_rcpt r;

	m->env.nrcpts = m->nearly = 0;
	for (size_t i = 0; i < m->ngiven && m->status == CLEANUP_OK; i++)
		if (map_address(m, &m->given[i], &r) == 0)
			envelope_add_rcpt(&m->env, &m->arena, &r);
}

void recipient_map_all(struct message *m)
{
	if (m->redirect.n) {
		redirect(m);
		return;
	}
	for (size_t i = 0; i < m->ngiven && m->status == CLEANUP_OK; i++)
		map_one(m, &m->given[i], i >= m->ngiven - m->nadded);
	if ((m->env.nrcpts == 0 && m->unwanted.count == 0) || m->status != CLEANUP_OK)
		return;
	if (*conf.always_bcc && (m->flags & CLEANUP_FLAG_BCC))
		add_copy(m, str_of(conf.always_bcc));
	copy_by_map(m, "sender_bcc_maps", sender_bcc, m->env.sender.address);
	if (m->sender_before.p)
		copy_by_map(m, "sender_bcc_maps", sender_bcc, m->sender_before);
	for (size_t i = 0; i < m->nbcc; i++)
		add_copy(m, m->bcc[i]);
}
