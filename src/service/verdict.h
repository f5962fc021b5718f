/* What the end of a command says of a delivery: its exit status, after sysexits.h, and what it
 * printed. */
#ifndef POSTERN_SERVICE_VERDICT_H
#define POSTERN_SERVICE_VERDICT_H

#include "base/arena.h"
#include "ipc/deliver.h"
#include "service/command.h"

/* Fills in kind, dsn, reason, diag_type and diag of *f; texts are the arena's. With success there
 * are no texts: the agent says what it did. command names the program in texts. A status code 4.X.X
 * or 5.X.X (RFC 3463) at the start of the output of a command that ended by itself, and not with 0,
 * counts more than its exit status. */
void verdict_make(
    struct fate *f, const struct command_result *r, const char *command, struct arena *a);

/* Output as records and reports show it: one line, white space at its end gone, what cannot be
 * printed as '_'. */
str verdict_text(str output, struct arena *a);

#endif
