#include "log/log.h"
#include "param/param.h"
#include "service/sandbox_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<linux/landlock.h>) && defined(SYS_landlock_create_ruleset)
#include <linux/landlock.h>

#define CHANGES                                                                                    \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                        \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                            \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                          \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static void allow_changes(int rules, const char *path)
{
	struct landlock_path_beneath_attr beneath = {.allowed_access = CHANGES};

	if (path == NULL || *path == 0)
		return;
	beneath.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (beneath.parent_fd < 0)
		return;
	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
}

static void allow_directory_of(int rules, const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	struct buf dir = {0};

	if (slash == NULL)
		return;
	buf_add(&dir, file, slash > file ? (size_t)(slash - file) : 1);
	allow_changes(rules, buf_text(&dir));
	buf_free(&dir);
}

void sandbox_landlock(bool chrooted)
{
	struct landlock_ruleset_attr attr = {
	    .handled_access_fs = CHANGES | LANDLOCK_ACCESS_FS_EXECUTE};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (rules < 0) {
		if (log_verbose)
			log_info("landlock: not available: %s", strerror(errno));
		return;
	}
	if (chrooted) {
		allow_changes(rules, "/");
	} else {
		allow_changes(rules, conf.queue_directory);
		allow_changes(rules, conf.data_directory);
		allow_directory_of(rules, conf.maillog_file);
		allow_changes(rules, "/dev");
	}
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0 && log_verbose)
		log_info("landlock: %s", strerror(errno));
	close(rules);
}
#else
void sandbox_landlock(bool chrooted)
{
	(void)chrooted;
	if (log_verbose)
		log_info("landlock: not built in");
}
#endif
