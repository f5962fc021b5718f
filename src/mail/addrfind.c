#include "mail/addrfind.h"
#include "mail/addr.h"
#include "mail/hdraddr.h"
#include "mail/own.h"
#include "param/param.h"

struct find {
	struct maps *maps;
	str local, domain;
	size_t plain;		/* length of local without its extension */
	bool has_domain, asked; /* asked: patterns have had their question */
	struct buf key, plain_key;
	struct buf *value;
	struct err *err;
};

static enum table_result ask(struct find *f, str key)
{
	if (f->asked)
		return maps_get_partial(f->maps, key, f->value, f->err);
	f->asked = true;
	return maps_get(f->maps, key, f->value, f->err);
}

/* local with what is behind it, quoted as needed, then as it is. */
static enum table_result ask_local(struct find *f, str local, bool at, str domain)
{
	enum table_result r = TABLE_NONE;

	buf_clear(&f->plain_key);
	buf_str(&f->plain_key, local);
	buf_char(&f->plain_key, '@');
	buf_str(&f->plain_key, domain);
	if (addr_local_needs_quotes(local)) {
		buf_clear(&f->key);
		addr_quote(&f->key, buf_view(&f->plain_key));
		r = ask(f, str_head(buf_view(&f->key), f->key.n - !at));
	}
	if (r == TABLE_NONE)
		r = ask(f, str_head(buf_view(&f->plain_key), f->plain_key.n - !at));
	return r;
}

static enum table_result whole_address(struct find *f, unsigned how, bool *stripped)
{
	enum table_result r = TABLE_NONE;

	if (how & ADDR_FIND_FULL)
		r = ask_local(f, f->local, f->has_domain, f->domain);
	if (r == TABLE_NONE && (how & ADDR_FIND_NOEXT) && f->plain < f->local.n) {
		r = ask_local(f, str_head(f->local, f->plain), f->has_domain, f->domain);
		*stripped = r == TABLE_FOUND;
	}
	return r;
}

/* 1 when bare users of this domain are ours, 0, -1 and err. */
static int is_own(struct find *f)
{
	enum table_result r;

	if (str_eq_nocase(f->domain, str_of(conf.myorigin)))
		return 1;
	r = own_domain(f->domain, f->err);
	return r == TABLE_ERROR ? -1 : r == TABLE_FOUND;
}

static enum table_result local_part(struct find *f, unsigned how, bool *stripped)
{
	enum table_result r;
	int own = (how & ADDR_FIND_LOCALPART) ? 1 : 0;

	if (!f->has_domain)
		return TABLE_NONE; /* it was the whole address */
	if (!own && (how & ADDR_FIND_IF_OWN))
		own = is_own(f);
	if (own < 0)
		return TABLE_ERROR;
	if (!own)
		return TABLE_NONE;
	r = ask_local(f, f->local, false, STR(""));
	if (r == TABLE_NONE && f->plain < f->local.n) {
		r = ask_local(f, str_head(f->local, f->plain), false, STR(""));
		*stripped = r == TABLE_FOUND;
	}
	return r;
}

static enum table_result domains(struct find *f, unsigned how)
{
	enum table_result r = TABLE_NONE;
	str name = f->domain;
	ptrdiff_t dot;

	if (how & ADDR_FIND_DOMAIN)
		r = ask(f, name);
	while (r == TABLE_NONE && (how & (ADDR_FIND_PARENTS | ADDR_FIND_DOT_PARENTS))) {
		dot = str_chr(str_from(name, 1), '.');
		if (dot < 0)
			break;
		name = str_from(name, (size_t)dot + 1);
		r = ask(f, how & ADDR_FIND_DOT_PARENTS ? name : str_from(name, 1));
	}
	return r;
}

static enum table_result local_at(struct find *f, bool *stripped)
{
	enum table_result r = ask_local(f, f->local, true, STR(""));

	if (r == TABLE_NONE && f->plain < f->local.n) {
		r = ask_local(f, str_head(f->local, f->plain), true, STR(""));
		*stripped = r == TABLE_FOUND;
	}
	return r;
}

static enum table_result find(struct find *f, unsigned how, bool *stripped)
{
	enum table_result r = whole_address(f, how, stripped);

	if (r == TABLE_NONE && (how & (ADDR_FIND_LOCALPART | ADDR_FIND_IF_OWN)))
		r = local_part(f, how, stripped);
	if (r == TABLE_NONE && f->has_domain && (how & ADDR_FIND_AT_DOMAIN)) {
		buf_clear(&f->key);
		buf_char(&f->key, '@');
		buf_str(&f->key, f->domain);
		r = ask(f, buf_view(&f->key));
	}
	if (r == TABLE_NONE && f->domain.n)
		r = domains(f, how);
	if (r == TABLE_NONE && f->has_domain && (how & ADDR_FIND_LOCALPART_AT))
		r = local_at(f, stripped);
	return r;
}

enum table_result addr_find(struct maps *maps, str address, unsigned how, struct buf *value,
    struct buf *extension, struct err *err)
{
	struct find f = {.maps = maps, .value = value, .err = err};
	enum table_result r;
	bool stripped = false;
	ptrdiff_t at;

	if (extension)
		buf_clear(extension);
	addr_split(address, &f.local, &f.domain);
	f.has_domain = f.local.n < address.n;
	at = addr_extension(f.local, conf.recipient_delimiter, conf.owner_request_special,
	    str_of(conf.double_bounce_sender));
	f.asked = !(how & ADDR_FIND_FULL);
	f.plain = at < 0 ? f.local.n : (size_t)at;
	r = find(&f, how, &stripped);
	if (r == TABLE_FOUND && stripped && extension)
		buf_str(extension, str_from(f.local, f.plain));
	buf_free(&f.key);
	buf_free(&f.plain_key);
	return r;
}

/* --- rewriting */

struct mapping {
	str address, extension; /* what was looked up */
	struct buf *out;
	bool list; /* external form, all of them; else the first, internal form */
	size_t n;  /* addresses so far */
};

/* The result's address with "@other" and the extension worked in, in internal form. */
static void combine(const struct mapping *m, str result, struct buf *out)
{
	str local, domain;
	bool at;

	addr_split(result, &local, &domain);
	at = local.n < result.n;
	if (local.n == 0 && at && m->n == 0)
		buf_str(out, addr_local(m->address));
	buf_str(out, local);
	if (local.n)
		buf_str(out, m->extension);
	if (at) {
		buf_char(out, '@');
		buf_str(out, domain);
	}
}

static bool take(void *ctx, str address, struct buf *unused)
{
	struct mapping *m = ctx;
	struct buf one = {0};

	(void)unused;
	if (m->n == 0 || m->list) {
		combine(m, address, &one);
		if (m->list && m->n)
			buf_cstr(m->out, ", ");
		if (m->list)
			addr_quote(m->out, buf_view(&one));
		else
			buf_str(m->out, buf_view(&one));
	}
	m->n++;
	buf_free(&one);
	return false;
}

static enum table_result map(struct maps *maps, str address, unsigned how, bool propagate,
    bool list, struct buf *value, size_t *count, struct err *err)
{
	struct mapping m = {.address = address, .out = value, .list = list};
	struct buf found = {0}, extension = {0};
	enum table_result r = addr_find(maps, address, how, &found, &extension, err);

	buf_clear(value);
	if (r == TABLE_FOUND) {
		if (propagate)
			m.extension = buf_view(&extension);
		hdraddr_each(buf_view(&found), 0, take, &m);
		if (m.n == 0) {
			err_set(err, "%s lookup of %.*s returns non-address result \"%.*s\"",
			    maps_param(maps), STR_FMT(str_head(address, 100)),
			    STR_FMT(str_head(buf_view(&found), 100)));
			r = TABLE_ERROR;
		}
	}
	if (count)
		*count = m.n;
	buf_free(&found);
	buf_free(&extension);
	return r;
}

enum table_result addr_map(struct maps *maps, str address, unsigned how, bool propagate,
    struct buf *value, size_t *count, struct err *err)
{
	return map(maps, address, how, propagate, false, value, count, err);
}

enum table_result addr_map_list(struct maps *maps, str address, unsigned how, bool propagate,
    struct buf *value, struct err *err)
{
	return map(maps, address, how, propagate, true, value, NULL, err);
}
