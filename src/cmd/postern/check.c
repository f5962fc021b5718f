/* What "postern check" looks at before every start. */
#include "base/buf.h"
#include "base/file.h"
#include "base/hostaddr.h"
#include "cmd/postern/postern.h"
#include "log/log.h"
#include "param/mastercf.h"
#include "param/param.h"
#include "queue/queue.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct passwd *mail_owner(void)
{
	const struct passwd *pw = getpwnam(conf.mail_owner);

	if (pw == NULL)
		log_fatal("file %s/main.cf: parameter mail_owner: user %s not found", conf_dir(),
		    conf.mail_owner);
	if (pw->pw_uid == 0)
		log_fatal("file %s/main.cf: parameter mail_owner: user %s is privileged",
		    conf_dir(), conf.mail_owner);
	return pw;
}

static void check_accounts(void)
{
	if (geteuid() != 0)
		return;
	mail_owner();
	if (getgrnam(conf.setgid_group) == NULL)
		log_fatal("file %s/main.cf: parameter setgid_group: group %s not found", conf_dir(),
		    conf.setgid_group);
}

static void check_hostname(void)
{
	if (!hostname_valid(str_of(conf.myhostname), NULL))
		log_fatal("file %s/main.cf: parameter myhostname: bad parameter value: %s",
		    conf_dir(), conf.myhostname);
}

static void check_config_file(const char *name)
{
	struct buf path = {0};
	struct stat st;

	buf_printf(&path, "%s/%s", conf_dir(), name);
	if (stat(buf_text(&path), &st) < 0)
		log_fatal("%s: %s", buf_text(&path), strerror(errno));
	if (geteuid() == 0 && st.st_uid != 0)
		log_warn("not owned by root: %s", buf_text(&path));
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		log_warn("group or other writable: %s", buf_text(&path));
	buf_free(&path);
}

static void check_programs(void)
{
	struct buf path = {0};
	struct mastercf cf = {0};
	struct err err;

	buf_printf(&path, "%s/master", conf.daemon_directory);
	if (access(buf_text(&path), X_OK) < 0)
		log_fatal("%s: %s", buf_text(&path), strerror(errno));
	buf_free(&path);
	if (mastercf_load(&cf, &err) < 0)
		log_fatal("%s", err.text);
	mastercf_free(&cf);
}

static void check_directory(const char *parameter, const char *path)
{
	if (path[0] != '/')
		log_fatal("parameter %s: not an absolute path: \"%s\"", parameter, path);
}

static void make_queue(void)
{
	struct err err;
	struct stat st;

	check_directory("queue_directory", conf.queue_directory);
	if (file_mkdirs(conf.queue_directory, 0755, &err) < 0)
		log_fatal("%s", err.text);
	if (stat(conf.queue_directory, &st) == 0 && geteuid() == 0 && st.st_uid != 0)
		log_warn("not owned by root: %s", conf.queue_directory);
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
	if (queue_create(&err) < 0)
		log_fatal("%s", err.text);
}

static void make_data(void)
{
	const struct passwd *pw;
	struct err err;
	struct stat st;

	check_directory("data_directory", conf.data_directory);
	if (stat(conf.data_directory, &st) < 0) {
		if (file_mkdirs(conf.data_directory, 0700, &err) < 0)
			log_fatal("%s", err.text);
		if (geteuid() != 0)
			return;
		pw = mail_owner();
		if (chown(conf.data_directory, pw->pw_uid, pw->pw_gid) < 0)
			log_fatal("chown %s: %s", conf.data_directory, strerror(errno));
		return;
	}
	if (geteuid() == 0 && st.st_uid != mail_owner()->pw_uid)
		log_warn("not owned by %s: %s", conf.mail_owner, conf.data_directory);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		log_warn("group or other writable: %s", conf.data_directory);
}

void check_system(void)
{
	check_hostname();
	check_accounts();
	check_config_file("main.cf");
	check_config_file("master.cf");
	check_programs();
	make_queue();
	make_data();
}
