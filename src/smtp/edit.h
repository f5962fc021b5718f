/* Changes to the copy of the content that is sent: smtp_generic_maps in headers,
 * smtp_header_checks, smtp_mime_header_checks, smtp_nested_header_checks, smtp_body_checks. The
 * queue file stays as it is. */
#ifndef POSTERN_SMTP_EDIT_H
#define POSTERN_SMTP_EDIT_H

#include "ipc/deliver.h"
#include "mail/mime.h"

void edit_setup(void);
bool edit_wanted(void);
struct edit;
struct edit *edit_new(struct delivery *d, const struct mime_limits *limits);
/* Wire form in, appended to out as wire form. May wait (tables). */
void edit_feed(struct edit *e, str wire, struct buf *out);
void edit_end(struct edit *e, struct buf *out);
/* A look-up failed: what is fed from then on is not what was wanted. */
bool edit_failed(const struct edit *e);
void edit_free(struct edit *e);

#endif
