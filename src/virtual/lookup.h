/* Which mailbox a recipient has, and whose it is. */
#ifndef POSTERN_VIRTUAL_LOOKUP_H
#define POSTERN_VIRTUAL_LOOKUP_H

#include "table/table.h"
#include "virtual/box.h"

void lookup_setup(void);
/* TABLE_NONE: no such recipient; TABLE_ERROR (a warning was logged): the configuration is wrong, or
 * a table is not available. Slices live in the arena. May wait. */
enum table_result lookup_box(str address, struct box *box, struct arena *a);

#endif
