#include "table/table.h"
#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CHECK_EVERY_US 1000000
#define BUSY_US	       (10 * 1000000)

static const struct table_type *const types[] = {
#define TYPE(name, symbol) &table_type_##symbol,
#include "table/types.tbl"
#undef TYPE
};
static const char *const type_names[] = {
#define TYPE(name, symbol) name,
#include "table/types.tbl"
#undef TYPE
    NULL};

static struct htab opened; /* spec and flags -> struct table, for the life of the process */

const char *const *table_type_names(void)
{
	return type_names;
}

const struct table_type *table_type_find(str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(name, str_of(types[i]->name)))
			return types[i];
	return NULL;
}

int table_spec_split(str spec, str *type, str *name, struct err *err)
{
	ptrdiff_t colon = str_chr(spec, ':');

	if (colon <= 0 || (size_t)colon + 1 == spec.n || memchr(spec.p, '\0', spec.n))
		return err_set(err,
		    "open dictionary: expecting \"type:name\" form instead of \"%.*s\"",
		    STR_FMT(spec));
	*type = str_head(spec, (size_t)colon);
	*name = str_from(spec, (size_t)colon + 1);
	return 0;
}

bool table_stamp_get(const char *path, struct table_stamp *st)
{
	struct stat sb;

	if (stat(path, &sb) != 0)
		return false;
	*st = (struct table_stamp){sb.st_dev, sb.st_ino, sb.st_size, sb.st_mtim};
	return true;
}

static bool stamp_same(const struct table_stamp *a, const struct table_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

void table_watch(struct table *t, const char *path)
{
	if (!t->path)
		t->path = mem_strdup(path);
}

/* The stamp is taken before the load: a change while it loads is seen at the next check. */
static int load(struct table *t, struct err *err)
{
	struct err e = {0};
	void *impl;

	if (t->path && !table_stamp_get(t->path, &t->stamp))
		memset(&t->stamp, 0, sizeof(t->stamp));
	impl = t->type->load(t, &e);
	if (!impl) {
		if (err)
			*err = e;
		return -1;
	}
	if (t->impl)
		t->type->unload(t->impl);
	t->impl = impl;
	free(t->why);
	t->why = NULL;
	return 0;
}

static struct table *open_new(str spec, unsigned flags, struct err *err)
{
	const struct table_type *type;
	struct err e = {0};
	str type_name, name;
	struct table *t;

	if (table_spec_split(spec, &type_name, &name, err) != 0)
		return NULL;
	type = table_type_find(type_name);
	t = mem_zero(sizeof(*t));
	t->type = type;
	t->traits = type ? type->traits : 0;
	t->flags = flags;
	t->spec = str_dup(spec);
	t->name = t->spec + (name.p - spec.p);
	if (!type) {
		err_set(&e, "unsupported dictionary type: %.*s", STR_FMT(type_name));
	} else if (load(t, &e) == 0) {
		if (t->path && !table_stamp_get(t->path, &t->stamp))
			memset(&t->stamp, 0, sizeof(t->stamp));
		return t;
	}
	t->why = mem_strdup(e.text);
	if (!(flags & TABLE_QUIET))
		log_error("%s", t->why);
	return t;
}

struct table *table_open(str spec, unsigned flags, struct err *err)
{
	struct buf key = {0};
	struct table *t;

	if ((flags & TABLE_NO_PROXY) && str_starts(spec, STR("proxy:")))
		spec = str_from(spec, 6);
	buf_printf(&key, "%x:%.*s", flags & ~(unsigned)TABLE_QUIET, STR_FMT(spec));
	t = htab_get(&opened, buf_view(&key));
	if (!t) {
		t = open_new(spec, flags, err);
		if (t)
			htab_set(&opened, buf_view(&key), t);
	}
	buf_free(&key);
	return t;
}

const char *table_unavailable(const struct table *t)
{
	return t->impl ? NULL : t->why;
}

bool table_partial_keys(const struct table *t)
{
	return t->traits & TRAIT_PARTIAL;
}

bool table_is_address(const struct table *t)
{
	return t->traits & TRAIT_ADDRESS;
}

const char *table_spec(const struct table *t)
{
	return t->spec;
}

/* Has the file changed? At most once a second. A file that cannot be seen (removed, or outside of
 * the chroot) keeps what was read from it; so does one that cannot be loaded. */
static void check_file(struct table *t)
{
	int64_t now = clock_mono_us();
	struct table_stamp st;
	struct err err = {0};

	if (now < t->check_at)
		return;
	t->check_at = now + CHECK_EVERY_US;
	if (!t->path || !table_stamp_get(t->path, &st) || (t->impl && stamp_same(&st, &t->stamp)))
		return;
	t->busy_until = now + BUSY_US;
	if (load(t, &err) != 0) {
		if (t->impl) {
			log_warn("%s: keeping the old content: %s", t->spec, err.text);
		} else if (!t->why || strcmp(t->why, err.text) != 0) {
			free(t->why);
			t->why = mem_strdup(err.text);
			log_error("%s", t->why);
		}
	}
	t->stamp = st;
}

static int ready(struct table *t, struct err *err)
{
	check_file(t);
	if (t->impl)
		return 0;
	return err_set(err, "%s is unavailable. %s", t->spec, t->why);
}

/* A key that stands in for the caller's: folded, and known to be UTF-8. */
struct ready_key {
	str key;
	struct buf folded;
};

/* 0, or TABLE_NONE for a key that cannot be in any table. */
static enum table_result prepare_key(struct table *t, str key, struct ready_key *k)
{
	bool utf8 = t->flags & TABLE_UTF8, plain = str_is_ascii(key);

	*k = (struct ready_key){.key = key};
	if (utf8 && !plain && !table_utf8_valid(key)) {
		struct buf text = {0};

		table_show_bytes(&text, key);
		log_warn("%s: non-UTF-8 key \"%s\": malformed UTF-8 or invalid codepoint", t->spec,
		    buf_text(&text));
		buf_free(&text);
		return TABLE_NONE;
	}
	if ((t->flags & TABLE_FOLD) && (t->traits & TRAIT_FOLD)) {
		bool upper = !plain;

		for (size_t i = 0; i < key.n && !upper; i++)
			upper = key.p[i] >= 'A' && key.p[i] <= 'Z';
		if (upper) {
			table_fold(&k->folded, key, utf8);
			k->key = buf_view(&k->folded);
		}
	}
	return TABLE_FOUND;
}

enum table_result table_get(struct table *t, str key, struct buf *value, struct err *err)
{
	enum table_result r;
	struct ready_key k;

	buf_clear(value);
	if (ready(t, err) != 0)
		return TABLE_ERROR;
	r = prepare_key(t, key, &k);
	if (r == TABLE_FOUND)
		r = t->type->get(t, k.key, value, err);
	buf_free(&k.folded);
	if (r == TABLE_FOUND && (t->flags & TABLE_UTF8) && !str_is_ascii(buf_view(value)) &&
	    !table_utf8_valid(buf_view(value))) {
		err_set(err, "key \"%.*s\": non-UTF-8 value", STR_FMT(str_head(key, 200)));
		r = TABLE_ERROR;
	}
	if (r == TABLE_ERROR) {
		buf_clear(value);
		err_prefix(err, "table %s: query error", t->spec);
	}
	return r;
}

int table_put(struct table *t, str key, str value, struct err *err)
{
	struct ready_key k;
	int r;

	if (!t->type->put || !(t->flags & TABLE_WRITE))
		return err_set(err, "table %s: update operation is not supported", t->spec);
	if (ready(t, err) != 0)
		return -1;
	if (prepare_key(t, key, &k) != TABLE_FOUND ||
	    ((t->flags & TABLE_UTF8) && !table_utf8_valid(value)))
		return err_set(err, "%s: key or value is not UTF-8", t->spec);
	r = t->type->put(t, k.key, value, err);
	buf_free(&k.folded);
	return r;
}

int table_delete(struct table *t, str key, struct err *err)
{
	struct ready_key k;
	int r;

	if (!t->type->del || !(t->flags & TABLE_WRITE))
		return err_set(err, "table %s: delete operation is not supported", t->spec);
	if (ready(t, err) != 0)
		return -1;
	if (prepare_key(t, key, &k) != TABLE_FOUND)
		return 1;
	r = t->type->del(t, k.key, err);
	buf_free(&k.folded);
	return r;
}

enum table_result table_next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	buf_clear(key);
	buf_clear(value);
	if (!t->type->next) {
		err_set(err, "table %s: sequence operation is not supported", t->spec);
		return TABLE_ERROR;
	}
	if (ready(t, err) != 0)
		return TABLE_ERROR;
	return t->type->next(t, first, key, value, err);
}
