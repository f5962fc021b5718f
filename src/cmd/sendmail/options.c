#include "cmd/sendmail/sendmail.h"

#include "log/log.h"
#include "mail/dsn.h"
#include "mail/verp.h"
#include "param/param.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static void set_mode(struct options *o, const char *arg)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {{'m', MODE_MAIL}, {'v', MODE_VERIFY}, {'p', MODE_QUEUE}, {'i', MODE_ALIASES},
	    {'d', MODE_DAEMON}, {'l', MODE_DAEMON}, {'s', MODE_SMTP}, {'h', MODE_IGNORE},
	    {'H', MODE_IGNORE}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (arg[0] == modes[i].letter) {
			o->mode = modes[i].mode;
			return;
		}
	fail("unsupported: -b%s", arg);
}

static void set_queue(struct options *o, const char *arg)
{
	if (arg[0] == 'S')
		fail("-qS is not implemented");
	if (arg[0] >= '0' && arg[0] <= '9') {
		o->interval = true;
		return;
	}
	o->mode = MODE_FLUSH;
	if (arg[0] == 'I')
		o->flush_id = arg + 1;
	else if (arg[0] == 'R')
		o->flush_site = arg + 1;
	else if (arg[0])
		fail("-q%c is not implemented", arg[0]);
}

static void set_verp(struct options *o, const char *arg)
{
	if (arg[0] != 'V')
		return; /* -X file: a log that we do not write */
	o->verp = arg[1] ? arg + 1 : conf.default_verp_delimiters;
	if (verp_delims_error(str_of(o->verp), conf.verp_delimiter_filter))
		fail("-V requires two characters from %s", conf.verp_delimiter_filter);
}

static void set_old(struct options *o, const char *arg)
{
	if (strcmp(arg, "i") == 0)
		o->dot_is_data = true;
	else if (arg[0] == 'A' && arg[1])
		o->aliases = arg + 1;
}

static void set_notify(struct options *o, const char *arg)
{
	if (!dsn_parse_notify(str_of(arg), &o->notify)) {
		log_warn("bad -N option value -- ignored");
		o->notify = 0;
	}
}

static void set_ret(struct options *o, const char *arg)
{
	if (strcasecmp(arg, "hdrs") == 0)
		o->ret = DSN_RET_HDRS;
	else if (strcasecmp(arg, "full") == 0)
		o->ret = DSN_RET_FULL;
	else
		log_warn("bad -R option value -- ignored");
}

static void set_long(struct options *o, const char *arg)
{
	if (strcasecmp(arg, "smtputf8=yes") == 0)
		o->smtputf8 = true;
}

/* RFC 3461 4.4: printable, and not too long. */
static void set_envid(struct options *o, const char *arg)
{
	size_t n = strlen(arg);
	bool good = n > 0 && n <= 100;

	for (size_t i = 0; i < n; i++)
		good = good && arg[i] >= ' ' && arg[i] < 127;
	if (good)
		o->envid = arg;
	else
		log_warn("bad syntax in -V option value -- ignored");
}

static void set_one(struct options *o, int c, char *arg)
{
	switch (c) {
	case 'b':
		set_mode(o, arg);
		break;
	case 'B':
		if (strcasecmp(arg, "8BITMIME") != 0 && strcasecmp(arg, "7BIT") != 0)
			fail("-B option needs 8BITMIME or 7BIT");
		o->body = arg;
		break;
	case 'f':
	case 'r':
		o->sender = arg;
		break;
	case 'F':
		o->full_name = arg;
		break;
	case 'G':
		o->gateway = true;
		break;
	case 'I':
		o->mode = MODE_ALIASES;
		break;
	case 'i':
		o->dot_is_data = true;
		break;
	case 'N':
		set_notify(o, arg);
		break;
	case 'o':
		set_old(o, arg);
		break;
	case 'O':
		set_long(o, arg);
		break;
	case 'q':
		set_queue(o, arg);
		break;
	case 'R':
		set_ret(o, arg);
		break;
	case 't':
		o->from_header = true;
		break;
	case 'V':
		set_envid(o, arg);
		break;
	case 'v':
		o->verbose++;
		break;
	case 'X':
		set_verp(o, arg);
		break;
	case '?':
		fail("usage: sendmail [options]");
	default:
		break; /* -A -C (taken before) -h -L -m -n -p -U: nothing to do here */
	}
}

/* "-q" takes its value only when it is joined to it */
static const char letters[] = "A:B:C:F:GIL:N:O:R:UV:X:b:f:h:imno:p:r:q::tv";

const char *options_config(int argc, char **argv)
{
	const char *dir = NULL;
	int c;

	opterr = 0;
	optind = 0; /* from the start again */
	while ((c = getopt(argc, argv, letters)) > 0)
		if (c == 'C')
			dir = optarg;
	return dir;
}

void options_parse(struct options *o, int argc, char **argv)
{
	int c;

	opterr = 1;
	optind = 0; /* from the start again */
	while ((c = getopt(argc, argv, letters)) > 0)
		set_one(o, c, optarg ? optarg : "");
	if (o->mode == MODE_VERIFY && o->from_header)
		fail("-t option cannot be used with -bv");
	/* A daemon's option without a daemon: nothing to do. */
	if (o->interval && o->mode == MODE_MAIL && optind == argc && !o->from_header)
		o->mode = MODE_IGNORE;
	o->rcpts = argv + optind;
	o->nrcpts = argc - optind;
}
