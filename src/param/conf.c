#include "param/conf.h"
#include "base/hostaddr.h"
#include "base/mem.h"
#include "param/conffile.h"
#include "param/convert.h"
#include "param/param.h"
#include "param/table.h"
#include <errno.h>

struct conf conf;
struct maincf conf_main;

static const char *raw_value(void *ctx, str name)
{
	const struct maincf_entry *e = maincf_get(ctx, name);

	return e ? e->value : NULL;
}

struct param_scope conf_scope = {.raw = raw_value, .ctx = &conf_main};

static struct maincf overrides;
static void (*warner)(const char *text);

void conf_warn(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	if (!warner)
		return;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	warner(buf_text(&b));
	buf_free(&b);
}

int conf_override(const char *assignment, struct err *err)
{
	str name, value;

	if (conffile_assignment(str_of(assignment), &name, &value, err) != 0)
		return -1;
	maincf_set(&overrides, name, value, 0);
	return 0;
}

void conf_overrides(struct maincf *m)
{
	HTAB_FOREACH (e, &overrides.names) {
		const struct maincf_entry *o = e->value;

		maincf_set(m, str_mem(e->key, e->n), str_of(o->value), 0);
	}
}

static bool is_ours(const struct param_row *row)
{
	str rest = str_of(row->programs), word, me = str_of(program_invocation_short_name);

	while (str_word(&rest, ",", &word))
		if (str_eq(word, me) || str_eq(word, STR("*")))
			return true;
	return false;
}

static void load_default(const struct param_row *row, void *to)
{
	struct buf b = {0};

	if (param_expand(&conf_scope, &b, str_of(row->def ? row->def : ""), NULL) == 0)
		param_convert(row, arena_cstr(&conf_scope.mem, buf_view(&b)), to, NULL);
	buf_free(&b);
}

static int load_row(const struct param_row *row, struct err *err)
{
	void *to = (char *)&conf + row->offset;
	const char *value = NULL;
	struct err why = {0};
	int r = param_value(&conf_scope, str_of(row->name), &value, &why);

	if (r != 0)
		err_prefix(&why, "parameter %s", row->name);
	else
		r = param_convert(row, value, to, &why);
	if (r == 0)
		return 0;
	if (!is_ours(row)) {
		/* The default may refer to the very value that is bad: then the member stays 0 or
		 * "". */
		load_default(row, to);
		conf_warn("%s/main.cf: %s", conf_dir(), why.text);
		return 0;
	}
	return err_set(err, "%s/main.cf: %.300s", conf_dir(), why.text);
}

static int load_all(struct err *err)
{
	struct buf path = {0};

	if (conf_check_dir(err) != 0)
		return -1;
	buf_printf(&path, "%s/main.cf", conf_dir());
	int r = maincf_read(&conf_main, buf_text(&path), warner, err);
	buf_free(&path);
	if (r != 0)
		return -1;
	conf_overrides(&conf_main);
	for (size_t i = 0; i < param_count; i++)
		if (load_row(&param_rows[i], err) != 0)
			return -1;
	return 0;
}

/* Until the first conf_load succeeds, texts of conf are "", not NULL. */
static void clear_conf(void)
{
	memset(&conf, 0, sizeof(conf));
	for (size_t i = 0; i < param_count; i++) {
		enum param_type t = param_rows[i].type;

		if (t == PARAM_TYPE_STR || t == PARAM_TYPE_RAW || t == PARAM_TYPE_ENUM ||
		    t == PARAM_TYPE_COMPUTED)
			*(const char **)((char *)&conf + param_rows[i].offset) = "";
	}
}

int conf_load(void (*warn)(const char *), struct err *err)
{
	warner = warn;
	endpoint_set_known_ports("");
	param_scope_free(&conf_scope);
	maincf_free(&conf_main);
	conf_scope = (struct param_scope){.raw = raw_value, .ctx = &conf_main};
	conf_scope.dir = arena_cstr(&conf_scope.mem, str_of(conf_dir()));
	clear_conf();
	if (load_all(err) < 0)
		return -1;
	endpoint_set_known_ports(conf.known_tcp_ports);
	return 0;
}

bool conf_is_set(const char *name)
{
	return maincf_get(&conf_main, str_of(name)) != NULL;
}

bool conf_get(const char *name, struct buf *out)
{
	const char *value = NULL;

	if (param_value(&conf_scope, str_of(name), &value, NULL) != 0 || !value)
		return false;
	buf_cstr(out, value);
	return true;
}

/* A second scope over the same settings, in which one parameter has another value. */
struct other_value {
	const char *name, *value;
};

static const char *other_raw(void *ctx, str name)
{
	const struct other_value *o = ctx;

	return str_eq(name, str_of(o->name)) ? o->value : raw_value(&conf_main, name);
}

bool conf_get_with(const char *name, const char *other, const char *other_value, struct buf *out)
{
	struct other_value o = {other, other_value};
	struct param_scope scope = {.raw = other_raw, .ctx = &o, .dir = conf_dir()};
	const char *value = NULL;
	bool found = param_value(&scope, str_of(name), &value, NULL) == 0 && value;

	if (found)
		buf_cstr(out, value);
	param_scope_free(&scope);
	return found;
}

static size_t member_size(enum param_type t)
{
	switch (t) {
	case PARAM_TYPE_BOOL:
		return sizeof(bool);
	case PARAM_TYPE_INT:
	case PARAM_TYPE_TIME:
		return sizeof(int);
	case PARAM_TYPE_SIZE:
		return sizeof(int64_t);
	default:
		return sizeof(const char *);
	}
}

void conf_use_lmtp(void)
{
	struct buf name = {0};

	for (size_t i = 0; i < param_count; i++) {
		const struct param_row *lmtp = &param_rows[i], *smtp;

		if (!str_starts(str_of(lmtp->name), STR("lmtp_")))
			continue;
		buf_clear(&name);
		buf_printf(&name, "smtp_%s", lmtp->name + 5);
		smtp = param_find(buf_view(&name));
		if (smtp && member_size(smtp->type) == member_size(lmtp->type))
			memcpy((char *)&conf + smtp->offset, (char *)&conf + lmtp->offset,
			    member_size(lmtp->type));
	}
	buf_free(&name);
}
