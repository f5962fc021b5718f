#include "pipe/options.h"

#include "base/mem.h"
#include "mailbox/copy.h"

#include <stdlib.h>

static const struct flag {
	char letter;
	unsigned copy, argv;
} flags[] = {
    {'B', COPY_BLANK, 0},
    {'D', COPY_DELIVERED_TO, 0},
    {'F', COPY_FROM, 0},
    {'O', COPY_ORIG_TO, 0},
    {'R', COPY_RETURN_PATH, 0},
    {'X', 0, 0},
    {'h', 0, ARGV_FOLD_DOMAIN},
    {'q', 0, ARGV_QUOTE},
    {'u', 0, ARGV_FOLD_LOCAL},
    {'.', COPY_QUOTE_DOT, 0},
    {'>', COPY_QUOTE_FROM, 0},
};

static const struct flag *find_flag(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

static int set_flags(struct options *o, const char *value, struct err *err)
{
	for (; *value; value++) {
		const struct flag *f = find_flag(*value);

		if (!f)
			return err_set(err, "unknown flag: %c", *value);
		o->copy_flags |= f->copy;
		o->argv_flags |= f->argv;
		o->final |= *value == 'X';
		if (!*o->need_single && (*value == 'D' || *value == 'O'))
			o->need_single = *value == 'D' ? "D" : "O";
	}
	return 0;
}

static int set_size(struct options *o, const char *value, struct err *err)
{
	if (*value && !str_to_u64(str_of(value), &o->size))
		return err_set(err, "bad size= value: %s", value);
	return 0;
}

/* C-style escapes: \a \b \f \n \r \t \v, \ddd in octal; any other character stands for itself. */
static int set_eol(struct options *o, const char *value, struct err *err)
{
	static const char names[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";

	(void)err;
	buf_clear(&o->eol);
	while (*value) {
		const char *name;
		int code = 0, digits = 0;

		if (*value != '\\' || value[1] == 0) {
			buf_char(&o->eol, *value++);
			continue;
		}
		value++;
		while (digits < 3 && *value >= '0' && *value <= '7') {
			code = code * 8 + (*value++ - '0');
			digits++;
		}
		name = digits ? NULL : strchr(names, *value);
		buf_char(&o->eol, digits ? (char)code : name ? bytes[name - names] : *value);
		value += digits == 0;
	}
	return 0;
}

static int set_user(struct options *o, const char *value, struct err *err)
{
	(void)err;
	o->user = value;
	return 0;
}

static int set_directory(struct options *o, const char *value, struct err *err)
{
	(void)err;
	o->dir = value;
	return 0;
}

static int set_chroot(struct options *o, const char *value, struct err *err)
{
	(void)err;
	o->root = value;
	return 0;
}

static int set_null_sender(struct options *o, const char *value, struct err *err)
{
	(void)err;
	o->null_sender = value;
	return 0;
}

static const struct attribute {
	const char *name;
	int (*set)(struct options *o, const char *value, struct err *err);
} attributes[] = {
    {"chroot=", set_chroot},
    {"directory=", set_directory},
    {"eol=", set_eol},
    {"flags=", set_flags},
    {"null_sender=", set_null_sender},
    {"size=", set_size},
    {"user=", set_user},
};

static int set(struct options *o, const char *word, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (str_starts(str_of(word), str_of(attributes[i].name)))
			return attributes[i].set(o, word + strlen(attributes[i].name), err);
	return err_set(err, "unknown attribute name: %s", word);
}

/* argv= is the last one: what follows it is the command. */
static const char *const *command_words(const char *const *words)
{
	const char **v;
	size_t n = 0;

	while (words[n])
		n++;
	v = mem_alloc((n + 1) * sizeof *v);
	memcpy(v, words, (n + 1) * sizeof *v);
	v[0] += strlen("argv=");
	return v;
}

static int parse(struct options *o, const char *const *words, struct err *err)
{
	while (*words && !str_starts(str_of(*words), STR("argv=")))
		if (set(o, *words++, err) < 0)
			return -1;
	if (!o->user)
		return err_set(err, "missing user= command-line attribute");
	if (!*words)
		return err_set(err, "missing argv= command-line attribute");
	o->words = command_words(words);
	if (!*o->words[0])
		return err_set(err, "argv= names no command");
	return 0;
}

int options_parse(struct options *o, const char *const *words, struct err *err)
{
	*o = (struct options){.need_single = "", .null_sender = "MAILER-DAEMON"};
	buf_char(&o->eol, '\n');
	if (parse(o, words, err) == 0)
		return 0;
	options_free(o);
	return -1;
}

void options_free(struct options *o)
{
	buf_free(&o->eol);
	free((void *)(uintptr_t)o->words);
	*o = (struct options){0};
}
