/* texthash: a text file, read into memory. Unlike Postfix's it is read again when it changed. */
#include "base/mem.h"
#include "log/log.h"
#include "table/textfile.h"
#include "table/type.h"

static void add_line(struct table *t, struct table_mem *m, const struct textfile *tf, str line)
{
	const char *what, *warn;
	struct buf folded = {0};
	str key, value;

	if ((t->flags & TABLE_UTF8) && !table_utf8_valid(line)) {
		struct buf shown = {0};

		table_show_bytes(&shown, line);
		log_warn("%s, line %d: non-UTF-8 input \"%s\" -- ignoring this line", tf->name,
		    tf->line, buf_text(&shown));
		buf_free(&shown);
		return;
	}
	if (textfile_pair(line, &key, &value, &what, &warn) != 0) {
		if (str_eq(str_of(what), STR("unbalanced")))
			log_warn("%s, line %d: unbalanced '\"' in '%.*s' -- ignoring this line",
			    tf->name, tf->line, STR_FMT(str_head(line, 200)));
		else
			log_warn("%s, line %d: %s -- ignoring this line", tf->name, tf->line, what);
		return;
	}
	if (warn)
		log_warn("%s, line %d: %s", tf->name, tf->line, warn);
	if (t->flags & TABLE_FOLD) {
		table_fold(&folded, key, t->flags & TABLE_UTF8);
		key = buf_view(&folded);
	}
	if (!table_mem_put(m, key, value, false))
		log_warn("%s, line %d: duplicate entry: \"%.*s\"", tf->name, tf->line,
		    STR_FMT(str_head(key, 200)));
	buf_free(&folded);
}

static void *load(struct table *t, struct err *err)
{
	struct table_mem *m;
	struct textfile tf;
	str line;
	int r;

	table_watch(t, t->name);
	if (textfile_open(&tf, t->name, "database ", err) != 0)
		return NULL;
	m = mem_zero(sizeof(*m));
	while ((r = textfile_next(&tf, &line, err)) == 1)
		add_line(t, m, &tf, line);
	textfile_close(&tf);
	if (r == 0)
		return m;
	table_mem_free(m);
	if (err && err->code == 0)
		err->code = 1; /* the file is wrong, not the spec */
	return NULL;
}

const struct table_type table_type_texthash = {
    .name = "texthash",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = table_mem_free,
    .get = table_mem_get,
    .next = table_mem_next,
};
