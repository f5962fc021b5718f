#include "mail/submit.h"

#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "table/matchlist.h"

#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>

const char *submit_user(void)
{
	struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "unknown";
}

void submit_check_user(void)
{
	struct matchlist *users =
	    matchlist_open("authorized_submit_users", conf.authorized_submit_users, MATCH_STRING);
	const char *name = submit_user();
	enum table_result result;
	struct err err;

	result = matchlist_name(users, str_of(name), &err);
	matchlist_close(users);
	if (result != TABLE_FOUND)
		log_fatal_status(EX_TEMPFAIL, "User %s(%ld) is not allowed to submit mail", name,
		    (long)getuid());
}

/* Patterns of local_login_sender_maps: *, <>, @domain, user, user@domain. */
static bool matches(str pattern, str sender)
{
	if (str_eq(pattern, STR("*")))
		return true;
	if (sender.n == 0)
		return str_eq(
		    pattern, str_of(conf.empty_address_local_login_sender_maps_lookup_key));
	if (pattern.n > 1 && pattern.p[0] == '@')
		return str_eq_nocase(str_from(pattern, 1), addr_domain(sender));
	return str_eq_nocase(pattern, sender);
}

/* Appends the address without its extension. */
static void without_extension(struct buf *out, str sender)
{
	str local, domain;
	ptrdiff_t ext;

	addr_split(sender, &local, &domain);
	ext = addr_extension(local, conf.recipient_delimiter, false, STR(""));
	buf_str(out, ext < 0 ? local : str_head(local, (size_t)ext));
	if (local.n < sender.n)
		buf_str(out, str_from(sender, local.n));
}

enum table_result submit_sender_allowed(str sender, struct err *err)
{
	struct maps *maps =
	    maps_open("local_login_sender_maps", conf.local_login_sender_maps, TABLE_UTF8);
	struct buf user = {0}, value = {0}, plain = {0};
	struct passwd *pw = getpwuid(getuid());
	enum table_result result;
	str rest, pattern;
	bool allowed = false;

	if (pw)
		buf_cstr(&user, pw->pw_name);
	else
		buf_printf(&user, "uid:%ld", (long)getuid());
	without_extension(&plain, sender);
	result = maps_get(maps, buf_view(&user), &value, err);
	rest = buf_view(&value);
	while (result == TABLE_FOUND && !allowed && str_word(&rest, ", \t\r\n", &pattern))
		allowed = matches(pattern, buf_view(&plain));
	buf_free(&user);
	buf_free(&value);
	buf_free(&plain);
	maps_close(maps);
	return result == TABLE_ERROR ? TABLE_ERROR : allowed ? TABLE_FOUND : TABLE_NONE;
}
