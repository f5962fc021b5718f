#include "mail/checks.h"

#include "log/log.h"
#include "mail/addr.h"

static const struct {
	const char *name;
	unsigned where;
} actions[] = {
    {"", 0},
#define CHECK(NAME, where) {#NAME, where},
#include "mail/checks.tbl"
#undef CHECK
};

void checks_open(struct checks *c)
{
	for (int i = 0; i < CHECK_CLASSES; i++)
		c->maps[i] = maps_open(c->params[i], c->lists[i], 0);
}

bool checks_any(const struct checks *c)
{
	for (int i = 0; i < CHECK_CLASSES; i++)
		if (!maps_empty(c->maps[i]))
			return true;
	return false;
}

unsigned checks_mime_flags(const struct checks *c)
{
	unsigned f = maps_empty(c->maps[CHECK_BODY]) ? 0 : MIME_LINES;

	if (!maps_empty(c->maps[CHECK_MIME]) || !maps_empty(c->maps[CHECK_NESTED]))
		f |= MIME_FIELDS;
	return f;
}

enum check_class check_class_of(enum mime_class class)
{
	return class == MIME_PRIMARY ? CHECK_HEADER
	       : class == MIME_PART  ? CHECK_MIME
				     : CHECK_NESTED;
}

const char *check_class_name(enum check_class class)
{
	return class == CHECK_BODY ? "body" : "header";
}

const char *check_verb(enum check_action action)
{
	static const char *const verbs[] = {[CHECK_BCC] = "bcc",
	    [CHECK_DISCARD] = "discard",
	    [CHECK_FILTER] = "filter",
	    [CHECK_HOLD] = "hold",
	    [CHECK_INFO] = "info",
	    [CHECK_PASS] = "pass",
	    [CHECK_PREPEND] = "prepend",
	    [CHECK_REDIRECT] = "redirect",
	    [CHECK_REJECT] = "reject",
	    [CHECK_REPLACE] = "replace",
	    [CHECK_STRIP] = "strip",
	    [CHECK_WARN] = "warning"};

	return verbs[action];
}

/* --- what an action needs */

static bool is_mailbox(str address)
{
	ptrdiff_t at = str_rchr(address, '@');

	return at > 0 && (size_t)at + 1 < address.n;
}

static bool needs_header(const struct check_result *r, enum check_class class, const char *param)
{
	const char *verb = r->action == CHECK_PREPEND ? "PREPEND" : "REPLACE";

	if (r->text.n == 0) {
		log_warn("%s action without text in %s map", verb, param);
		return false;
	}
	if (class == CHECK_BODY || header_name_length(r->text))
		return true;
	log_warn("bad %s header text \"%.*s\" in %s map -- need \"headername: headervalue\"", verb,
	    STR_FMT(r->text), param);
	return false;
}

static bool is_filter(str text, const char *param)
{
	if (text.n == 0)
		log_warn("missing FILTER command argument in %s map", param);
	else if (str_chr(text, ':') <= 0)
		log_warn("bad FILTER command %.*s in %s -- need transport:destination",
		    STR_FMT(text), param);
	else
		return true;
	return false;
}

static bool is_good(const struct check_result *r, enum check_class class, const char *param)
{
	switch (r->action) {
	case CHECK_PREPEND:
	case CHECK_REPLACE:
		return needs_header(r, class, param);
	case CHECK_FILTER:
		return is_filter(r->text, param);
	case CHECK_REDIRECT:
		if (is_mailbox(r->text))
			return true;
		log_warn("bad REDIRECT target \"%.*s\" in %s map -- need user@domain",
		    STR_FMT(r->text), param);
		return false;
	case CHECK_BCC:
		if (is_mailbox(r->text))
			return true;
		log_warn("bad BCC address \"%.*s\" in %s map -- need user@domain", STR_FMT(r->text),
		    param);
		return false;
	default:
		return true;
	}
}

static enum check_action find_action(str word, unsigned where)
{
	for (size_t i = 1; i < sizeof(actions) / sizeof(actions[0]); i++)
		if ((actions[i].where & where) && str_eq_nocase(word, str_of(actions[i].name)))
			return (enum check_action)i;
	return CHECK_NONE;
}

static void take_apart(const struct checks *c, enum check_class class, struct check_result *r)
{
	str rest = buf_view(&r->answer), word = STR("");

	str_word(&rest, " \t\r\n", &word);
	r->text = str_trim(rest);
	r->action = find_action(word, c->where);
	if (r->action == CHECK_NONE)
		log_warn("%s command in %s map: %.*s",
		    c->where == C_CLIENT ? "unsupported" : "unknown", c->params[class],
		    STR_FMT(buf_view(&r->answer)));
	else if (!is_good(r, class, c->params[class]))
		r->action = CHECK_NONE;
	r->drop = r->action == CHECK_IGNORE || r->action == CHECK_STRIP;
	r->replace = r->action == CHECK_REPLACE;
	r->prepend = r->action == CHECK_PREPEND;
}

int checks_look(const struct checks *c, enum check_class class, str text, struct check_result *r,
    struct err *err)
{
	if (text.n == 0 || maps_empty(c->maps[class]))
		return 0;
	switch (maps_get(c->maps[class], text, &r->answer, err)) {
	case TABLE_FOUND:
		take_apart(c, class, r);
		return 0;
	case TABLE_ERROR:
		return -1;
	default:
		return 0;
	}
}

void check_result_free(struct check_result *r)
{
	buf_free(&r->answer);
}

void checks_put_piece(
    struct buf *out, bool *open, str piece, unsigned which, const struct check_result *r)
{
	if (r->prepend) {
		if (*open)
			mime_put_piece(out, STR(""), LINE_LAST);
		mime_put_piece(out, r->text, LINE_FIRST | LINE_LAST);
		*open = false;
	}
	if (r->drop) {
		if (*open && (which & LINE_LAST))
			mime_put_piece(out, STR(""), LINE_LAST);
		*open = *open && !(which & LINE_LAST);
		return;
	}
	if (!*open)
		which |= LINE_FIRST;
	mime_put_piece(out, r->replace ? r->text : piece, which);
	*open = !(which & LINE_LAST);
}
