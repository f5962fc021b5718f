#include "param/param.h"
#include "pc.h"
#include "table/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

unsigned pc_mode;
const char *pc_program;

static const struct {
	char letter;
	unsigned bit;
} options[] = {
    {'a', PC_SASL_SERVER},
    {'A', PC_SASL_CLIENT},
    {'b', PC_BOUNCE},
    {'C', PC_CLASS},
    {'d', PC_DEFAULTS},
    {'e', PC_EDIT},
    {'f', PC_FOLD},
    {'F', PC_FIELDS},
    {'h', PC_NO_NAMES},
    {'H', PC_NO_VALUES},
    {'j', PC_JSON},
    {'l', PC_LOCKS},
    {'m', PC_TYPES},
    {'M', PC_MASTER},
    {'n', PC_SET_ONLY},
    {'o', PC_OVERRIDE},
    {'p', PC_MAIN},
    {'P', PC_PARAMS},
    {'q', PC_QUIET},
    {'t', PC_TEMPLATE},
    {'T', PC_TLS},
    {'x', PC_EXPAND},
    {'X', PC_REMOVE},
    {'#', PC_COMMENT},
};

/* No two of a row together. */
static const unsigned exclusive[] = {
    PC_SASL_SERVER | PC_SASL_CLIENT | PC_BOUNCE | PC_TEMPLATE | PC_LOCKS | PC_TYPES | PC_MAIN |
	PC_MASTER | PC_FIELDS | PC_PARAMS | PC_TLS,
    PC_DEFAULTS | PC_SET_ONLY | PC_EDIT | PC_REMOVE | PC_COMMENT,
    PC_NO_NAMES | PC_NO_VALUES,
    PC_FOLD | PC_EDIT | PC_REMOVE | PC_COMMENT,
    PC_EXPAND | PC_EDIT | PC_REMOVE | PC_COMMENT,
    PC_NO_NAMES | PC_EDIT | PC_REMOVE | PC_COMMENT,
    PC_NO_VALUES | PC_EDIT | PC_REMOVE | PC_COMMENT,
    PC_JSON | PC_EDIT | PC_REMOVE | PC_COMMENT,
    PC_JSON | PC_NO_NAMES,
    PC_JSON | PC_NO_VALUES,
    PC_JSON | PC_FOLD,
    PC_OVERRIDE | PC_EDIT | PC_REMOVE | PC_COMMENT,
};

#define ANY_SHOW (PC_FOLD | PC_EXPAND | PC_OVERRIDE | PC_QUIET | PC_JSON)
/* What may stand beside a mode; every mode that is not here: nothing. */
static const struct {
	unsigned mode, allowed;
} compatible[] = {
    {PC_MAIN, ANY_SHOW | PC_DEFAULTS | PC_SET_ONLY | PC_EDIT | PC_REMOVE | PC_COMMENT |
		  PC_NO_NAMES | PC_NO_VALUES | PC_CLASS},
    {PC_MASTER, ANY_SHOW | PC_EDIT | PC_REMOVE | PC_COMMENT | PC_CLASS},
    {PC_FIELDS, ANY_SHOW | PC_EDIT | PC_NO_NAMES | PC_NO_VALUES | PC_CLASS},
    {PC_PARAMS, ANY_SHOW | PC_EDIT | PC_REMOVE | PC_NO_NAMES | PC_NO_VALUES | PC_CLASS},
};

static void complain(bool fatal, const char *text)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s\n", pc_program, fatal ? "fatal" : "warning", text);
}

void pc_warn(const char *text)
{
	complain(false, text);
}

void pc_warnf(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	complain(false, buf_text(&b));
	buf_free(&b);
}

void pc_fatal(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	complain(true, buf_text(&b));
	exit(1);
}

static void usage(void)
{
	pc_fatal(
	    "usage: %s [-a (server SASL types)] [-A (client SASL types)] [-b (bounce "
	    "templates)] [-c config_dir] "
	    "[-C param_class] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold "
	    "lines)] "
	    "[-F (master.cf fields)] [-h (no names)] [-H (no values)] [-j (JSON output)] "
	    "[-l (lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] "
	    "[-o name=value (override parameter value)] [-p (main.cf, default)] "
	    "[-P (master.cf parameters)] [-q (no warnings)] [-t (bounce templates)] "
	    "[-T compile-version|run-version|public-key-algorithms] [-v (verbose)] "
	    "[-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]",
	    pc_program);
}

static void list_letters(struct buf *b, unsigned bits)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].bit & bits)
			buf_printf(b, " -%c", options[i].letter);
}

static void check_options(void)
{
	struct buf b = {0};
	unsigned allowed = 0, mode = pc_mode & exclusive[0];

	for (size_t i = 0; i < sizeof(exclusive) / sizeof(exclusive[0]); i++) {
		unsigned both = pc_mode & exclusive[i];

		if (both == (PC_BOUNCE | PC_TEMPLATE))
			pc_fatal("specify one of -b and -t");
		if (both & (both - 1)) {
			list_letters(&b, both);
			pc_fatal("specify one of%s", buf_text(&b));
		}
	}
	if (!mode)
		mode = PC_MAIN;
	for (size_t i = 0; i < sizeof(compatible) / sizeof(compatible[0]); i++)
		if (compatible[i].mode == mode)
			allowed = compatible[i].allowed;
	if (pc_mode & ~mode & ~allowed) {
		list_letters(&b, mode);
		buf_cstr(&b, ", do not specify");
		list_letters(&b, pc_mode & ~mode & ~allowed);
		pc_fatal("with option%s", buf_text(&b));
	}
	pc_mode |= mode;
}

static const char *tls_mode;

static unsigned parse_classes(const char *text)
{
	str rest = str_of(text), word;
	unsigned classes = 0;

	while (str_word(&rest, ", \t\r\n", &word)) {
		if (str_eq_nocase(word, STR("builtin")))
			classes |= PC_BUILTIN;
		else if (str_eq_nocase(word, STR("service")))
			classes |= PC_SERVICE;
		else if (str_eq_nocase(word, STR("user")))
			classes |= PC_USER;
		else if (str_eq_nocase(word, STR("all")))
			classes |= PC_BUILTIN | PC_SERVICE | PC_USER;
		else
			pc_fatal("unknown -C option value \"%.*s\" in \"%s\"", STR_FMT(word), text);
	}
	return classes;
}

/* What the TLS library is and can; of each mode nothing where there is none. */
static int show_tls(void)
{
	static const char *const modes[] = {
	    "compile-version", "run-version", "public-key-algorithms", NULL};

	for (size_t i = 0; modes[i]; i++)
		if (strcmp(tls_mode, modes[i]) == 0)
			return 0;
	pc_warnf("unknown 'postconf -T' mode: %s", tls_mode);
	return 1;
}

static void show_words(const char *const *words)
{
	for (; *words; words++)
		printf("%s\n", *words);
}

static bool show_other(void)
{
	static const char *const locks[] = {"flock", "fcntl", "dotlock", NULL};
	static const char *const servers[] = {"cyrus", "dovecot", NULL};
	static const char *const clients[] = {"cyrus", NULL};

	if (pc_mode & PC_LOCKS)
		show_words(locks);
	else if (pc_mode & PC_SASL_SERVER)
		show_words(servers);
	else if (pc_mode & PC_SASL_CLIENT)
		show_words(clients);
	else if (pc_mode & PC_TYPES)
		show_words(table_type_names());
	else
		return false;
	return true;
}

static void edit(char **args)
{
	if (!*args)
		pc_fatal(pc_mode & PC_EDIT ? "-e requires name=value argument"
					   : "missing service argument");
	if (pc_mode & PC_MASTER)
		pc_edit_master(args);
	else if (pc_mode & (PC_FIELDS | PC_PARAMS))
		pc_edit_service(args);
	else
		pc_edit_main(args);
}

static void show(unsigned classes, char **args)
{
	bool check = !(pc_mode & (PC_DEFAULTS | PC_QUIET));

	pc_load(!(pc_mode & PC_DEFAULTS));
	pc_names_collect();
	if (check)
		pc_check_before();
	if (pc_mode & PC_MASTER)
		pc_show_master(args);
	else if (pc_mode & PC_FIELDS)
		pc_show_fields(args);
	else if (pc_mode & PC_PARAMS)
		pc_show_params(args);
	else
		pc_show_main(classes, args);
	if (check) /* who looks at services is told of them only */
		pc_check_after(!(pc_mode & (PC_MASTER | PC_FIELDS | PC_PARAMS)));
}

static unsigned classes = PC_BUILTIN | PC_SERVICE | PC_USER;

static void take_option(int c)
{
	struct err err = {0};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].letter == c)
			pc_mode |= options[i].bit;
	switch (c) {
	case 'c':
		if (conf_set_dir(optarg, &err) != 0)
			pc_fatal("%s", err.text);
		pc_dir_given = true;
		break;
	case 'C':
		classes = parse_classes(optarg);
		break;
	case 'T':
		tls_mode = optarg;
		break;
	case 'o':
		if (conf_override(optarg, &err) != 0)
			pc_fatal("invalid parameter override: %s: %s", optarg, err.text);
		break;
	case '?':
		usage();
	}
}

static void show_or_edit(char **args)
{
	if (*args && strchr(*args, '=') && !(pc_mode & PC_EDIT)) {
		pc_mode |= PC_EDIT; /* name=value says it */
		check_options();
	}
	if (pc_mode & (PC_EDIT | PC_REMOVE | PC_COMMENT))
		edit(args);
	else
		show(classes, args);
}

int main(int argc, char **argv)
{
	int c;

	pc_program = argv[0] ? argv[0] : "postconf";
	while ((c = getopt(argc, argv, "aAbc:C:defFhHjlmMno:pPqtT:vxX#")) > 0)
		take_option(c);
	check_options();
	argv += optind;
	if (pc_mode & PC_TLS)
		return show_tls();
	if (pc_mode & (PC_BOUNCE | PC_TEMPLATE))
		pc_show_bounces(argv);
	else if (!show_other())
		show_or_edit(argv);
	return fflush(stdout) == 0 ? 0 : 1;
}
