/* The parsers of tables that people write: the first byte chooses the type, then comes a line with
 * the key, the rest is the file. */
#include "table/textfile.h"
#include "table/type.h"
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct table_type *const types[] = {
    &table_type_texthash, &table_type_cidr, &table_type_regexp, &table_type_pcre};

static void try(const struct table_type *type, const char *path, str key)
{
	struct table t = {
	    .type = type, .spec = (char *)path, .name = path, .flags = TABLE_FOLD | TABLE_UTF8};
	struct buf k = {0}, v = {0};
	struct err err = {0};

	t.impl = type->load(&t, &err);
	if (t.impl) {
		if (key.n)
			type->get(&t, key, &v, &err);
		for (bool first = true;
		     type->next && type->next(&t, first, &k, &v, &err) == TABLE_FOUND;
		     first = false)
			buf_clear(&v);
		type->unload(t.impl);
	}
	buf_free(&k);
	buf_free(&v);
	buf_free(&t.seq);
	free(t.path);
}

static void try_specs(str text)
{
	struct table t = {.type = &table_type_inline, .flags = TABLE_FOLD};
	struct err err = {0};
	struct buf lines = {0};

	t.spec = str_dup(text);
	t.name = t.spec;
	t.impl = table_type_inline.load(&t, &err);
	if (t.impl)
		table_type_inline.unload(t.impl);
	textfile_inline(text, &lines, "cidr", &err);
	buf_free(&lines);
	free(t.spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[40];
	str all = str_mem(data, size), key;
	unsigned which;

	if (fd < 0) {
		fd = memfd_create("table", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (size < 2 || size > 65536)
		return 0;
	which = (unsigned char)data[0] % 5;
	all = str_from(all, 1);
	if (which == 4) {
		try_specs(all);
		return 0;
	}
	if (!str_split(&all, '\n', &key))
		return 0;
	if (ftruncate(fd, 0) != 0 || pwrite(fd, all.p, all.n, 0) != (ssize_t)all.n)
		abort();
	try(types[which], path, key);
	return 0;
}
