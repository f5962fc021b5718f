#include "cmd/sendmail/sendmail.h"

#include "base/names.h"
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
	} modes[] = {{'m', MODE_MAIL}, {'v', MODE_MAIL}, {'p', MODE_QUEUE}, {'i', MODE_ALIASES},
	    {'d', MODE_DAEMON}, {'l', MODE_DAEMON}, {'s', MODE_SMTP}, {'h', MODE_IGNORE},
	    {'H', MODE_IGNORE}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (arg[0] == modes[i].letter) {
			o->mode = modes[i].mode;
			o->verify |= arg[0] == 'v';
			return;
		}
	fail("unsupported: -b%c", arg[0]);
}

static void set_queue(struct options *o, const char *arg)
{
	if (arg[0] >= '0' && arg[0] <= '9') {
		o->interval = true;
		return;
	}
	if (arg[0] && (arg[0] == 'S' || !strchr("IR", arg[0])))
		fail("-q%c is not implemented", arg[0]);
	if (arg[0] && !arg[1])
		fail(arg[0] == 'I' ? "specify: -qIqueueid" : "specify: -qRsitename");
	o->flush = true;
	if (o->mode == MODE_DAEMON)
		return;
	o->mode = MODE_FLUSH;
	o->flush_id = arg[0] == 'I' ? arg + 1 : NULL;
	o->flush_site = arg[0] == 'R' ? arg + 1 : NULL;
}

static void set_verp(struct options *o, const char *delims)
{
	o->verp = *delims ? delims : conf.default_verp_delimiters;
	if (verp_delims_error(str_of(o->verp), conf.verp_delimiter_filter))
		fail("-V requires two characters from %s", conf.verp_delimiter_filter);
}

/* Before the envelope ID had it, -V was what -XV is now; two characters are taken so. joined: they
 * belong to -V itself, else the argument is one of its own and comes next. */
static void set_old_verp(struct options *o, const char *arg, bool joined)
{
	const char *delims = joined ? arg : "";

	log_warn(
	    "option -V%s is deprecated with Postfix 2.3; specify -XV%s instead", delims, delims);
	set_verp(o, delims);
	if (!joined)
		optind--;
}

static void set_old(struct options *o, const char *arg)
{
	if (arg[0] == 'i')
		o->dot_is_data = true;
	else if (arg[0] == 'A' && !arg[1])
		fail("-oA requires pathname");
	else if (arg[0] == 'A')
		o->aliases = arg + 1;
}

/* More liberal than RFC 3461: blanks and empty elements, as people write lists. */
static void set_notify(struct options *o, const char *arg)
{
	static const struct name_row names[] = {{"NEVER", DSN_NOTIFY_NEVER},
	    {"SUCCESS", DSN_NOTIFY_SUCCESS}, {"FAILURE", DSN_NOTIFY_FAILURE},
	    {"DELAY", DSN_NOTIFY_DELAY}, {NULL, 0}};
	str rest = str_of(arg), word;
	uint32_t bits = 0;
	bool good = true;

	while (good && str_word(&rest, ", \t", &word)) {
		int64_t bit = names_value(names, word, 0);
		good = bit != 0;
		if (!good)
			log_warn("unknown DSN NOTIFY command value \"%.*s\" in \"%s\"",
			    STR_FMT(word), arg);
		bits |= (uint32_t)bit;
	}
	if (good && bits && (!(bits & DSN_NOTIFY_NEVER) || bits == DSN_NOTIFY_NEVER))
		o->notify = bits;
	else
		log_warn("bad -N option value -- ignored");
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
	bool good = *arg != 0;

	if (strlen(arg) > 100) {
		log_warn("too long -V option value -- ignored");
		return;
	}
	for (size_t i = 0; arg[i]; i++)
		good = good && arg[i] >= ' ' && arg[i] < 127;
	if (good)
		o->envid = arg;
	else
		log_warn("bad syntax in -V option value -- ignored");
}

static void set_one(struct options *o, int c, const char *arg, char **argv)
{
	switch (c) {
	case 'b':
		set_mode(o, arg);
		break;
	case 'B':
		if (strcmp(arg, "8BITMIME") != 0 && strcmp(arg, "7BIT") != 0)
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
		if (strlen(arg) == 2)
			set_old_verp(o, arg, arg != argv[optind - 1]);
		else
			set_envid(o, arg);
		break;
	case 'v':
		o->verbose++;
		break;
	case 'X':
		if (arg[0] == 'V') /* -X file: a log that we do not write */
			set_verp(o, arg + 1);
		break;
	case '?':
		fail("usage: %s [options]", argv[0]);
	default:
		break; /* -A -C (taken before) -c -e -h -L -m -n -p -U -x: nothing to do here */
	}
}

/* "-q" takes its value only when it is joined to it. Options end at the first recipient. */
static const char letters[] = "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q::tvx";

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

/* What does not go together. */
static void check(const struct options *o)
{
	static const char *const no_recipient[] = {
	    [MODE_QUEUE] = "display queue mode",
	    [MODE_ALIASES] = "alias initialization mode",
	    [MODE_DAEMON] = "daemon mode",
	    [MODE_SMTP] = "stand-alone mode",
	    [MODE_IGNORE] = NULL,
	};

	if (o->verify && o->from_header)
		fail("-t option cannot be used with -bv");
	if (o->from_header && o->mode != MODE_MAIL && o->mode != MODE_IGNORE)
		fail("-t can be used only in delivery mode");
	if (o->nrcpts > 0 && o->mode == MODE_FLUSH)
		fail("%s requires no recipient", o->flush_id	 ? "flush queue_id"
						 : o->flush_site ? "flush site"
								 : "flush queue mode");
	if (o->nrcpts > 0 && no_recipient[o->mode])
		fail("%s requires no recipient", no_recipient[o->mode]);
	if (o->flush && o->mode == MODE_DAEMON)
		log_warn("ignoring -q option in daemon mode");
}

void options_parse(struct options *o, int argc, char **argv)
{
	int c;

	opterr = 1;
	optind = 0; /* from the start again */
	while ((c = getopt(argc, argv, letters)) > 0)
		set_one(o, c, optarg ? optarg : "", argv);
	/* The queue manager has its own interval. */
	if (o->interval && o->mode != MODE_DAEMON)
		o->mode = MODE_IGNORE;
	o->rcpts = argv + optind;
	o->nrcpts = argc - optind;
	check(o);
}
