/* Address forms: what a user or program left out is filled in (trivial-rewrite(8), "standard
 * form"). */
#ifndef POSTERN_TRIVIAL_REWRITE_REWRITE_H
#define POSTERN_TRIVIAL_REWRITE_REWRITE_H

#include "base/buf.h"

/* Appends the standard form of an internal address. context "local" completes with myorigin and
 * mydomain, "remote" with remote_header_rewrite_domain (nothing when that is empty). */
void rewrite_form(str context, str address, struct buf *out);

/* One step of routing operators in a local part that has no domain: site!user (swap_bangpath) and
 * user%site (allow_percent_hack) become user@site. True and the new address when there was one. */
bool rewrite_operator(str local, struct buf *out);

#endif
