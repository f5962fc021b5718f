/* postcat: what its files share. */
#ifndef POSTERN_CMD_POSTCAT_H
#define POSTERN_CMD_POSTCAT_H

#include "queue/queue.h"

struct options {
	bool body, envelope, header; /* parts to show */
	bool types, offsets;	     /* before each record */
	bool file_order;
	bool verbose;
	uint64_t skip; /* records before this offset are not shown */
};
/* A message to be shown. All offsets are in the file at fd. */
struct source {
	const char *name;
	int fd;
	uint64_t envelope_offset, envelope_length;
	uint64_t content_offset, content_length;
	struct envelope env; /* with statuses */
	struct arena arena;
};
/* Prints the message; -1 and err when the file ends too early. */
int show(const struct source *s, const struct options *o, struct err *err);

#endif
