/* Housekeeping of an installation: log file, permissions, configuration. */
#include "base/buf.h"
#include "cmd/postern/postern.h"
#include "log/log.h"
#include "param/param.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int control_logrotate(void)
{
	struct buf rotated = {0};
	const char *argv[3] = {conf.maillog_file_compressor};
	time_t now = time(NULL);
	struct err err;
	char suffix[100];
	pid_t pid;

	if (*conf.maillog_file == 0)
		log_fatal("'postfix logrotate' requires a non-empty maillog_file setting");
	if (strncmp(conf.maillog_file, "/dev/", 5) == 0)
		log_fatal("'postfix logrotate' does not rotate %s", conf.maillog_file);
	if (strftime(suffix, sizeof suffix, conf.maillog_file_rotate_suffix, localtime(&now)) == 0)
		log_fatal("bad maillog_file_rotate_suffix: %s", conf.maillog_file_rotate_suffix);
	buf_printf(&rotated, "%s.%s", conf.maillog_file, suffix);
	if (access(buf_text(&rotated), F_OK) == 0)
		log_fatal("rename %s: %s exists", conf.maillog_file, buf_text(&rotated));
	if (rename(conf.maillog_file, buf_text(&rotated)) < 0)
		log_fatal("rename %s: %s", conf.maillog_file, strerror(errno));
	/* Nobody must write to the file any more when it is compressed. */
	pid = master_pid();
	if (pid > 0) {
		kill(pid, SIGHUP);
		sleep(1);
	}
	argv[1] = buf_text(&rotated);
	if (*argv[0] && run_program(argv, &err) != 0)
		log_fatal("%s %s failed", argv[0], argv[1]);
	buf_free(&rotated);
	return 0;
}

/* "name=value" arguments are written into main.cf first. */
static void change_parameters(void)
{
	struct buf postconf = {0};
	struct err err;

	buf_printf(&postconf, "%s/postconf", conf.command_directory);
	for (int i = 0; i < control.nargs; i++) {
		const char *argv[] = {
		    buf_text(&postconf), "-c", conf_dir(), "-e", control.args[i], NULL};

		if (strchr(control.args[i], '=') == NULL)
			log_fatal("not a name=value argument: %s", control.args[i]);
		if (run_program(argv, &err) != 0)
			log_fatal("cannot change the parameter: %s", control.args[i]);
	}
	buf_free(&postconf);
	if (control.nargs > 0 && conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
}

static void own(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISLNK(st.st_mode))
		return;
	/* In this order: a change of owner clears the set-gid bit. */
	if (chown(path, uid, gid) < 0 || chmod(path, mode) < 0)
		log_warn("%s: %s", path, strerror(errno));
}

static void own_in(const char *dir, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, name);
	own(buf_text(&path), uid, gid, mode);
	buf_free(&path);
}

int control_set_permissions(void)
{
	const struct passwd *pw;
	const struct group *gr;

	if (geteuid() != 0)
		log_fatal("set-permissions is for the superuser");
	change_parameters();
	check_system(); /* the queue's and the data directory */
	pw = getpwnam(conf.mail_owner);
	gr = getgrnam(conf.setgid_group);
	if (pw == NULL || gr == NULL)
		log_fatal("mail_owner or setgid_group not found");
	own(conf.data_directory, pw->pw_uid, pw->pw_gid, 0700);
	own_in(conf.command_directory, "postdrop", 0, gr->gr_gid, 02755);
	own_in(conf.command_directory, "postqueue", 0, gr->gr_gid, 02755);
	own_in(conf.command_directory, "postlog", 0, gr->gr_gid, 02755);
	own_in(conf_dir(), "main.cf", 0, 0, 0644);
	own_in(conf_dir(), "master.cf", 0, 0, 0644);
	return 0;
}

/* Every version since the first reads what was written for 3.7 and later: there is nothing to
 * convert. */
int control_upgrade_configuration(void)
{
	change_parameters();
	check_system();
	return 0;
}
