/* canonical(5): sender_ and recipient_canonical_maps, then canonical_maps, by their classes. */
#ifndef POSTERN_CLEANUP_CANONICAL_H
#define POSTERN_CLEANUP_CANONICAL_H

#include "base/names.h"
#include "cleanup/address.h"

void canonical_setup(void);
/* -1: a table failed; the message is failed. May wait. */
int canonical_map(struct message *m, enum address_class class, struct buf *address);

/* Words of the *_classes parameters. */
extern const struct name_row address_classes[];
/* Whether propagate_unmatched_extensions has the word ("canonical", "virtual", ...). */
bool extension_propagates(const char *use);

#endif
