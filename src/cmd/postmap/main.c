/* postmap: makes, asks and lists lookup tables. */
#include "cmd/postmap/message.h"
#include "log/log.h"
#include "loop/loop.h"
#include "table/tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPTIONS "bc:d:fFhijmnNopq:rsuUvw"

static int status;
static char **operands;
static int noperands;
static bool force_utf8;

static bool parse(
    struct tool *t, const struct textfile *tf, str line, struct buf *key, struct buf *value)
{
	const char *what, *odd;
	str k, v;

	(void)t;
	if (textfile_pair(line, &k, &v, &what, &odd) != 0) {
		if (what[0] == 'u')
			tool_warn(tf, "unbalanced '\"' in '%.*s' -- ignoring this line",
			    STR_FMT(str_head(line, 200)));
		else
			tool_warn(tf, "%s", what);
		return false;
	}
	if (odd)
		tool_warn(tf, "%s", odd);
	buf_str(key, k);
	buf_str(value, v);
	return true;
}

static struct tool tool = {
    .program = "postmap",
    .usage = "[-bfFhijmnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    .separator = "\t",
    .parse = parse,
};

static void usage(void)
{
	log_fatal("usage: %s %s", tool.program, tool.usage);
}

static void read_message(struct tool *t, struct table **v, size_t n)
{
	message_query(t, v, n);
}

static void one_option(int c)
{
	switch (c) {
	case 'b':
		message_options.body = true;
		break;
	case 'h':
		message_options.header = true;
		break;
	case 'm':
		message_options.mime = true;
		break;
	case 'U':
		force_utf8 = true;
		break;
	case 'd':
	case 'q':
	case 's':
		tool_request(&tool, c, optarg);
		break;
	case 'f':
		tool.no_fold = true;
		break;
	case 'F':
		tool.files = true;
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
		usage();
	}
}

static void check_message_options(void)
{
	bool parts = message_options.header || message_options.body;

	if ((parts || message_options.mime) && (!tool.query || strcmp(tool.query, "-") != 0))
		log_fatal("specify -b -h or -m only with \"-q -\"");
	if (!parts && message_options.mime)
		log_warn("ignoring -m option without -b or -h");
	if (!parts)
		return;
	tool.keys = read_message;
	/* Mail may hold any bytes. */
	if (!force_utf8)
		tool.no_utf8 = true;
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
		usage();
	check_message_options();
	tool_config(&tool, dir);
	operands = argv + optind;
	noperands = argc - optind;
	loop_init();
	loop_run(run, NULL);
	return status;
}
