#include "cleanup/virtual.h"

#include "cleanup/address.h"
#include "cleanup/canonical.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mail/hdraddr.h"
#include "mail/own.h"
#include "param/param.h"

#include <stdlib.h>

static struct maps *maps;
static bool propagate;

void virtual_setup(void)
{
	maps = maps_open("virtual_alias_maps", conf.virtual_alias_maps, TABLE_FOLD | TABLE_UTF8);
	propagate = extension_propagates("virtual");
}

static void list_add(struct virtual_list *l, str address)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 4;
		l->v = mem_realloc(l->v, l->cap * sizeof(str));
	}
	l->v[l->n++] = address;
}

/* address is the recipient as it was given. */
static int too_much(struct message *m, str address, const char *what)
{
	log_warn("%s: unreasonable virtual_alias_maps map %s for %.*s -- message not accepted, try "
		 "again later",
	    m->id, what, STR_FMT(address));
	message_fail(m, CLEANUP_EXPANSION, NULL);
	return -1;
}

/* One table result, a list of addresses, as complete addresses. */
struct members {
	struct message *m;
	struct virtual_list list;
	int status;
};

static bool add_member(void *ctx, str address, struct buf *out)
{
	struct members *ms = ctx;
	struct buf a = {0};

	(void)out;
	buf_str(&a, address);
	if (ms->status == 0)
		ms->status = address_complete(ms->m, "local", &a);
	list_add(&ms->list, arena_str(&ms->m->arena, buf_view(&a)));
	buf_free(&a);
	return false;
}

/* The member that is the address itself, as the table writes it, or NULL. */
static const str *find_self(const struct virtual_list *l, str address)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq_nocase(l->v[i], address))
			return &l->v[i];
	return NULL;
}

static int check_members(struct message *m, str address, const struct members *ms, str value)
{
	struct err err;

	if (ms->status < 0)
		return -1;
	if (ms->list.n == 0) {
		err_set(&err,
		    "virtual_alias_maps lookup of %.*s returns non-address result "
		    "\"%.*s\"",
		    STR_FMT(str_head(address, 100)), STR_FMT(str_head(value, 100)));
		message_lookup_failed(m, "virtual_alias_maps", address, &err);
		return -1;
	}
	for (size_t i = 0; i < ms->list.n; i++) {
		if (ms->list.v[i].n <= (size_t)conf.virtual_alias_address_length_limit)
			continue;
		log_warn("%s: unreasonable virtual_alias_maps result %.*s... -- message not "
			 "accepted, try again later",
		    m->id, STR_FMT(str_head(ms->list.v[i], 300)));
		message_fail(m, CLEANUP_EXPANSION, NULL);
		return -1;
	}
	return 1;
}

/* 1: found, members are in ms; 0: no alias; -1: failed. */
static int look_up(struct message *m, str address, struct members *ms)
{
	struct buf value = {0};
	struct err err;
	int found = 0;

	ms->m = m;
	switch (addr_map_list(maps, address, ADDR_FIND_CANONICAL, propagate, &value, &err)) {
	case TABLE_FOUND:
		hdraddr_each(buf_view(&value), 0, add_member, ms);
		found = check_members(m, address, ms, buf_view(&value));
		break;
	case TABLE_ERROR:
		message_lookup_failed(m, "virtual_alias_maps", address, &err);
		found = -1;
		break;
	default:
		break;
	}
	buf_free(&value);
	return found;
}

/* Replaces out->v[i] until no alias has it; further members are appended and expanded in their
 * turn. An alias that contains itself ends there. */
static int expand_at(struct message *m, struct virtual_list *out, size_t i, str given)
{
	for (int depth = 0;; depth++) {
		struct members ms = {0};
		int found;
		const str *self;

		if (depth >= conf.virtual_alias_recursion_limit)
			return too_much(m, given, "nesting");
		found = look_up(m, out->v[i], &ms);
		if (found <= 0) {
			free(ms.list.v);
			return found;
		}
		if (out->n + ms.list.n - 1 > (size_t)conf.virtual_alias_expansion_limit) {
			free(ms.list.v);
			return too_much(m, given, "expansion size");
		}
		self = find_self(&ms.list, out->v[i]);
		if (self)
			out->v[i] = *self;
		for (size_t k = 0, first = 1; k < ms.list.n; k++) {
			if (self && str_eq_nocase(ms.list.v[k], out->v[i]))
				continue;
			if (!self && first)
				out->v[i] = ms.list.v[k];
			else
				list_add(out, ms.list.v[k]);
			first = 0;
		}
		free(ms.list.v);
		if (self)
			return 0;
	}
}

int virtual_expand(struct message *m, str address, struct virtual_list *out)
{
	list_add(out, address);
	if (maps_empty(maps))
		return 0;
	for (size_t i = 0; i < out->n; i++)
		if (expand_at(m, out, i, address) < 0)
			return -1;
	return 0;
}
