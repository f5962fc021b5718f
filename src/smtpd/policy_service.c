/* Policy servers of main.cf and their settings, each with its parameter smtpd_policy_service_* as
 * the default. */
#include "smtpd/policy.h"

#include "base/arena.h"
#include "base/htab.h"
#include "base/mem.h"
#include "param/conffile.h"
#include "param/mastercf.h"
#include "param/param.h"
#include "service/service.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#define SEPARATORS ", \t\r\n"

static struct htab services;
static struct arena forever;

/* A service while its text is read. */
struct draft {
	struct policy_settings set;
	const char *default_action, *context;
};

enum kind { TEXT, TIME, COUNT };
static const struct setting {
	const char *name;
	enum kind kind;
	size_t at;
	int least; /* number, or length of a text */
} settings[] = {
    {"timeout", TIME, offsetof(struct draft, set.timeout), 1},
    {"max_idle", TIME, offsetof(struct draft, set.max_idle), 1},
    {"max_ttl", TIME, offsetof(struct draft, set.max_ttl), 1},
    {"retry_delay", TIME, offsetof(struct draft, set.retry_delay), 1},
    {"request_limit", COUNT, offsetof(struct draft, set.request_limit), 0},
    {"try_limit", COUNT, offsetof(struct draft, set.try_limit), 1},
    {"default_action", TEXT, offsetof(struct draft, default_action), 1},
    {"policy_context", TEXT, offsetof(struct draft, context), 0},
};

static int set_number(int *at, const struct setting *row, str value, struct err *err)
{
	uint64_t n;

	if (row->kind == TIME) {
		if (time_parse(value, 's', at, err) < 0)
			return err_prefix(err, "%s", row->name);
	} else if (!str_to_u64(value, &n) || n > INT_MAX) {
		return err_set(
		    err, "%s: bad number: \"%.*s\"", row->name, STR_FMT(str_head(value, 100)));
	} else {
		*at = (int)n;
	}
	if (*at < row->least)
		return err_set(err, "%s: %d is less than %d", row->name, *at, row->least);
	return 0;
}

static int set_value(struct draft *d, str name, str value, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *row = &settings[i];
		void *at = (char *)d + row->at;

		if (!str_eq(name, str_of(row->name)))
			continue;
		if (row->kind != TEXT)
			return set_number(at, row, value, err);
		if (value.n < (size_t)row->least)
			return err_set(err, "%s: no value", row->name);
		*(const char **)at = arena_cstr(&forever, value);
		return 0;
	}
	return err_set(err, "unknown setting: \"%.*s\"", STR_FMT(str_head(name, 100)));
}

/* name=value, or {name = value} */
static int take_setting(struct draft *d, str word, struct err *err)
{
	str name, value;

	if (word.p[0] == '{' && conffile_braces(word, &word, err) < 0)
		return -1;
	if (conffile_assignment(word, &name, &value, err) < 0)
		return -1;
	return set_value(d, name, value, err);
}

/* How many processes Postfix would have for this service, each with a connection to a server:
 * policy servers are made for that many. 0: no limit. */
static long postfix_processes(void)
{
	long n = conf.default_process_limit;
	const struct mastercf_service *row;
	struct mastercf file;

	if (mastercf_load(&file, NULL) < 0)
		return n;
	row = mastercf_find(&file, service_name(), service_type());
	if (row && row->maxproc >= 0)
		n = row->maxproc;
	mastercf_free(&file);
	return n;
}

/* Each worker may have that many: how many workers there are depends on the load. */
static long connections(void)
{
	long n = postfix_processes();

	return n > 0 && n < service_limit() ? n : service_limit();
}

static int parse(struct draft *d, str text, str *endpoint, struct err *err)
{
	str word;

	*d = (struct draft){.set = {.timeout = conf.smtpd_policy_service_timeout,
				.max_idle = conf.smtpd_policy_service_max_idle,
				.max_ttl = conf.smtpd_policy_service_max_ttl,
				.request_limit = conf.smtpd_policy_service_request_limit,
				.try_limit = conf.smtpd_policy_service_try_limit,
				.retry_delay = conf.smtpd_policy_service_retry_delay,
				.connections = connections()},
	    .default_action = conf.smtpd_policy_service_default_action,
	    .context = conf.smtpd_policy_service_policy_context};
	if (text.n == 0 || text.p[0] != '{') {
		*endpoint = text;
		return 0;
	}
	if (conffile_braces(text, &text, err) < 0)
		return -1;
	if (!str_word_braced(&text, SEPARATORS, endpoint))
		return err_set(err, "no server in the group");
	while (str_word_braced(&text, SEPARATORS, &word))
		if (take_setting(d, word, err) < 0)
			return -1;
	return 0;
}

const struct policy_service *policy_service_get(str text, struct err *err)
{
	struct policy_service *v = htab_get(&services, text);
	struct draft d;
	str endpoint;

	if (v)
		return v;
	if (parse(&d, text, &endpoint, err) < 0)
		return NULL;
	v = mem_zero(sizeof *v);
	v->server = policy_server_new(endpoint, &d.set, err);
	if (!v->server) {
		free(v);
		return NULL;
	}
	v->name = arena_cstr(&forever, text);
	v->default_action = d.default_action;
	v->context = d.context;
	htab_set(&services, text, v);
	return v;
}
