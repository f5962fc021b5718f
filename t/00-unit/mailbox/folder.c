/* Opening folders below a base: what is made, what is followed, what is refused. */
#include "mailbox/folder.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[200];

/* 0: it opened; else the errno. */
static int opens(const char *path, bool create)
{
	struct err err = {0};
	int fd = folder_open(base, str_of(path), create, NULL, &err);

	if (fd < 0)
		return err.code;
	close(fd);
	return 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void paths(void)
{
	char name[5000];
	struct err err;
	bool created;
	int fd;

	is_int(opens("", false), 0, "the base itself");
	is_int(opens("a/b", false), ENOENT, "missing");
	is_int(opens("a/b", true), 0, "made");
	ok(is_folder("base/a/b"), "below the base");
	is_int(opens("//a/./b//", false), 0, "empty and dot components");
	is_int(opens("..", true), EPERM, "dot dot");
	is_int(opens("a/../b", true), EPERM, "dot dot inside");
	is_int(opens("a/..b", true), 0, "a name that begins with dots");
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	is_int(opens(name, true), ENAMETOOLONG, "a name that is too long");
	is_int(folder_open(base, STR("a\0b"), true, NULL, &err), -1, "a NUL");
	for (size_t i = 1; i < sizeof name - 1; i += 2)
		name[i] = '/';
	is_int(opens(name, true), 0, "very deep");
	is_int(opens("file/x", true), ENOTDIR, "a file on the way");
	is_int(opens("file", true), ENOTDIR, "a file at the end");
	fd = folder_open(base, STR("a/new"), true, &created, &err);
	ok(fd >= 0 && created, "told that it was made");
	is_int(folder_sync(fd, -1, &err), 0, "synced");
	close(fd);
	fd = folder_open(base, STR("a/new"), true, &created, &err);
	ok(fd >= 0 && !created, "told that it was there");
	close(fd);
	is_int(folder_open("/nowhere/at/all", STR("a"), true, NULL, &err), -1, "no base");
	ok(strstr(err.text, "/nowhere/at/all"), "it is named");
}

static void link_to(const char *target, const char *name)
{
	if (symlink(target, name) < 0)
		perror(name);
	/* As root: somebody else's. */
	if (geteuid() == 0 && lchown(name, 1234, 1234) < 0)
		perror(name);
}

static void links(void)
{
	link_to("a", "base/in");
	link_to("../outside", "base/out");
	link_to("a/up", "base/chain");
	link_to("../../outside", "base/a/up");
	link_to("loop", "base/loop");
	link_to("../basement", "base/prefix");
	link_to("/etc", "base/etc");
	mkdir("outside", 0755);
	mkdir("basement", 0755);
	is_int(opens("in/b", false), 0, "a link inside");
	is_int(opens("in/made", true), 0, "with more to be made behind it");
	ok(is_folder("base/a/made"), "made there");
	is_int(opens("out", true), ELOOP, "a link that leads out");
	is_int(opens("out/x", true), ELOOP, "something behind it");
	ok(!is_folder("outside/x"), "is not made");
	is_int(opens("chain", true), ELOOP, "by way of another link");
	is_int(opens("prefix", true), ELOOP, "to a name that begins as the base does");
	is_int(opens("etc", true), ELOOP, "an absolute one");
	is_int(opens("loop", true), ELOOP, "to itself");
	if (geteuid() == 0) {
		is_int(symlink("../outside", "base/root"), 0, "a link of root's");
		is_int(opens("root/x", true), 0, "is followed");
		ok(is_folder("outside/x"), "to where it leads");
	}
}

static void split(void)
{
	str folder, name;

	folder_split(STR("a/b/c"), &folder, &name);
	is_str(folder, STR("a/b"), "folder");
	is_str(name, STR("c"), "name");
	folder_split(STR("c"), &folder, &name);
	is_str(folder, STR(""), "no folder");
	is_str(name, STR("c"), "name");
	folder_split(STR(""), &folder, &name);
	is_str(name, STR(""), "nothing");
}

int main(void)
{
	int fd;

	tmpconf("");
	snprintf(base, sizeof base, "%s/base", tmpconf_dir);
	mkdir(base, 0755);
	fd = open("base/file", O_WRONLY | O_CREAT, 0644);
	close(fd);
	paths();
	links();
	split();
	return done();
}
