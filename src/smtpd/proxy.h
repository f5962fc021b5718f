/* The before-queue filter (smtpd_proxy_filter; SMTPD_PROXY_README), as its client: one connection
 * for one message. It is told who the client is (XFORWARD), gets MAIL and RCPT as the client sent
 * them, and its replies to them and to the content are the client's.
 *
 * Functions that speak with the filter return 0, or -1 when the answer is no: proxy_refusal() then
 * has what the client is told, which is the filter's own reply, or "451 ..." when the filter is in
 * trouble. Trouble is logged here. They may wait, smtpd_proxy_timeout for each step. */
#ifndef POSTERN_SMTPD_PROXY_H
#define POSTERN_SMTPD_PROXY_H

#include "smtpd/session.h"

struct proxy;

void proxy_setup(void);
/* Mail of this process goes through a filter. */
bool proxy_configured(void);
/* smtpd_proxy_options = speed_adjust: it is not spoken to before the whole message is here. */
bool proxy_late(void);
/* The filter as a transport and next hop for content_filter, "smtp:[127.0.0.1]:10025", in the
 * arena: with the address that its name has for this host, which the DNS need not know. May wait.
 */
str proxy_as_filter(struct arena *a);

/* Connects and goes as far as MAIL. Never NULL; ask proxy_failed(). May wait. */
struct proxy *proxy_open(struct session *s, str mail_args);
bool proxy_failed(const struct proxy *p);
int proxy_rcpt(struct proxy *p, str args);
int proxy_data(struct proxy *p);
/* Content in wire form; what goes wrong here is told by proxy_end(). May wait. */
void proxy_put(struct proxy *p, str wire);
/* The same of a file. May wait. */
void proxy_put_file(struct proxy *p, int file, uint64_t length);
/* The end of the content. 0: the filter took the message, and proxy_reply() is its reply. */
int proxy_end(struct proxy *p);
/* Lines separated by '\n', each with its code. */
str proxy_reply(const struct proxy *p);
str proxy_refusal(const struct proxy *p);
/* Says QUIT, unless the conversation is at a point where it cannot. Frees it; NULL is allowed. May
 * wait. */
void proxy_close(struct proxy *p);

#endif
