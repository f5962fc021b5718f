/* The attributes of a pipe service in master.cf. */
#ifndef POSTERN_PIPE_OPTIONS_H
#define POSTERN_PIPE_OPTIONS_H

#include "pipe/argv.h"
#include "service/account.h"

struct options {
	const char *user;	 /* user= */
	unsigned copy_flags;	 /* COPY_* */
	unsigned argv_flags;	 /* ARGV_* */
	const char *need_single; /* the first of flags D and O: they are for one recipient; or "" */
	bool final;		 /* flag X: the command is the final delivery */
	uint64_t size;		 /* size=; 0: none */
	struct buf eol;		 /* eol= */
	const char *null_sender; /* null_sender= */
	const char *dir, *root;	 /* directory=, chroot=, or NULL */
	const char *const *words; /* argv= */
};
/* Reads the words that follow the program in master.cf; they must outlive *o. -1 and err: what is
 * wrong with which. */
int options_parse(struct options *o, const char *const *words, struct err *err);
void options_free(struct options *o);

#endif
