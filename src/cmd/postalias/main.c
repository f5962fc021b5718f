/* postalias: makes, asks and lists alias databases. */
#include "cmd/postalias/aliasline.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "table/tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS "c:d:fijnNopq:rsuvw"

static int status;
static char **operands;
static int noperands;

static bool parse(
    struct tool *t, const struct textfile *tf, str line, struct buf *key, struct buf *value)
{
	const char *what = aliasline_parse(line, key, value);

	(void)t;
	if (!what)
		return true;
	tool_warn(tf, "%s", what);
	return false;
}

static void put(struct make *m, const char *key, const char *value)
{
	struct err err = {0};

	if (make_put(m, str_of(key), str_of(value), false, &err) < 0) {
		make_end(m, false, NULL);
		log_fatal("%s", err.text);
	}
}

/* What Sendmail and NIS expect to find in an alias file. */
static void extra(struct tool *t, struct make *m, const char *spec)
{
	char text[32];

	(void)t, (void)spec;
	put(m, "@", "@");
	snprintf(text, sizeof(text), "%010lld", (long long)time(NULL));
	put(m, "YP_LAST_MODIFIED", text);
	put(m, "YP_MASTER_NAME", conf.myhostname);
}

static struct tool tool = {
    .program = "postalias",
    .usage = "[-fijnNoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    .separator = ":\t",
    .parse = parse,
    .extra = extra,
};

static void one_option(int c)
{
	switch (c) {
	case 'd':
	case 'q':
	case 's':
		tool_request(&tool, c, optarg);
		break;
	case 'f':
		tool.no_fold = true;
		break;
	case 'i':
		tool.incremental = true;
		break;
	case 'j':
		tool.json = true;
		break;
	case 'n':
		tool.nul = MAKE_NUL_NO;
		break;
	case 'N':
		tool.nul = MAKE_NUL_YES;
		break;
	case 'o':
		tool.keep_root = true;
		break;
	case 'p':
		tool.default_mode = true;
		break;
	case 'r':
	case 'w':
		tool_duplicates(&tool, c);
		break;
	case 'u':
		tool.no_utf8 = true;
		break;
	case 'v':
		log_verbose++;
		break;
	default:
		log_fatal("usage: %s %s", tool.program, tool.usage);
	}
}

static void run(void *arg)
{
	(void)arg;
	status = tool_run(&tool, operands, noperands);
	loop_stop();
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	int c;

	argv[0] = (char *)tool.program; /* for getopt's messages */
	log_early(tool.program);
	if (getenv("MAIL_VERBOSE"))
		log_verbose++;
	while ((c = getopt(argc, argv, OPTIONS)) > 0) {
		if (c == 'c')
			dir = optarg;
		else
			one_option(c);
	}
	if (optind >= argc)
		log_fatal("usage: %s %s", tool.program, tool.usage);
	tool_config(&tool, dir);
	operands = argv + optind;
	noperands = argc - optind;
	loop_init();
	loop_run(run, NULL);
	return status;
}
