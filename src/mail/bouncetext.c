#include "mail/bouncetext.h"

#include "base/arena.h"
#include "base/file.h"
#include "mail/addr.h"
#include "param/param.h"

#define FILE_MAX (1024 * 1024)

static struct bounce_text texts[BOUNCE_TEXT_COUNT] = {
    {"failure_template", "us-ascii", "Mail Delivery System <MAILER-DAEMON>",
	"Undelivered Mail Returned to Sender", "Postmaster Copy: Undelivered Mail",
	"The mail gateway at $myhostname could not deliver your message to\n"
	"the recipients listed below, and has stopped trying. The reasons\n"
	"follow; your message is attached.\n"
	"\n"
	"If you need help, write to <postmaster> and include this report.\n"},
    {"delay_template", "us-ascii", "Mail Delivery System <MAILER-DAEMON>",
	"Delayed Mail (still being retried)", "Postmaster Warning: Delayed Mail",
	"Your message is still waiting at the mail gateway $myhostname.\n"
	"You need not send it again.\n"
	"\n"
	"It could not be delivered for more than $delay_warning_time_hours hour(s).\n"
	"It will be retried until it is $maximal_queue_lifetime_days day(s) old.\n"
	"\n"
	"If you need help, write to <postmaster> and include this report.\n"},
    {"success_template", "us-ascii", "Mail Delivery System <MAILER-DAEMON>",
	"Successful Mail Delivery Report", NULL,
	"The mail gateway at $myhostname has delivered your message, or has\n"
	"passed it on to a system that sends no such reports, for the\n"
	"recipients listed below.\n"},
    {"verify_template", "us-ascii", "Mail Delivery System <MAILER-DAEMON>",
	"Mail Delivery Status Report", NULL,
	"This is the delivery report that you asked the mail gateway at\n"
	"$myhostname for.\n"},
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

/* What a template may not be; complains. */
static bool is_usable(struct loader *l, const struct bounce_text *t)
{
	struct buf probe = {0};
	struct err err;
	bool good = bounce_text_expand(t, &probe, &err) == 0;

	if (!good)
		complain(l, err.text, str_of(t->name));
	buf_free(&probe);
	if (good && !str_is_ascii(str_of(t->text)) && strcasecmp(t->charset, "us-ascii") == 0) {
		complain(l, "non-ASCII text needs another Charset", str_of(t->name));
		good = false;
	}
	return good;
}

static void load_header(struct loader *l, struct bounce_text *t, str line)
{
	ptrdiff_t colon = str_chr(line, ':');

	if (!str_is_ascii(line))
		complain(l, "template header is not ASCII", line);
	else if (colon <= 0 || !header(t, str_head(line, (size_t)colon),
				   str_trim(str_from(line, (size_t)colon + 1))))
		complain(l, "unknown template header", line);
}

/* Lines between "name = <<EOF" and "EOF": headers, an empty line, the text. */
static void load_one(struct loader *l, struct bounce_text *t, str end)
{
	struct bounce_text fresh = *t;
	struct buf text = {0};
	bool in_text = false, more;
	str line;

	while ((more = next_line(l, &line)) && !str_eq(line, end)) {
		if (in_text) {
			buf_str(&text, line);
			buf_char(&text, '\n');
		} else if (line.n == 0) {
			in_text = true;
		} else {
			load_header(l, &fresh, line);
		}
	}
	fresh.text = arena_cstr(&arena, buf_view(&text));
	buf_free(&text);
	if (!more)
		complain(l, "template has no end", end);
	else if (is_usable(l, &fresh))
		*t = fresh;
}

static void load_entry(struct loader *l, str line)
{
	ptrdiff_t eq = str_chr(line, '=');
	str name = str_trim(eq < 0 ? line : str_head(line, (size_t)eq));
	str value = eq < 0 ? STR("") : str_trim(str_from(line, (size_t)eq + 1));

	for (int i = 0; i < BOUNCE_TEXT_COUNT; i++)
		if (str_eq(name, str_of(texts[i].name)) && str_starts(value, STR("<<")) &&
		    str_trim(str_from(value, 2)).n > 0) {
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
	if (str_chr(buf_view(&content), 0) >= 0) {
		buf_free(&content);
		return err_set(err, "%s: has a null byte", path);
	}
	l.rest = buf_view(&content);
	while (next_line(&l, &line))
		if (str_trim(line).n > 0 && line.p[0] != '#')
			load_entry(&l, line);
	buf_free(&content);
	return 0;
}

/* --- parameters of the text */

static const char *in_unit(struct arena *a, str name, const char *prefix, int seconds)
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
			return arena_printf(a, "%d", seconds / units[i].seconds);
	return NULL;
}

/* Names of ours are shown in UTF-8 where that is enabled. */
static const char *readable(struct arena *a, const char *domain)
{
	struct buf utf8 = {0};

	if (conf.smtputf8_enable && addr_domain_to_unicode(&utf8, str_of(domain)))
		domain = arena_cstr(a, buf_view(&utf8));
	buf_free(&utf8);
	return domain;
}

static const char *look(void *ctx, str name)
{
	struct arena *a = ctx;
	const char *v = in_unit(a, name, "delay_warning_time", conf.delay_warning_time);
	struct buf value = {0};

	if (!v)
		v = in_unit(a, name, "maximal_queue_lifetime", conf.maximal_queue_lifetime);
	if (!v && str_eq(name, STR("myhostname")))
		v = readable(a, conf.myhostname);
	if (!v && str_eq(name, STR("mydomain")))
		v = readable(a, conf.mydomain);
	if (!v && conf_get(arena_cstr(a, name), &value))
		v = arena_cstr(a, buf_view(&value));
	buf_free(&value);
	return v;
}

int bounce_text_expand(const struct bounce_text *t, struct buf *out, struct err *err)
{
	struct arena a = {0};
	int result = expand_text(out, str_of(t->text), look, &a, err);

	arena_free(&a);
	return result;
}

static void print_whole(const struct bounce_text *t, struct buf *out)
{
	buf_printf(out, "%s = <<EOF\nCharset: %s\nFrom: %s\nSubject: %s\n", t->name, t->charset,
	    t->from, t->subject);
	if (t->postmaster_subject)
		buf_printf(out, "Postmaster-Subject: %s\n", t->postmaster_subject);
	buf_printf(out, "\n%sEOF\n", t->text);
}

void bounce_text_print(const struct bounce_text *t, bool expand, struct buf *out)
{
	size_t kind = strlen(t->name) - strlen("_template"), at;
	struct err err;

	if (!expand) {
		print_whole(t, out);
		return;
	}
	buf_printf(out, "expanded_%.*s_text = <<EOF\n", (int)kind, t->name);
	at = out->n;
	if (bounce_text_expand(t, out, &err) < 0) {
		buf_cut(out, at);
		buf_cstr(out, t->text);
	}
	buf_cstr(out, "EOF\n");
}
