#include "mail/bouncetext.h"

#include "base/arena.h"
#include "base/file.h"
#include "mail/addr.h"
#include "param/conffile.h"
#include "param/param.h"

#define FILE_MAX (1024 * 1024)

static const struct bounce_text built_in[BOUNCE_TEXT_COUNT] = {
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
static struct bounce_text loaded[BOUNCE_TEXT_COUNT]; /* text NULL: as it is built in */
static struct arena arena;

const struct bounce_text *bounce_text(enum bounce_text_kind kind)
{
	return loaded[kind].text ? &loaded[kind] : &built_in[kind];
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

static void complain(struct loader *l, const char *fmt, ...)
{
	struct buf out = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&out, fmt, ap);
	va_end(ap);
	if (l->warn)
		l->warn(out.p);
	buf_free(&out);
}

/* "failure" of "failure_template". */
static str kind_of(const struct bounce_text *t)
{
	return str_head(str_of(t->name), strlen(t->name) - strlen("_template"));
}

/* Where the value of a header goes; NULL: there is no such header. */
static const char **header(struct bounce_text *t, str name)
{
	if (str_eq_nocase(name, STR("Charset")))
		return &t->charset;
	if (str_eq_nocase(name, STR("From")))
		return &t->from;
	if (str_eq_nocase(name, STR("Subject")))
		return &t->subject;
	if (str_eq_nocase(name, STR("Postmaster-Subject")) && t->postmaster_subject)
		return &t->postmaster_subject;
	return NULL;
}

/* What a template may not be; complains. */
static bool is_usable(struct loader *l, const struct bounce_text *t)
{
	struct buf probe = {0};
	struct err err;
	bool good = bounce_text_expand(t, &probe, &err) == 0;

	if (!good)
		complain(l, "%s: %s in %.*s template -- ignoring this template", l->path, err.text,
		    STR_FMT(kind_of(t)));
	buf_free(&probe);
	if (good && !str_is_ascii(str_of(t->text)) && strcasecmp(t->charset, "us-ascii") == 0) {
		complain(l,
		    "%s: 8-bit message text in %.*s template: please specify a charset value other "
		    "than us-ascii -- ignoring this template",
		    l->path, STR_FMT(kind_of(t)));
		good = false;
	}
	return good;
}

/* A field of the header with the lines that continue it; false at the empty line, which is taken,
 * and at the end. */
static bool next_field(str *text, str *field)
{
	str line;

	if (!str_split(text, '\n', field) || field->n == 0)
		return false;
	while (text->n > 0 && (text->p[0] == ' ' || text->p[0] == '\t') &&
	       str_split(text, '\n', &line))
		field->n = (size_t)(line.p + line.n - field->p);
	return true;
}

static bool load_field(struct loader *l, struct bounce_text *t, str field)
{
	ptrdiff_t colon = str_chr(field, ':');
	str name = str_head(field, colon < 0 ? field.n : (size_t)colon);
	const char **value = colon < 0 ? NULL : header(t, name);

	if (!str_is_ascii(field))
		complain(l, "%s: non-ASCII header in %.*s template -- ignoring this template",
		    l->path, STR_FMT(kind_of(t)));
	else if (!value)
		complain(l,
		    "%s: unknown \"%.*s\" header label in %.*s template -- ignoring this template",
		    l->path, STR_FMT(str_head(name, 100)), STR_FMT(kind_of(t)));
	else
		*value = arena_cstr(&arena, str_trim(str_from(field, (size_t)colon + 1)));
	return value && str_is_ascii(field);
}

/* The text of a template: headers, an empty line, what is sent. */
static void take_template(struct loader *l, enum bounce_text_kind kind, str text)
{
	struct bounce_text fresh = *bounce_text(kind);
	str field;

	while (next_field(&text, &field))
		if (!load_field(l, &fresh, field))
			return;
	if (!text.n) {
		complain(l, "%s: missing message text in %.*s template -- ignoring this template",
		    l->path, STR_FMT(kind_of(&fresh)));
		return;
	}
	fresh.text = arena_cstr(&arena, text);
	if (is_usable(l, &fresh))
		loaded[kind] = fresh;
}

/* Lines up to the end marker. */
static void read_lines(struct loader *l, str end, struct buf *text)
{
	bool more;
	str line;

	while ((more = next_line(l, &line)) && !str_eq(line, end)) {
		buf_str(text, line);
		buf_char(text, '\n');
	}
	if (!more)
		complain(l, "%s, line %d: missing \"%.*s\" end marker", l->path, l->line,
		    STR_FMT(str_head(end, 100)));
}

/* name = value, or "name = <<END" and lines up to END. */
static int load_entry(struct loader *l, str line, struct err *err)
{
	struct buf text = {0};
	str name, value;
	enum bounce_text_kind i = 0;

	if (conffile_assignment(line, &name, &value, err) != 0)
		return err_prefix(err, "%s, line %d", l->path, l->line);
	if (str_starts(value, STR("<<")) && str_trim(str_from(value, 2)).n > 0)
		read_lines(l, str_trim(str_from(value, 2)), &text);
	while (i < BOUNCE_TEXT_COUNT && !str_eq(name, str_of(built_in[i].name)))
		i++;
	if (i < BOUNCE_TEXT_COUNT)
		take_template(l, i, buf_view(&text));
	else
		complain(l, "%s, line %d: unknown template name: %.*s -- ignoring this template",
		    l->path, l->line, STR_FMT(str_head(name, 100)));
	buf_free(&text);
	return 0;
}

int bounce_texts_parse(
    const char *path, str content, void (*warn)(const char *text), struct err *err)
{
	struct loader l = {.rest = content, .path = path, .warn = warn};
	str line;
	int r = 0;

	memset(loaded, 0, sizeof loaded);
	arena_free(&arena);
	if (str_chr(content, 0) >= 0)
		return err_set(err, "%s: has a null byte", path);
	if (str_ends(l.rest, STR("\n"))) /* ends a line, begins none */
		l.rest.n--;
	while (r == 0 && next_line(&l, &line))
		if (str_trim(line).n > 0 && line.p[0] != '#')
			r = load_entry(&l, line, err);
	return r;
}

int bounce_texts_load(const char *path, void (*warn)(const char *text), struct err *err)
{
	struct buf content = {0};
	int r;

	if (!*path)
		return 0;
	if (file_read(path, FILE_MAX, &content, err) < 0)
		return -1;
	r = bounce_texts_parse(path, buf_view(&content), warn, err);
	buf_free(&content);
	return r;
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
