/* Lists of milters as main.cf has them:
 *     inet:host:port unix:path { inet:host:port, connect_timeout=10s, { default_action = accept } }
 */
#include "milter/milter_int.h"

#include "base/mem.h"
#include "base/names.h"
#include "log/log.h"
#include "param/param.h"
#include "table/type.h"

#include <stdlib.h>

#define SEPS ", \t\r\n"

static const struct name_row actions[] = {
    {"tempfail", DEFAULT_TEMPFAIL},
    {"accept", DEFAULT_ACCEPT},
    {"reject", DEFAULT_REJECT},
    {"quarantine", DEFAULT_QUARANTINE},
    {"shutdown", DEFAULT_SHUTDOWN},
    {NULL, 0},
};

static int set_time(int *ms, str value, struct err *err)
{
	int seconds;

	if (time_parse(value, 's', &seconds, err) < 0)
		return -1;
	if (seconds < 1)
		return err_set(err, "a time limit must be at least one second");
	*ms = seconds > INT32_MAX / 1000 ? INT32_MAX : seconds * 1000;
	return 0;
}

/* An unknown one does no harm as long as the milter is well. */
static int set_action(struct milter_conf *c, str value)
{
	c->action = (enum milter_default)names_value(actions, value, DEFAULT_UNKNOWN);
	if (c->action == DEFAULT_UNKNOWN)
		log_warn("milter %s: unknown default_action \"%.*s\"", c->name ? c->name : "",
		    STR_FMT(value));
	return 0;
}

/* "6", or "6, no_header_reply". */
static int set_protocol(struct milter_conf *c, str value, struct err *err)
{
	uint64_t version;
	str word;

	c->version = 0;
	c->no_header_reply = false;
	while (str_word(&value, SEPS, &word)) {
		if (str_eq_nocase(word, STR("no_header_reply"))) {
			c->no_header_reply = true;
		} else if (!c->version && str_to_u64(word, &version) &&
			   milter_steps_offered((uint32_t)version) && version <= 6) {
			c->version = (uint32_t)version;
		} else {
			return err_set(
			    err, "unknown protocol version or extension \"%.*s\"", STR_FMT(word));
		}
	}
	return c->version ? 0 : err_set(err, "no protocol version");
}

/* Names of the lists of macros, and what they are when a milter has none of its own. */
static const char *macro_setting(enum milter_stage stage, const char **list)
{
	switch (stage) {
	case STAGE_CONNECT:
		return *list = conf.milter_connect_macros, "connect_macros";
	case STAGE_HELO:
		return *list = conf.milter_helo_macros, "helo_macros";
	case STAGE_MAIL:
		return *list = conf.milter_mail_macros, "mail_macros";
	case STAGE_RCPT:
		return *list = conf.milter_rcpt_macros, "rcpt_macros";
	case STAGE_DATA:
		return *list = conf.milter_data_macros, "data_macros";
	case STAGE_EOM:
		return *list = conf.milter_end_of_data_macros, "end_of_data_macros";
	case STAGE_EOH:
		return *list = conf.milter_end_of_header_macros, "end_of_header_macros";
	default:
		return *list = conf.milter_unknown_command_macros, "unknown_command_macros";
	}
}

static int set_macros(struct milter_conf *c, str name, str value, struct err *err)
{
	const char *list;

	for (int i = 0; i < MACRO_STAGES; i++)
		if (str_eq_nocase(name, str_of(macro_setting((enum milter_stage)i, &list)))) {
			free(c->macros[i]);
			c->macros[i] = str_dup(value);
			return 0;
		}
	return err_set(err, "unknown name");
}

static int set(struct milter_conf *c, str name, str value, struct err *err)
{
	if (str_eq_nocase(name, STR("connect_timeout")))
		return set_time(&c->connect_ms, value, err);
	if (str_eq_nocase(name, STR("command_timeout")))
		return set_time(&c->command_ms, value, err);
	if (str_eq_nocase(name, STR("content_timeout")))
		return set_time(&c->content_ms, value, err);
	if (str_eq_nocase(name, STR("default_action")))
		return set_action(c, value);
	if (str_eq_nocase(name, STR("protocol")))
		return set_protocol(c, value, err);
	return set_macros(c, name, value, err);
}

static int set_defaults(struct milter_conf *c, struct err *err)
{
	const char *list;

	c->connect_ms = (int)deadline_min(conf.milter_connect_timeout, INT32_MAX / 1000) * 1000;
	c->command_ms = (int)deadline_min(conf.milter_command_timeout, INT32_MAX / 1000) * 1000;
	c->content_ms = (int)deadline_min(conf.milter_content_timeout, INT32_MAX / 1000) * 1000;
	for (int i = 0; i < MACRO_STAGES; i++) {
		macro_setting((enum milter_stage)i, &list);
		c->macros[i] = mem_strdup(list);
	}
	set_action(c, str_of(conf.milter_default_action));
	if (set_protocol(c, str_of(conf.milter_protocol), err) < 0)
		return err_prefix(err, "milter_protocol");
	return 0;
}

static int set_endpoint(struct milter_conf *c, str text, struct err *err)
{
	struct endpoint e;
	str local = STR("local:");

	c->name = str_dup(text);
	if (str_starts(text, local)) {
		c->path = str_dup(str_from(text, local.n));
		return c->path[0] ? 0 : err_set(err, "no path in \"%.*s\"", STR_FMT(text));
	}
	if (!str_starts(text, STR("inet:")) && !str_starts(text, STR("unix:")))
		return err_set(err, "\"%.*s\" begins with neither inet: nor unix:", STR_FMT(text));
	if (endpoint_parse(&e, text, err) < 0)
		return -1;
	if (e.is_unix) {
		c->path = str_dup(e.path);
		return 0;
	}
	if (e.host.n == 0)
		return err_set(err, "no host in \"%.*s\"", STR_FMT(text));
	c->host = str_dup(e.host);
	c->port = endpoint_port(e.port, err);
	return c->port < 0 ? -1 : 0;
}

/* "name=value" or "{ name = value }". */
static int parse_setting(struct milter_conf *c, str word, struct err *err)
{
	str pair = word, name, value;
	ptrdiff_t eq;

	if (word.p[0] == '{' && table_braces(word, &pair, err) < 0)
		return -1;
	eq = str_chr(pair, '=');
	if (eq < 0)
		return err_set(err, "no \"name=value\" in \"%.*s\"", STR_FMT(word));
	name = str_trim(str_head(pair, (size_t)eq));
	value = str_trim(str_from(pair, (size_t)eq + 1));
	if (set(c, name, value, err) < 0)
		return err_prefix(err, "\"%.*s\"", STR_FMT(pair));
	return 0;
}

static int parse_entry(struct milter_conf *c, str entry, struct err *err)
{
	str inner, word;

	if (set_defaults(c, err) < 0)
		return -1;
	if (entry.p[0] != '{')
		return set_endpoint(c, entry, err);
	if (table_braces(entry, &inner, err) < 0)
		return -1;
	if (!str_word_braced(&inner, SEPS, &word))
		return err_set(err, "no milter in \"%.*s\"", STR_FMT(entry));
	if (set_endpoint(c, word, err) < 0)
		return -1;
	while (str_word_braced(&inner, SEPS, &word))
		if (parse_setting(c, word, err) < 0)
			return -1;
	return 0;
}

/* The entry is there, but cannot be used. */
static void break_entry(struct milter_conf *c, const char *param, str entry, const struct err *err)
{
	log_warn("%s: %s", param, err->text);
	if (!c->name)
		c->name = str_dup(entry);
	c->broken = mem_strdup(err->text);
	c->action = DEFAULT_UNKNOWN;
}

struct milters *milters_parse(const char *param, const char *list)
{
	struct milters *m = mem_zero(sizeof(*m));
	str rest = str_of(list), entry;
	struct err err;

	while (str_word_braced(&rest, SEPS, &entry)) {
		if (m->n == STREAM_FDS_MAX) { /* they must fit into one hand-over */
			log_warn("%s: more than %d milters", param, STREAM_FDS_MAX);
			break;
		}
		m->v = mem_realloc(m->v, (m->n + 1) * sizeof(*m->v));
		memset(&m->v[m->n], 0, sizeof(*m->v));
		if (parse_entry(&m->v[m->n], entry, &err) < 0)
			break_entry(&m->v[m->n], param, entry, &err);
		m->n++;
	}
	return m;
}

bool milters_empty(const struct milters *m)
{
	return !m || m->n == 0;
}

void milters_free(struct milters *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].name);
		free(m->v[i].broken);
		free(m->v[i].path);
		free(m->v[i].host);
		for (int s = 0; s < MACRO_STAGES; s++)
			free(m->v[i].macros[s]);
	}
	free(m->v);
	free(m);
}
