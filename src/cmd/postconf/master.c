/* Entries of master.cf, as they are read and written. */
#include "base/mem.h"
#include "param/conffile.h"
#include "param/mastercf.h"
#include "pc.h"

const char *const pc_field_names[PC_FIELD_COUNT] = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"};

int pc_field_find(str name)
{
	for (int i = 0; i < PC_FIELD_COUNT; i++)
		if (str_eq(name, str_of(pc_field_names[i])))
			return i;
	return -1;
}

static bool is_number(str s, bool question)
{
	if (question && str_ends(s, STR("?")))
		s = str_head(s, s.n - 1);
	return str_is_digits(s) && s.n < 10;
}

int pc_field_check(int field, str value, struct err *err)
{
	bool good = value.n > 0;
	struct buf b = {0};

	switch (field) {
	case 1:
		buf_str(&b, value);
		good = service_type_of(buf_text(&b)) >= 0;
		buf_free(&b);
		break;
	case 2:
	case 3:
	case 4:
		good =
		    str_eq(value, STR("-")) || str_eq(value, STR("y")) || str_eq(value, STR("n"));
		break;
	case 5:
	case 6:
		good = str_eq(value, STR("-")) || is_number(value, field == 5);
		break;
	}
	if (good)
		return 0;
	return err_set(
	    err, "invalid %s field \"%.*s\"", pc_field_names[field], STR_FMT(str_head(value, 100)));
}

static void add_arg(struct pc_service *s, struct arena *mem, str text, bool option)
{
	struct pc_arg *v = arena_zero(mem, (s->nargs + 1) * sizeof(*v));

	if (s->nargs)
		memcpy(v, s->args, s->nargs * sizeof(*v));
	v[s->nargs++] = (struct pc_arg){arena_cstr(mem, text), option};
	s->args = v;
}

/* What follows -o: "name=value" or "{ name = value }". */
static void add_assignment(struct pc_service *s, struct arena *mem, str word)
{
	struct err err = {0};
	str name, value, inner = word;
	struct buf b = {0};

	if (word.n && word.p[0] == '{') {
		if (conffile_braces(word, &inner, &err) != 0)
			pc_warnf("master.cf: %s", err.text);
		if (conffile_assignment(inner, &name, &value, &err) != 0) {
			pc_warnf("master.cf: %s", err.text);
		} else {
			buf_printf(&b, "%.*s=%.*s", STR_FMT(name), STR_FMT(value));
			inner = buf_view(&b);
		}
	}
	add_arg(s, mem, inner, true);
	buf_free(&b);
}

/* "-vo name=value" is "-v -o name=value", "-oname=value" is "-o name=value". */
static void add_option(struct pc_service *s, struct arena *mem, str word, str *rest)
{
	ptrdiff_t o = str_chr(word, 'o');
	str value;

	if (o < 0) {
		add_arg(s, mem, word, false);
		return;
	}
	if (o > 1)
		add_arg(s, mem, str_head(word, (size_t)o), false);
	add_arg(s, mem, STR("-o"), false);
	value = str_from(word, (size_t)o + 1);
	if (value.n || conffile_word(rest, &value))
		add_assignment(s, mem, value);
}

int pc_command_parse(struct pc_service *s, struct arena *mem, str text, struct err *err)
{
	bool options = true;
	str word;

	s->nargs = s->noptions = 0;
	s->args = NULL;
	if (!str_word(&text, CONFFILE_WHITE, &word))
		return err_set(err, "bad field count");
	s->field[PC_FIELD_COMMAND] = arena_cstr(mem, word);
	while (conffile_word(&text, &word)) {
		options = options && word.n > 1 && word.p[0] == '-' && !str_eq(word, STR("--"));
		if (options)
			add_option(s, mem, word, &text);
		else
			add_arg(s, mem, word, false);
		if (options)
			s->noptions = s->nargs;
	}
	return 0;
}

int pc_service_parse(struct pc_service *s, struct arena *mem, str line, struct err *err)
{
	str word;

	for (int i = 0; i < PC_FIELD_COMMAND; i++) {
		if (!str_word(&line, CONFFILE_WHITE, &word))
			return err_set(err, "bad field count");
		s->field[i] = arena_cstr(mem, word);
	}
	for (int i = 0; i < PC_FIELD_COMMAND; i++)
		if (pc_field_check(i, str_of(s->field[i]), err) != 0 && str_trim(line).n)
			return -1;
	return pc_command_parse(s, mem, line, err);
}

static const char *raw_value(void *ctx, str name)
{
	const struct pc_service *s = ctx;
	const char *found = NULL;

	for (size_t i = 0; i < s->noptions; i++) {
		str text = str_of(s->args[i].text);

		if (s->args[i].option && str_starts(text, name) && text.p[name.n] == '=')
			found = text.p + name.n + 1;
	}
	if (!found && str_eq(name, STR("service_name")))
		found = s->field[0];
	return found ? found : pc_scope.raw(pc_scope.ctx, name);
}

void pc_service_scope(struct param_scope *scope, const struct pc_service *s)
{
	*scope = (struct param_scope){.raw = raw_value,
	    .ctx = (void *)s,
	    .dir = pc_scope.dir,
	    .process_name = s->field[PC_FIELD_COMMAND]};
}

/* Where the columns of an entry begin. */
static const size_t stops[PC_FIELD_COUNT] = {0, 11, 17, 25, 33, 41, 49, 57};
#define MASTER_WIDTH 80

/* One argument; an assignment with white space in it needs braces. */
static void arg_text(struct buf *out, const struct pc_arg *a, struct param_scope *expand)
{
	struct buf b = {0};
	struct err err = {0};
	const char *eq = a->option ? strchr(a->text, '=') : NULL;
	bool raw = false;

	if (eq && expand) {
		const struct param_row *row = param_find(str_mem(a->text, (size_t)(eq - a->text)));

		raw = row && row->type == PARAM_TYPE_RAW;
	}
	if (!eq || !expand || raw) {
		buf_cstr(&b, a->text);
	} else {
		buf_add(&b, a->text, (size_t)(eq + 1 - a->text));
		if (param_expand(expand, &b, str_of(eq + 1), &err) != 0) {
			pc_warn(err.text);
			pc_fatal("macro processing error");
		}
	}
	if (a->option && (strpbrk(buf_text(&b), CONFFILE_WHITE) || !b.n))
		buf_printf(out, "{%s}", buf_text(&b));
	else
		buf_str(out, buf_view(&b));
	buf_free(&b);
}

/* Folded: every -o has a line of its own, other words share lines. */
void pc_command_print(
    struct buf *out, const struct pc_service *s, size_t col, bool fold, struct param_scope *expand)
{
	struct buf word = {0};
	bool after_option = false;

	buf_cstr(out, s->field[PC_FIELD_COMMAND]);
	col += strlen(s->field[PC_FIELD_COMMAND]);
	for (size_t i = 0; i < s->nargs; i++) {
		bool option = i + 1 < s->nargs && s->args[i + 1].option;

		buf_clear(&word);
		if (option) {
			buf_printf(&word, "%s ", s->args[i].text);
			arg_text(&word, &s->args[++i], expand);
		} else {
			arg_text(&word, &s->args[i], expand);
		}
		if (fold && (option || after_option || col + 1 + word.n >= MASTER_WIDTH)) {
			buf_cstr(out, "\n    ");
			col = 4;
		} else {
			buf_char(out, ' ');
			col++;
		}
		buf_str(out, buf_view(&word));
		col += word.n;
		after_option = option;
	}
	buf_free(&word);
}

void pc_service_print(
    struct buf *out, const struct pc_service *s, bool fold, struct param_scope *expand)
{
	size_t col = 0;

	for (int i = 0; i < PC_FIELD_COMMAND; i++) {
		buf_cstr(out, s->field[i]);
		col += strlen(s->field[i]);
		do {
			buf_char(out, ' ');
			col++;
		} while (col < stops[i + 1]);
	}
	pc_command_print(out, s, col, fold, expand);
}
