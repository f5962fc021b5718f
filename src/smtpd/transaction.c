/* The mail transaction's memory. */
#include "smtpd/content.h"
#include "smtpd/session.h"

void transaction_reset(struct session *s)
{
	struct arena arena = s->tx.arena;

	if (s->content)
		content_abort(s);
	if (s->tx.open)
		arena_free(&arena);
	else
		arena_reset(&arena);
	memset(&s->tx, 0, sizeof(s->tx));
	s->tx.arena = arena;
	s->bdat = BDAT_NONE;
}
