/* Where the configuration is, and who may say so. */
#include "base/mem.h"
#include "param/dirs.h"
#include "param/maincf.h"
#include "param/param.h"
#include <errno.h>
#include <paths.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

static char *chosen;

static bool is_privileged(void)
{
	return getuid() != 0 &&
	       (getauxval(AT_SECURE) || geteuid() != getuid() || getegid() != getgid());
}

static bool list_has(const struct maincf *m, const char *name, const char *dir)
{
	const struct maincf_entry *e = maincf_get(m, str_of(name));
	str rest = str_of(e ? e->value : ""), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq(word, str_of(dir)))
			return true;
	return false;
}

/* A set-gid program takes a directory from a stranger only if the administrator listed it. */
static int check_dir(const char *dir, struct err *err)
{
	struct maincf m = {0};
	bool ok;

	if (!is_privileged() || strcmp(dir, POSTERN_CONF_DIR) == 0)
		return 0;
	ok = maincf_read(&m, POSTERN_CONF_DIR "/main.cf", NULL, err) == 0 &&
	     (list_has(&m, "alternate_config_directories", dir) ||
		 list_has(&m, "multi_instance_directories", dir));
	maincf_free(&m);
	if (ok)
		return 0;
	return err_set(err,
	    "unauthorized configuration directory name: %.200s: specify "
	    "\"alternate_config_directories = %.200s\" or "
	    "\"multi_instance_directories = %.200s\" in " POSTERN_CONF_DIR "/main.cf",
	    dir, dir, dir);
}

const char *conf_dir(void)
{
	const char *env = getenv("MAIL_CONFIG");

	if (chosen)
		return chosen;
	return env && *env ? env : POSTERN_CONF_DIR;
}

int conf_set_dir(const char *dir, struct err *err)
{
	if (!*dir)
		return err_set(err, "empty configuration directory name");
	if (check_dir(dir, err) != 0)
		return -1;
	free(chosen);
	chosen = mem_strdup(dir);
	if (setenv("MAIL_CONFIG", dir, 1) != 0)
		return err_errno(err, errno, "setenv MAIL_CONFIG");
	return 0;
}

void conf_clean_environment(void)
{
	static const char *const names[] = {"MAIL_CONFIG", "TZ", "LANG", "LC_ALL"};
	char *values[ARRAY_SIZE(names)];

	if (!is_privileged())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		values[i] = value ? mem_strdup(value) : NULL;
	}
	clearenv();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (values[i])
			setenv(names[i], values[i], 1);
		free(values[i]);
	}
	setenv("PATH", _PATH_STDPATH, 1);
}

int conf_check_dir(struct err *err)
{
	return chosen ? 0 : check_dir(conf_dir(), err);
}
