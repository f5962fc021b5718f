#include "virtual/lookup.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mailbox/become.h"
#include "param/param.h"

static struct maps *mailboxes, *uids, *gids;

void lookup_setup(void)
{
	/* What decides over names and owners of files must not be made up by a client, as $1 of a
	 * pattern is, nor by another program, as an answer of proxymap is. */
	unsigned flags = TABLE_FOLD | TABLE_UTF8 | TABLE_NO_REGSUB | TABLE_NO_PROXY;

	mailboxes = maps_open("virtual_mailbox_maps", conf.virtual_mailbox_maps, flags);
	uids = maps_open("virtual_uid_maps", conf.virtual_uid_maps, flags);
	gids = maps_open("virtual_gid_maps", conf.virtual_gid_maps, flags);
}

static enum table_result lookup_path(str key, struct box *box, struct arena *a)
{
	struct buf value = {0};
	struct err err;
	enum table_result r = addr_find(mailboxes, key, ADDR_FIND_RECIPIENT, &value, NULL, &err);
	str path = buf_view(&value);

	if (r == TABLE_ERROR)
		log_warn("table virtual_mailbox_maps: lookup %.*s: %s", STR_FMT(key), err.text);
	if (r == TABLE_FOUND) {
		box->maildir = str_ends(path, STR("/"));
		while (path.n > 0 && path.p[0] == '/')
			path = str_from(path, 1);
		while (str_ends(path, STR("/")))
			path.n--;
		box->path = arena_str(a, path);
	}
	buf_free(&value);
	return r;
}

static bool lookup_id(
    struct maps *maps, const char *what, const char *param, str key, unsigned least, unsigned *id)
{
	struct buf value = {0};
	struct err err;
	enum table_result r = addr_find(maps, key, ADDR_FIND_RECIPIENT, &value, NULL, &err);
	uint64_t n = 0;
	/* The highest number means "no user" to the kernel. */
	bool ok = r == TABLE_FOUND && str_to_u64(str_trim(buf_view(&value)), &n) && n >= least &&
		  n < UINT32_MAX;

	if (r == TABLE_ERROR)
		log_warn("recipient %.*s: %s: %s", STR_FMT(key), param, err.text);
	else if (r == TABLE_NONE)
		log_warn("recipient %.*s: not found in %s", STR_FMT(key), param);
	else if (!ok)
		log_warn(
		    "recipient %.*s: bad %s %s in %s", STR_FMT(key), what, buf_text(&value), param);
	*id = (unsigned)n;
	buf_free(&value);
	return ok;
}

enum table_result lookup_box(str address, struct box *box, struct arena *a)
{
	struct buf folded = {0};
	enum table_result r;
	unsigned uid, gid;
	str key;

	addr_fold(&folded, address, conf.smtputf8_enable);
	key = arena_str(a, buf_view(&folded));
	buf_free(&folded);
	r = lookup_path(key, box, a);
	if (r != TABLE_FOUND)
		return r;
	if (!lookup_id(
		uids, "uid", "virtual_uid_maps", key, (unsigned)conf.virtual_minimum_uid, &uid) ||
	    !lookup_id(gids, "gid", "virtual_gid_maps", key, 1, &gid))
		return TABLE_ERROR;
	if (!become_possible(uid, gid)) {
		log_warn("recipient %.*s: uid %u and gid %u are not those that this mail system "
			 "runs with",
		    STR_FMT(key), uid, gid);
		return TABLE_ERROR;
	}
	box->uid = uid;
	box->gid = gid;
	return TABLE_FOUND;
}
