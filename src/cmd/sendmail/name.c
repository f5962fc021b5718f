#include "cmd/sendmail/sendmail.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

/* A person's name for mail has no control characters; a tab is white space. */
static void put_name(struct buf *out, str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		buf_char(out, c == '\t' ? ' ' : c < ' ' || c == 127 ? '?' : (char)c);
	}
}

/* pw_gecos: the name is its first field, "&" stands for the login name with a capital. */
static void put_gecos(struct buf *out, const struct passwd *pw)
{
	str gecos = str_of(pw->pw_gecos), login = str_of(pw->pw_name);
	ptrdiff_t comma = str_chr(gecos, ',');

	if (comma >= 0)
		gecos = str_head(gecos, (size_t)comma);
	for (size_t i = 0; i < gecos.n; i++) {
		if (gecos.p[i] != '&') {
			put_name(out, str_mem(gecos.p + i, 1));
		} else if (login.n > 0) {
			buf_char(out, (char)toupper((unsigned char)login.p[0]));
			buf_str(out, str_from(login, 1));
		}
	}
}

void name_full(const struct options *o, struct buf *out)
{
	const char *name = o->full_name ? o->full_name : getenv("NAME");
	struct passwd *pw;

	if (name)
		put_name(out, str_of(name));
	else if ((pw = getpwuid(getuid())))
		put_gecos(out, pw);
}
