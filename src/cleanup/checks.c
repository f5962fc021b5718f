/* header_checks, mime_header_checks, nested_header_checks, body_checks on mail that comes in. */
#include "mail/checks.h"

#include "cleanup/message.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"

static struct checks tables = {
    .where = C_CLEANUP,
    .params = {"header_checks", "mime_header_checks", "nested_header_checks", "body_checks"},
};

/* One table for all that milters add, whatever its class. */
static struct checks milter_tables = {.where = C_MILTER,
    .params = {"milter_header_checks", "milter_header_checks", "milter_header_checks",
	"milter_header_checks"}};

void checks_setup(void)
{
	tables.lists[CHECK_HEADER] = conf.header_checks;
	tables.lists[CHECK_MIME] = conf.mime_header_checks;
	tables.lists[CHECK_NESTED] = conf.nested_header_checks;
	tables.lists[CHECK_BODY] = conf.body_checks;
	checks_open(&tables);
	milter_tables.lists[CHECK_HEADER] = conf.milter_header_checks;
	for (int i = CHECK_HEADER + 1; i < CHECK_CLASSES; i++)
		milter_tables.lists[i] = "";
	checks_open(&milter_tables);
}

unsigned checks_flags(void)
{
	return checks_mime_flags(&tables);
}

/* --- the log */

/* An attribute of the message (they are kept with a NUL), or NULL. */
static const char *attr(struct message *m, const char *name)
{
	str value = envelope_attr(&m->env, name);

	return value.n ? value.p : NULL;
}

static void put_log(struct message *m, const char *verb, const char *class, str line,
    const char *text, bool with_client)
{
	const char *origin = attr(m, "log_message_origin");
	str to = recipient_shown(m);

	sender_map(m);
	log_cleanup_check(m->id, verb, class, line, origin ? origin : "local",
	    m->env.sender.address, to, with_client ? attr(m, "log_protocol_name") : NULL,
	    with_client ? attr(m, "log_helo_name") : NULL, text);
}

void checks_log(struct message *m, const char *verb, const char *class, str line, const char *text)
{
	put_log(m, verb, class, line, text, true);
}

void checks_log_error(struct message *m, const char *what, str where)
{
	struct buf line = {0};

	buf_printf(&line, "%s: %.*s", what, STR_FMT(where));
	put_log(m, "reject", "mime-error", buf_view(&line), NULL, false);
	buf_free(&line);
}

/* --- actions */

/* "5.7.1 text": what the client gets, and what the log says. */
static const char *refusal(struct message *m, str text)
{
	size_t n = dsn_valid(text);

	if (text.n == 0)
		return "5.7.1 message content rejected";
	if (n > 0 && text.p[0] != '2')
		return arena_cstr(&m->arena, text);
	return arena_printf(&m->arena, "5.7.1 %.*s", STR_FMT(text));
}

/* Actions on the whole message. */
static void act(struct message *m, enum check_action action, str text)
{
	switch (action) {
	case CHECK_DISCARD:
		m->discard = true;
		m->checking = false;
		break;
	case CHECK_HOLD:
		m->queue_name = "hold";
		break;
	case CHECK_FILTER:
		envelope_add_attr(&m->env, &m->arena, STR("content_filter"), text);
		break;
	case CHECK_REDIRECT:
		m->redirect = arena_str(&m->arena, text);
		m->checking = false;
		break;
	case CHECK_BCC:
		message_copy(m, text);
		break;
	case CHECK_PASS:
		m->checking = false;
		break;
	case CHECK_REJECT:
		message_fail(m, CLEANUP_CONTENT, refusal(m, text));
		m->checking = false;
		break;
	default:
		break;
	}
}

/* Nothing is kept of it: as many lines match as a client likes. */
static void log_action(struct message *m, const char *verb, bool milter, enum check_class class,
    str text, const struct check_result *r)
{
	struct buf what = {0}, why = {0};

	buf_printf(&what, "%s%s", milter ? "milter-header-" : "", verb);
	if (r->action == CHECK_REJECT)
		buf_cstr(&why, refusal(m, r->text));
	else
		buf_str(&why, r->text);
	checks_log(
	    m, buf_text(&what), check_class_name(class), text, why.n ? buf_text(&why) : NULL);
	buf_free(&what);
	buf_free(&why);
}

/* Looks text up, logs and obeys. False: a table failed, and so did the message. */
static bool look(struct message *m, const struct checks *in, enum check_class class, str text,
    struct check_result *r)
{
	bool held = strcmp(m->queue_name, "hold") == 0;
	const char *verb;
	struct err err;

	if (checks_look(in, class, text, r, &err) < 0) {
		message_lookup_failed(m, in->params[class], STR(""), &err);
		return false;
	}
	if ((verb = check_verb(r->action)) && !(r->action == CHECK_HOLD && held))
		log_action(m, verb, in == &milter_tables, class, text, r);
	act(m, r->action, r->text);
	return true;
}

bool checks_field(
    struct message *m, enum mime_class class, const struct header_row **row, str *text)
{
	struct check_result r = {0};

	if (!m->checking || m->status != CLEANUP_OK)
		return true;
	if (look(m, &tables, check_class_of(class), *text, &r)) {
		if (r.prepend)
			header_emit(m, r.text);
		if (r.replace) {
			*text = arena_str(&m->arena, r.text);
			*row = header_find(str_head(*text, header_name_length(*text)));
		}
	}
	check_result_free(&r);
	return !r.drop;
}

bool checks_milter_field(struct message *m, str *text)
{
	struct check_result r = {0};

	if (!m->checking || m->status != CLEANUP_OK)
		return true;
	look(m, &milter_tables, CHECK_HEADER, *text, &r);
	if (r.prepend)
		log_warn("the milter_header/body_checks prepend action is not implemented");
	if (r.replace)
		*text = arena_str(&m->arena, r.text);
	check_result_free(&r);
	return !r.drop;
}

void checks_body_line(struct message *m, str piece, unsigned which)
{
	uint64_t limit = (uint64_t)conf.body_checks_size_limit;
	struct check_result r = {0};

	if (m->checking && m->status == CLEANUP_OK && m->checked < limit) {
		m->checked += piece.n + 1;
		look(m, &tables, CHECK_BODY, piece, &r);
	}
	checks_put_piece(&m->out, &m->line_open, piece, which, &r);
	check_result_free(&r);
}
