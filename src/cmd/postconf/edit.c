/* Changing main.cf and master.cf: comments, order and everything else stay. */
#include "base/file.h"
#include "base/mem.h"
#include "param/conffile.h"
#include "param/param.h"
#include "pc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two of us at once would lose the changes of one: the directory is the lock. */
static void lock_dir(void)
{
	int fd = open(conf_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		pc_fatal("open %s: %s", conf_dir(), strerror(errno));
	if (flock(fd, LOCK_EX) != 0)
		pc_fatal("lock %s: %s", conf_dir(), strerror(errno));
}

void pc_edit_begin(const char *path, struct buf *text)
{
	struct err err = {0};

	lock_dir();
	if (file_read(path, CONFFILE_LIMIT, text, &err) != 0)
		pc_fatal("%s", err.text);
	if (text->n && text->p[text->n - 1] != '\n')
		buf_char(text, '\n');
}

void pc_edit_end(const char *path, const struct buf *text)
{
	char *target = realpath(path, NULL);
	struct err err = {0};
	struct stat st;

	if (!target || stat(target, &st) != 0)
		pc_fatal("%s: %s", path, strerror(errno));
	if (file_replace(target, text->p, text->n, st.st_mode & 07777, &err) != 0)
		pc_fatal("%s", err.text);
	if (geteuid() == 0 && (st.st_uid || st.st_gid) && chown(target, st.st_uid, st.st_gid) != 0)
		pc_warnf("chown %s: %s", target, strerror(errno));
	free(target);
}

struct change {
	str name;
	const char *text; /* "name = value", NULL: remove or comment out */
	int found;
	bool stale; /* a later request has the same name */
};
struct changes {
	struct change *v;
	size_t n;
};

static void check_argument(const char *arg)
{
	str s = str_trim(str_of(arg));

	if (strchr(arg, '\n'))
		pc_fatal("-e, -X, or -# accepts no multi-line input");
	if (s.n && s.p[0] == '#')
		pc_fatal("-e, -X, or -# accepts no comment input");
	if (!(pc_mode & PC_EDIT) && !s.n)
		pc_fatal("-X or -# requires non-blank parameter names");
}

static struct change parse_change(const char *arg)
{
	struct change c = {.name = str_trim(str_of(arg))};
	struct buf b = {0};
	struct err err = {0};
	str value;

	check_argument(arg);
	if (!(pc_mode & PC_EDIT)) {
		if (strchr(arg, '='))
			pc_fatal("-X or -# requires names without value: \"%s\"", arg);
		return c;
	}
	if (conffile_assignment(str_of(arg), &c.name, &value, &err) != 0)
		pc_fatal("%s", err.text);
	buf_printf(&b, "%.*s = %.*s", STR_FMT(c.name), STR_FMT(value));
	c.text = b.p;
	return c;
}

static struct changes parse_changes(char **args)
{
	struct changes all = {0};

	for (size_t n = 0; args[n]; n++) {
		all.v = mem_realloc(all.v, (n + 1) * sizeof(*all.v));
		all.v[n] = parse_change(args[n]);
		all.n = n + 1;
		for (size_t i = 0; i < n; i++) {
			if (all.v[i].stale || !str_eq(all.v[i].name, all.v[n].name))
				continue;
			if (all.v[i].text)
				pc_warnf("ignoring earlier request: '%s'", all.v[i].text);
			all.v[i].stale = true;
		}
	}
	return all;
}

static struct change *change_for(struct changes *all, str line)
{
	size_t n = 0;

	while (n < line.n && !strchr(CONFFILE_WHITE "=", line.p[n]))
		n++;
	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i].stale && str_eq(all->v[i].name, str_head(line, n)))
			return &all->v[i];
	return NULL;
}

/* One line of the file; *now is the change of the logical line that it belongs to. */
static void edit_line(struct changes *all, struct change **now, str line, struct buf *out)
{
	str word = str_trim(line);
	bool first = false;

	if (!word.n || word.p[0] == '#') {
		buf_str(out, line);
		buf_char(out, '\n');
		return;
	}
	if (line.p[0] != ' ' && line.p[0] != '\t') {
		first = true;
		*now = change_for(all, line);
	}
	if (*now && first && ++(*now)->found == 2)
		pc_warnf("%s: multiple entries for \"%.*s\"", pc_main_path, STR_FMT((*now)->name));
	if (!*now) {
		buf_str(out, line);
	} else if (pc_mode & PC_COMMENT) {
		buf_char(out, '#');
		buf_str(out, line);
	} else if ((*now)->text && first) {
		buf_cstr(out, (*now)->text);
	} else {
		return;
	}
	buf_char(out, '\n');
}

void pc_edit_main(char **args)
{
	struct changes all = parse_changes(args);
	struct change *now = NULL;
	struct buf text = {0}, out = {0}, path = {0};

	buf_printf(&path, "%s/main.cf", conf_dir());
	pc_main_path = path.p;
	pc_edit_begin(pc_main_path, &text);
	for (str rest = buf_view(&text); rest.n;) {
		size_t n = (size_t)str_chr(rest, '\n');

		edit_line(&all, &now, str_head(rest, n), &out);
		rest = str_from(rest, n + 1);
	}
	for (size_t i = 0; i < all.n; i++)
		if (!all.v[i].stale && !all.v[i].found && all.v[i].text)
			buf_printf(&out, "%s\n", all.v[i].text);
	pc_edit_end(pc_main_path, &out);
	for (size_t i = 0; i < all.n; i++)
		free((char *)all.v[i].text);
	free(all.v);
	buf_free(&text);
	buf_free(&out);
}
