#include "cmd/sendmail/sendmail.h"

#include "log/log.h"
#include "mail/submit.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define ARGS_MAX 256

struct command {
	struct arena arena;
	const char *argv[ARGS_MAX];
	int n;
};

static void add(struct command *c, const char *arg)
{
	if (c->n >= ARGS_MAX - 1)
		fail("too many arguments");
	c->argv[c->n++] = arg;
}

static void run(struct command *c, const char *dir, const char *program)
{
	char *path = arena_printf(&c->arena, "%s/%s", dir, program);

	c->argv[0] = path;
	c->argv[c->n] = NULL;
	execv(path, (char **)c->argv);
	fail("cannot execute %s: %s", path, strerror(errno));
}

static void aliases(struct command *c, const struct options *o)
{
	str rest = str_of(o->aliases ? o->aliases : conf.alias_database), word;

	while (str_word_braced(&rest, ", \t\r\n", &word))
		if (!str_starts(word, STR("nis:")))
			add(c, arena_cstr(&c->arena, word));
	if (c->n == 1)
		exit(EX_OK);
	run(c, conf.command_directory, "postalias");
}

static void flush(struct command *c, const struct options *o)
{
	if (o->flush_id) {
		add(c, "-i");
		add(c, o->flush_id);
	} else if (o->flush_site) {
		add(c, "-s");
		add(c, o->flush_site);
	} else {
		add(c, "-f");
	}
	run(c, conf.command_directory, "postqueue");
}

/* In the background: whoever starts a daemon this way goes on. */
static void start(struct command *c)
{
	pid_t pid = fork();
	int null;

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid > 0)
		return;
	/* Nobody waits for what it says; the log has it. */
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	add(c, "start");
	run(c, conf.command_directory, "postern");
}

void mode_exec(const struct options *o)
{
	struct command c = {.n = 1};

	switch (o->mode) {
	case MODE_QUEUE:
		add(&c, "-p");
		run(&c, conf.command_directory, "postqueue");
		break;
	case MODE_FLUSH:
		flush(&c, o);
		break;
	case MODE_ALIASES:
		aliases(&c, o);
		break;
	case MODE_DAEMON:
		start(&c);
		break;
	case MODE_SMTP:
		submit_check_user();
		add(&c, "-S");
		run(&c, conf.daemon_directory, "smtpd");
		break;
	default:
		break;
	}
	exit(EX_OK);
}
