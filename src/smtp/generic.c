/* generic(5): addresses as the outside may see them. */
#include "smtp/smtp.h"

#include "ipc/rewrite.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "param/param.h"
#include "table/table.h"

static struct maps *generic;
static bool propagate;

void generic_setup(void)
{
	str rest = str_of(conf.propagate_unmatched_extensions), word;

	generic = maps_open("smtp_generic_maps", conf.smtp_generic_maps, TABLE_FOLD | TABLE_UTF8);
	while (str_word(&rest, ", \t\r\n", &word))
		propagate |= str_eq_nocase(word, STR("generic"));
}

bool generic_wanted(void)
{
	return !maps_empty(generic);
}

/* What a table gives is completed like any address. */
static int complete(struct buf *value, struct err *err)
{
	struct arena a = {0};
	str out;
	int status = 0;

	if (addr_is_complete(buf_view(value)))
		return 0;
	status = rewrite_address(
	    STR("local"), buf_view(value), &a, &out, deadline_in(conf.ipc_timeout * 1000L), err);
	if (status == 0) {
		buf_clear(value);
		buf_str(value, out);
	}
	arena_free(&a);
	return status;
}

int generic_address(str address, struct buf *out, struct err *err)
{
	enum table_result t = TABLE_NONE;
	struct buf value = {0};

	if (!maps_empty(generic) && address.n > 0)
		t = addr_map(generic, address, ADDR_FIND_CANONICAL, propagate, &value, NULL, err);
	if (t == TABLE_FOUND && complete(&value, err) < 0)
		t = TABLE_ERROR;
	buf_str(out, t == TABLE_FOUND ? buf_view(&value) : address);
	buf_free(&value);
	return t == TABLE_ERROR ? -1 : 0;
}
