/* Which mailbox a recipient has, and whose it is. */
#ifndef POSTERN_VIRTUAL_LOOKUP_H
#define POSTERN_VIRTUAL_LOOKUP_H

#include "base/arena.h"
#include "table/table.h"
#include <sys/types.h>

struct box {
	str path;     /* below virtual_mailbox_base, without leading or final slashes */
	bool maildir; /* the table's result ended in a slash */
	uid_t uid;
	gid_t gid;
};

void lookup_setup(void);
/* TABLE_NONE: no such recipient; TABLE_ERROR (a warning was logged): the configuration is wrong, or
 * a table is not available. Slices live in the arena. May wait. */
enum table_result lookup_box(str address, struct box *box, struct arena *a);

#endif
