#include "base/mem.h"
#include "master/master.h"
#include "param/param.h"
#include "service/envlist.h"

#include <stdlib.h>
#include <string.h>

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What debugging builds and tests need to reach the workers. */
static const char *const always[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "POSTERN_FAULTS"};

void environ_clean(void)
{
	struct envlist kept = {0};

	envlist_add(&kept, conf.import_environment);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		envlist_set(&kept, str_of(always[i]), getenv(always[i]));
	clearenv();
	setenv("PATH", SAFE_PATH, 1);
	for (size_t i = 0; i < kept.n; i++) {
		char *value = strchr(kept.v[i], '=');

		*value = 0;
		setenv(kept.v[i], value + 1, 1);
	}
	envlist_free(&kept);
	setenv("MAIL_CONFIG", master.config_dir, 1);
}
