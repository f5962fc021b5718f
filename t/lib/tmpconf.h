/* A temporary directory with a main.cf for unit tests; it is the working directory and the queue
 * directory, and goes away at exit. */
#ifndef POSTERN_T_TMPCONF_H
#define POSTERN_T_TMPCONF_H

#include "param/param.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char tmpconf_dir[64];
static pid_t tmpconf_owner;

static inline void tmpconf_remove(void)
{
	char command[128];

	if (getpid() != tmpconf_owner)
		return;
	snprintf(command, sizeof command, "rm -rf %s", tmpconf_dir);
	if (chdir("/") < 0 || system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", tmpconf_dir);
}

/* settings: lines of main.cf. May be called again with others. */
static inline void tmpconf(const char *settings)
{
	struct err err;
	FILE *f;

	if (!*tmpconf_dir) {
		strcpy(tmpconf_dir, "/tmp/postern-unit-XXXXXX");
		tmpconf_owner = getpid();
		if (mkdtemp(tmpconf_dir) == NULL || chdir(tmpconf_dir) < 0)
			abort();
		atexit(tmpconf_remove);
	}
	f = fopen("main.cf", "w");
	if (f == NULL)
		abort();
	fprintf(f, "queue_directory = %s\nmyhostname = mx.example.com\n%s", tmpconf_dir, settings);
	fclose(f);
	if (conf_set_dir(tmpconf_dir, &err) < 0 || conf_load(NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

#endif
