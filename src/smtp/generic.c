/* generic(5): addresses as the outside may see them. */
#include "smtp/smtp.h"

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

int generic_address(str address, struct buf *out, struct err *err)
{
	enum table_result t = TABLE_NONE;
	struct buf value = {0};

	if (!maps_empty(generic) && address.n > 0)
		t = addr_map(generic, address, ADDR_FIND_CANONICAL, propagate, &value, err);
	buf_str(out, t == TABLE_FOUND ? buf_view(&value) : address);
	buf_free(&value);
	return t == TABLE_ERROR ? -1 : 0;
}
