/* Changing master.cf: whole entries (-M), or fields and options of entries (-F, -P). */
#include "base/mem.h"
#include "param/conffile.h"
#include "param/param.h"
#include "used.h"
#include <stdlib.h>

struct edits {
	struct pc_request *v;
	size_t n;
};

static void set_path(void)
{
	struct buf b = {0};

	buf_printf(&b, "%s/master.cf", conf_dir());
	pc_master_path = b.p;
}

static struct edits parse_edits(char **args, int parts, const char *usage)
{
	struct edits e = {0};

	for (; args[e.n]; e.n++) {
		e.v = mem_realloc(e.v, (e.n + 1) * sizeof(*e.v));
		e.v[e.n] = pc_request_parse(args[e.n], parts, pc_mode & PC_EDIT);
		if (strchr(args[e.n], '\n'))
			pc_fatal("-Me, -Fe, -Pe, -X, or -# accept no multi-line input");
		if (e.v[e.n].parts != parts)
			pc_fatal("%s", usage);
	}
	return e;
}

static void parse_entry(struct pc_service *s, struct arena *mem, str line, const char *whole)
{
	struct err err = {0};

	*s = (struct pc_service){0};
	if (pc_service_parse(s, mem, line, &err) == 0)
		return;
	if (strcmp(err.text, "bad field count") == 0)
		pc_fatal("bad field count: \"%s\"", whole);
	pc_fatal("%s in \"%s\"", err.text, whole);
}

/* The new entry of a request of -Me, as text with its newline. */
static void print_request(struct buf *out, const struct pc_request *r)
{
	struct arena mem = {0};
	struct pc_service s;

	parse_entry(&s, &mem, r->value, r->text);
	pc_service_print(out, &s, true, NULL);
	buf_char(out, '\n');
	arena_free(&mem);
}

/* Service and type of the entry that a line begins. */
static struct pc_request *edit_for(struct edits *e, str line)
{
	struct pc_service s = {0};
	struct arena mem = {0};
	struct pc_request *found = NULL;
	str name = {0}, type = {0};

	str_word(&line, CONFFILE_WHITE, &name);
	str_word(&line, CONFFILE_WHITE, &type);
	s.field[0] = arena_cstr(&mem, name);
	s.field[1] = arena_cstr(&mem, type);
	for (size_t i = 0; i < e->n && !found; i++)
		if (pc_request_has(&e->v[i], &s))
			found = &e->v[i];
	arena_free(&mem);
	return found;
}

static void edit_line(struct edits *e, struct pc_request **now, str line, struct buf *out)
{
	str word = str_trim(line);
	bool first = false;

	if (word.n && word.p[0] != '#' && line.p[0] != ' ' && line.p[0] != '\t') {
		first = true;
		*now = edit_for(e, line);
	}
	if (!word.n || word.p[0] == '#' || !*now || (pc_mode & PC_COMMENT)) {
		if (*now && word.n && word.p[0] != '#')
			buf_char(out, '#');
		buf_str(out, line);
		buf_char(out, '\n');
	} else if (first && !(*now)->matched && (pc_mode & PC_EDIT)) {
		print_request(out, *now);
	}
	if (first && *now)
		(*now)->matched = true;
}

void pc_edit_master(char **args)
{
	struct edits e = parse_edits(args, 2, "-Me, -MX or -M# requires service_name/type");
	struct pc_request *now = NULL;
	struct buf text = {0}, out = {0};

	set_path();
	for (size_t i = 0; i < e.n && (pc_mode & PC_EDIT); i++)
		print_request(&out, &e.v[i]); /* for its errors */
	buf_clear(&out);
	pc_edit_begin(pc_master_path, &text);
	for (str rest = buf_view(&text); rest.n;) {
		size_t n = (size_t)str_chr(rest, '\n');

		edit_line(&e, &now, str_head(rest, n), &out);
		rest = str_from(rest, n + 1);
	}
	for (size_t i = 0; i < e.n; i++)
		if (!e.v[i].matched && (pc_mode & PC_EDIT))
			print_request(&out, &e.v[i]);
	pc_edit_end(pc_master_path, &out);
	buf_free(&text);
	buf_free(&out);
	free(e.v);
}

static void edit_field(struct pc_service *s, struct arena *mem, const struct pc_request *r)
{
	int field = pc_field_find(r->part[2]);

	if (field != PC_FIELD_COMMAND)
		s->field[field] = arena_cstr(mem, r->value);
	else
		pc_command_parse(s, mem, r->value, NULL);
}

/* Takes option i and the -o before it out. */
static void drop_option(struct pc_service *s, size_t i)
{
	memmove(&s->args[i - 1], &s->args[i + 1], (s->nargs - i - 1) * sizeof(s->args[0]));
	s->nargs -= 2;
	s->noptions -= 2;
}

static void insert_option(struct pc_service *s, struct arena *mem, const char *text)
{
	struct pc_arg *v = arena_zero(mem, (s->nargs + 2) * sizeof(*v));
	size_t at = s->noptions;

	for (size_t i = 0; i < s->nargs; i++)
		v[i < at ? i : i + 2] = s->args[i];
	v[at] = (struct pc_arg){"-o", false};
	v[at + 1] = (struct pc_arg){text, true};
	s->args = v;
	s->nargs += 2;
	s->noptions += 2;
}

static void edit_param(struct pc_service *s, struct arena *mem, const struct pc_request *r)
{
	bool found = false;
	const char *value, *text = NULL;
	str name;

	if (pc_mode & PC_EDIT)
		text = arena_printf(mem, "%.*s=%.*s", STR_FMT(r->part[2]), STR_FMT(r->value));
	for (size_t i = 0; i < s->noptions; i++) {
		if (!pc_option_split(&s->args[i], &name, &value) || !str_eq(name, r->part[2]))
			continue;
		if (text)
			s->args[i].text = text;
		else
			drop_option(s, i--);
		found = true;
	}
	if (text && !found)
		insert_option(s, mem, text);
}

/* Comments and empty lines between the lines of an entry stay, above it. */
static void keep_comments(str lines, struct buf *out)
{
	while (lines.n) {
		size_t n = (size_t)str_chr(lines, '\n');
		str word = str_trim(str_head(lines, n));

		if (!word.n || word.p[0] == '#')
			buf_str(out, str_head(lines, n + 1));
		lines = str_from(lines, n + 1);
	}
}

/* One logical line: out as it is, or changed and printed anew. */
static void edit_entry(struct edits *e, str lines, str joined, struct buf *out)
{
	struct arena mem = {0};
	struct pc_service s;
	bool changed = false;

	parse_entry(&s, &mem, joined, "master.cf");
	for (size_t i = 0; i < e->n; i++) {
		if (!pc_request_has(&e->v[i], &s))
			continue;
		if (pc_mode & PC_FIELDS)
			edit_field(&s, &mem, &e->v[i]);
		else
			edit_param(&s, &mem, &e->v[i]);
		e->v[i].matched = changed = true;
	}
	if (changed) {
		keep_comments(lines, out);
		pc_service_print(out, &s, true, NULL);
		buf_char(out, '\n');
	} else {
		buf_str(out, lines);
	}
	arena_free(&mem);
}

static void check_edits(const struct edits *e)
{
	struct err err = {0};

	for (size_t i = 0; i < e->n; i++) {
		const struct pc_request *r = &e->v[i];

		if (str_eq(r->part[2], STR("*")))
			pc_fatal("%s does not accept wild-card %s name",
			    pc_mode & PC_FIELDS ? "-Fe" : "-Pe",
			    pc_mode & PC_FIELDS ? "field" : "parameter");
		if (pc_mode & PC_FIELDS) {
			int field = pc_field_find(r->part[2]);

			if (field < 0)
				pc_fatal("invalid service attribute name: \"%.*s\"",
				    STR_FMT(r->part[2]));
			if (field != PC_FIELD_COMMAND && str_chr(r->value, ' ') >= 0)
				pc_fatal("-Fe does not accept whitespace in non-command field");
			if (pc_field_check(field, r->value, &err) != 0)
				pc_fatal("%s in \"%.*s\"", err.text, STR_FMT(r->value));
		} else if ((pc_mode & PC_EDIT) &&
			   strpbrk(r->value.p ? r->value.p : "", " \t\r\n")) {
			pc_fatal("-Pe does not accept whitespace in parameter value");
		}
	}
}

void pc_edit_service(char **args)
{
	struct edits e = parse_edits(args, 3,
	    pc_mode & PC_FIELDS ? "-Fe or -FX requires service_name/type/field_name"
				: "-Pe or -PX requires service_name/type/parameter");
	struct buf text = {0}, out = {0}, joined = {0};

	set_path();
	check_edits(&e);
	pc_edit_begin(pc_master_path, &text);
	struct conffile f = {.rest = buf_view(&text)};
	for (;;) {
		const char *from = f.rest.p;
		bool more = conffile_next(&f, &joined);
		str lines = str_mem(from, (size_t)(f.rest.p - from));

		if (!more || joined.p[0] == ' ' || joined.p[0] == '\t')
			buf_str(&out, lines);
		else
			edit_entry(&e, lines, buf_view(&joined), &out);
		if (!more)
			break;
	}
	for (size_t i = 0; i < e.n; i++)
		if (!e.v[i].matched)
			pc_warnf("unmatched service_name/type: \"%s\"", e.v[i].text);
	pc_edit_end(pc_master_path, &out);
	buf_free(&text);
	buf_free(&out);
	buf_free(&joined);
	free(e.v);
}
