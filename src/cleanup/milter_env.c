/* The envelope, and milter_header_checks, as milters change them. */
#include "base/mem.h"
#include "cleanup/message.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "milter/address.h"
#include "smtpwire/esmtp.h"

/* --- addresses: "<user@dom>", but milters write what they like */

static bool has_line_break(str address)
{
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] < ' ')
			return true;
	return false;
}

/* The first address, in internal form; "" when there is none. */
static str take_address(struct message *m, str text)
{
	bool more;
	str address = milter_address(&m->arena, text, &more);

	if (more)
		log_warn("%s: milter gives more than one address: \"%.*s\"", m->id, STR_FMT(text));
	return address;
}

/* --- sender */

static bool take_ret(struct message *m, str value)
{
	if (str_eq_nocase(value, STR("FULL")))
		m->env.sender.ret = DSN_RET_FULL;
	else if (str_eq_nocase(value, STR("HDRS")))
		m->env.sender.ret = DSN_RET_HDRS;
	else
		return false;
	return true;
}

static bool take_envid(struct message *m, str value)
{
	struct buf plain = {0};
	bool good = value.n > 0 && value.n <= 100 && xtext_decode(&plain, value) &&
		    !has_line_break(buf_view(&plain));

	buf_free(&plain);
	if (good)
		m->env.sender.envid = arena_str(&m->arena, value);
	return good;
}

static void change_from(void *ctx, str text, str args)
{
	struct message *m = ctx;
	str address = take_address(m, text), name, value, word;

	sender_map(m);
	if (!m->sender_before.p)
		m->sender_before = m->env.sender.address;
	m->env.sender.address = address;
	while (esmtp_param(&args, &name, &value, &word))
		if (!(str_eq_nocase(name, STR("RET")) && take_ret(m, value)) &&
		    !(str_eq_nocase(name, STR("ENVID")) && take_envid(m, value)))
			log_warn(
			    "%s: Ignoring bad ESMTP parameter \"%.*s\" in SMFI_CHGFROM request",
			    m->id, STR_FMT(word));
}

/* --- recipients */

static void take_rcpt_args(struct message *m, struct ipc_env_rcpt *r, str args)
{
	str name, value, word;

	while (esmtp_param(&args, &name, &value, &word)) {
		bool known = false, good = false;

		if (str_eq_nocase(name, STR("NOTIFY")) && value.p) {
			known = true;
			good = dsn_parse_notify(value, &r->notify);
		} else if (str_eq_nocase(name, STR("ORCPT")) && value.p) {
			known = true;
			good = orcpt_valid(value);
			if (good)
				r->orcpt = value;
		}
		if (!known)
			log_warn("%s: ignoring ESMTP argument from Milter: \"%.*s\"", m->id,
			    STR_FMT(word));
		else if (!good)
			log_warn("%s: Bad %.*s parameter from Milter: \"%.*s\"", m->id,
			    STR_FMT(name), STR_FMT(word));
	}
}

static void make_key(struct buf *key, str address)
{
	buf_str(key, addr_local(address));
	buf_char(key, '@');
	buf_lower(key, addr_domain(address));
}

static void want_again(struct message *m, str address)
{
	struct buf key = {0};

	make_key(&key, address);
	htab_del(&m->unwanted, buf_view(&key));
	buf_free(&key);
}

static void add_rcpt(void *ctx, str text, str args)
{
	struct message *m = ctx;
	struct ipc_env_rcpt r = {.address = take_address(m, text)};

	if (r.address.n == 0) {
		log_warn("%s: ignoring attempt from Milter to add null recipient", m->id);
		return;
	}
	take_rcpt_args(m, &r, args);
	r.orig_address = r.address;
	want_again(m, r.address);
	message_add_rcpt(m, &r);
	m->nadded++;
}

bool milter_unwanted(const struct message *m, str address)
{
	struct buf key = {0};
	bool found;

	if (m->unwanted.count == 0)
		return false;
	make_key(&key, address);
	found = htab_find(&m->unwanted, buf_view(&key)) != NULL;
	buf_free(&key);
	return found;
}

static void forget_rcpt(struct message *m, size_t at)
{
	if (at >= m->ngiven - m->nadded)
		m->nadded--;
	m->ngiven--;
	memmove(&m->given[at], &m->given[at + 1], (m->ngiven - at) * sizeof(*m->given));
}

static void del_rcpt(void *ctx, str text)
{
	struct message *m = ctx;
	struct buf key = {0};
	str address = take_address(m, text);

	for (size_t i = 0; i < m->ngiven;)
		if (milter_address_same(m->given[i].address, address) ||
		    milter_address_same(m->given[i].orig_address, address))
			forget_rcpt(m, i);
		else
			i++;
	make_key(&key, address);
	htab_set(&m->unwanted, buf_view(&key), m);
	buf_free(&key);
}

static bool check_field(void *ctx, str *text)
{
	return checks_milter_field(ctx, text);
}

const struct milter_envelope_ops milter_env_ops = {.change_from = change_from,
    .add_rcpt = add_rcpt,
    .del_rcpt = del_rcpt,
    .check_field = check_field};
