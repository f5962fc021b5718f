/* Fields we make for messages that lack them. */
#ifndef POSTERN_MAIL_MSGID_H
#define POSTERN_MAIL_MSGID_H

#include "base/buf.h"
#include <time.h>

/* "<20261123012659.ABC123@host>": time of arrival (UTC) and queue ID. Appends. */
void msgid_put(struct buf *out, time_t when, str queue_id, str myhostname);
/* "From: Full Name <addr>" or, obsolete, "From: addr (Full Name)" by header_from_format; resent:
 * Resent-From. full_name may be "". address is internal. A name with non-ASCII bytes is encoded
 * (RFC 2047) as charset when that is not "". Appends a field's text. */
void from_put(struct buf *out, bool resent, str full_name, str address, bool obsolete, str charset);

#endif
