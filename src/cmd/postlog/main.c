/* postlog: puts lines into the mail log, for scripts (postlog(1)).
 *
 * Installed set-gid setgid_group, so that everybody's lines reach postlogd: options, environment
 * and text are a stranger's. */
#include "base/buf.h"
#include "log/log.h"
#include "param/param.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum log_level level;
} priorities[] = {
    {"info", LOG_LEVEL_INFO},
    {"warn", LOG_LEVEL_WARN},
    {"warning", LOG_LEVEL_WARN},
    {"error", LOG_LEVEL_ERROR},
    {"fatal", LOG_LEVEL_FATAL},
    {"panic", LOG_LEVEL_PANIC},
};

static enum log_level level = LOG_LEVEL_INFO;
static const char *tag;

static void set_level(const char *name)
{
	for (size_t i = 0; i < sizeof priorities / sizeof priorities[0]; i++)
		if (str_eq_nocase(str_of(priorities[i].name), str_of(name))) {
			level = priorities[i].level;
			return;
		}
	log_fatal("bad severity: \"%s\"", name);
}

static void usage(void)
{
	log_fatal("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]");
}

static void read_options(int argc, char **argv)
{
	struct err err;
	int c;

	while ((c = getopt(argc, argv, "c:ip:t:v")) >= 0)
		switch (c) {
		case 'c':
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal("%s", err.text);
			break;
		case 'i':
			break;
		case 'p':
			set_level(optarg);
			break;
		case 't':
			tag = optarg;
			break;
		case 'v':
			log_verbose += getuid() == 0;
			break;
		default:
			usage();
		}
}

static void log_words(char **words)
{
	struct buf text = {0};

	for (; *words; words++) {
		if (text.n > 0)
			buf_char(&text, ' ');
		buf_cstr(&text, *words);
	}
	log_at(level, buf_view(&text));
	buf_free(&text);
}

static void log_input(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) >= 0) {
		if (n > 0 && line[n - 1] == '\n')
			n--;
		log_at(level, str_mem(line, (size_t)n));
	}
	free(line);
}

int main(int argc, char **argv)
{
	struct buf own = {0};
	struct err err;

	argv[0] = "postlog"; /* for getopt's messages */
	log_early("postfix/postlog");
	conf_clean_environment();
	read_options(argc, argv);
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	buf_printf(&own, "%s/postlog", conf.syslog_name);
	log_tag(tag ? tag : buf_text(&own));
	buf_free(&own);
	log_open("postlog", isatty(STDERR_FILENO));
	if (optind < argc)
		log_words(argv + optind);
	else
		log_input();
	if (level >= LOG_LEVEL_FATAL)
		sleep(1); /* as after every fatal error: what failed is not repeated in a rush */
	return 0;
}
