/* A command that gets something on its standard input and may print something: delivery to
 * commands.
 *
 * It sees the end of its input only when it has all of it, whatever becomes of us. Its input is a
 * pipe, as scripts expect, not a file (which takes disk space, and event loops of scripts refuse).
 * What a pipe has room for (64 KiB: most messages) is written in full before the command is
 * started. Of the rest the guard (loop/guard.h) has the writing end too; if we are killed, it kills
 * the command with the other members of its process group, and only then the pipe ends. */
#ifndef POSTERN_SERVICE_COMMAND_H
#define POSTERN_SERVICE_COMMAND_H

#include "base/buf.h"
#include "loop/proc.h"
#include "loop/stream.h"

#define COMMAND_OUTPUT 4096 /* bytes of output that are kept */

struct command {
	const char *const *argv;
	const char *const *env;
	const char *dir, *root; /* see struct proc_opts */
	bool set_ids;
	uid_t uid;
	gid_t gid;
	int64_t time_limit; /* ms */
	/* Writes the input, in a coroutine of its own. -1 and err: there is no more of it though
	 * there should be; the command is killed, lest it take what it has for the whole. What the
	 * writing of the stream says is no such failure: a command need not read its input. May
	 * wait. */
	int (*feed)(struct stream *to, void *arg, struct err *err);
	void *arg;
};
enum command_end {
	COMMAND_ENDED,
	COMMAND_NOT_STARTED, /* err says why */
	COMMAND_TIMEOUT,     /* it was killed, with its process group */
	COMMAND_NO_INPUT,    /* so it was because of its input, err */
	COMMAND_CANCELLED,   /* so it was because we were */
};
struct command_result {
	enum command_end end;
	int status;	   /* as of waitpid(2), when it ended */
	struct buf output; /* the beginning of what it wrote to stdout and stderr; free it */
	struct err err;
};
/* Runs it in a session of its own, until it ends or its time is over. It is over when the command
 * itself ends: children that it leaves behind are not waited for, and not killed. Much output is
 * read and dropped; in the end nobody reads it. May wait. */
void command_run(const struct command *c, struct command_result *r);

#endif
