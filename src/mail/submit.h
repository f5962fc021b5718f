/* authorized_submit_users: who may hand in mail with sendmail. */
#ifndef POSTERN_MAIL_SUBMIT_H
#define POSTERN_MAIL_SUBMIT_H

/* Ends the program (EX_NOPERM) when the real user may not submit mail. */
void submit_check_user(void);
/* Login name of the real user; "unknown" when the uid has none. Static storage. */
const char *submit_user(void);

#endif
