/* Who may hand in mail with sendmail, and as whom. */
#ifndef POSTERN_MAIL_SUBMIT_H
#define POSTERN_MAIL_SUBMIT_H

#include "table/table.h"

/* authorized_submit_users: ends the program (EX_TEMPFAIL) when the real user may not submit mail.
 */
void submit_check_user(void);
/* Login name of the real user; "unknown" when the uid has none. Static storage. */
const char *submit_user(void);
/* local_login_sender_maps: whether the real user may use this envelope sender (internal form).
 * TABLE_ERROR and err when a table fails. */
enum table_result submit_sender_allowed(str sender, struct err *err);

#endif
