#include "mail/bouncetext.h"

#include "base/arena.h"
#include "base/file.h"
#include "param/param.h"

#define FILE_MAX (1024 * 1024)

static struct bounce_text texts[BOUNCE_TEXT_COUNT] = {
    {"failure_template", "us-ascii", "MAILER-DAEMON (Mail Delivery System)",
	"Undelivered Mail Returned to Sender", "Postmaster Copy: Undelivered Mail",
	"The mail gateway at $myhostname could not deliver your message to\n"
	"the recipients listed below, and has stopped trying. The reasons\n"
	"follow; your message is attached.\n"
	"\n"
	"If you need help, write to <postmaster> and include this report.\n"},
    {"delay_template", "us-ascii", "MAILER-DAEMON (Mail Delivery System)",
	"Delayed Mail (still being retried)", "Postmaster Warning: Delayed Mail",
	"Your message is still waiting at the mail gateway $myhostname.\n"
	"You need not send it again.\n"
	"\n"
	"It could not be delivered for more than $delay_warning_time_hours hour(s).\n"
	"It will be retried until it is $maximal_queue_lifetime_days day(s) old.\n"
	"\n"
	"If you need help, write to <postmaster> and include this report.\n"},
    {"success_template", "us-ascii", "MAILER-DAEMON (Mail Delivery System)",
	"Successful Mail Delivery Report", NULL,
	"The mail gateway at $myhostname has delivered your message, or has\n"
	"passed it on to a system that sends no such reports, for the\n"
	"recipients listed below.\n"},
    {"verify_template", "us-ascii", "MAILER-DAEMON (Mail Delivery System)",
	"Mail Delivery Status Report", NULL,
	"This is the report on deliverability that you asked the mail gateway\n"
	"at $myhostname for.\n"},
};
static struct arena arena;

const struct bounce_text *bounce_text(enum bounce_text_kind kind)
{
	return &texts[kind];
}

/* --- the file */

struct loader {
	str rest;
	int line;
	const char *path;
	void (*warn)(const char *text);
};

static bool next_line(struct loader *l, str *line)
{
	l->line++;
	if (!str_split(&l->rest, '\n', line))
		return false;
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static void complain(struct loader *l, const char *what, str text)
{
	struct buf out = {0};

	buf_printf(
	    &out, "%s, line %d: %s: %.*s", l->path, l->line, what, STR_FMT(str_head(text, 100)));
	if (l->warn)
		l->warn(out.p);
	buf_free(&out);
}

static bool header(struct bounce_text *t, str name, str value)
{
	const char *copy = arena_cstr(&arena, value);

	if (str_eq_nocase(name, STR("Charset")))
		t->charset = copy;
	else if (str_eq_nocase(name, STR("From")))
		t->from = copy;
	else if (str_eq_nocase(name, STR("Subject")))
		t->subject = copy;
	else if (str_eq_nocase(name, STR("Postmaster-Subject")) && t->postmaster_subject)
		t->postmaster_subject = copy;
	else
		return false;
	return true;
}

/* Lines between "name = <<EOF" and "EOF": headers, an empty line, the text. */
static void load_one(struct loader *l, struct bounce_text *t, str end)
{
	struct bounce_text fresh = *t;
	struct buf text = {0}, probe = {0};
	bool in_text = false;
	str line;
	struct err err;

	while (next_line(l, &line) && !str_eq(line, end)) {
		ptrdiff_t colon = str_chr(line, ':');
		if (in_text) {
			buf_str(&text, line);
			buf_char(&text, '\n');
		} else if (line.n == 0) {
			in_text = true;
		} else if (colon <= 0 || !header(&fresh, str_head(line, colon),
					     str_trim(str_from(line, colon + 1)))) {
			complain(l, "unknown template header", line);
		}
	}
	fresh.text = arena_cstr(&arena, buf_view(&text));
	if (bounce_text_expand(&fresh, &probe, &err) < 0)
		complain(l, err.text, str_of(t->name));
	else
		*t = fresh;
	buf_free(&text);
	buf_free(&probe);
}

static void load_entry(struct loader *l, str line)
{
	ptrdiff_t eq = str_chr(line, '=');
	str name = str_trim(eq < 0 ? line : str_head(line, eq));
	str value = eq < 0 ? STR("") : str_trim(str_from(line, eq + 1));

	for (int i = 0; i < BOUNCE_TEXT_COUNT; i++)
		if (str_eq(name, str_of(texts[i].name)) && str_starts(value, STR("<<"))) {
			load_one(l, &texts[i], str_trim(str_from(value, 2)));
			return;
		}
	complain(l, "expected \"name_template = <<EOF\"", line);
}

int bounce_texts_load(const char *path, void (*warn)(const char *text), struct err *err)
{
	struct buf content = {0};
	struct loader l = {.path = path, .warn = warn};
	str line;

	if (!*path)
		return 0;
	if (file_read(path, FILE_MAX, &content, err) < 0)
		return -1;
	l.rest = buf_view(&content);
	while (next_line(&l, &line))
		if (str_trim(line).n > 0 && line.p[0] != '#')
			load_entry(&l, line);
	buf_free(&content);
	return 0;
}

/* --- parameters of the text */

static const char *in_unit(str name, const char *prefix, int seconds)
{
	static const struct {
		const char *suffix;
		int seconds;
	} units[] = {{"_seconds", 1}, {"_minutes", 60}, {"_hours", 3600}, {"_days", 86400},
	    {"_weeks", 604800}};
	str suffix = str_from(name, strlen(prefix));

	if (!str_starts(name, str_of(prefix)))
		return NULL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_eq(suffix, str_of(units[i].suffix)))
			return arena_printf(&arena, "%d", seconds / units[i].seconds);
	return NULL;
}

static const char *look(void *ctx, str name)
{
	const char *v = in_unit(name, "delay_warning_time", conf.delay_warning_time);
	struct buf value = {0};
	char *cname;

	(void)ctx;
	if (!v)
		v = in_unit(name, "maximal_queue_lifetime", conf.maximal_queue_lifetime);
	if (v)
		return v;
	cname = arena_cstr(&arena, name);
	if (conf_get(cname, &value))
		v = arena_cstr(&arena, buf_view(&value));
	buf_free(&value);
	return v;
}

int bounce_text_expand(const struct bounce_text *t, struct buf *out, struct err *err)
{
	return expand_text(out, str_of(t->text), look, NULL, err);
}

void bounce_text_print(const struct bounce_text *t, bool expand, struct buf *out)
{
	struct err err;

	buf_printf(out, "%s%s = <<EOF\n", expand ? "expanded_" : "", t->name);
	if (expand)
		buf_cut(out, out->n - strlen("_template = <<EOF\n"));
	if (expand)
		buf_cstr(out, "_text = <<EOF\n");
	if (!expand) {
		buf_printf(
		    out, "Charset: %s\nFrom: %s\nSubject: %s\n", t->charset, t->from, t->subject);
		if (t->postmaster_subject)
			buf_printf(out, "Postmaster-Subject: %s\n", t->postmaster_subject);
		buf_char(out, '\n');
	}
	if (!expand || bounce_text_expand(t, out, &err) < 0)
		buf_cstr(out, t->text);
	buf_cstr(out, "EOF\n");
}
