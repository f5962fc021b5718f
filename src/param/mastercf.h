/* master.cf: services and their columns. */
#ifndef POSTERN_PARAM_MASTERCF_H
#define POSTERN_PARAM_MASTERCF_H

#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

enum service_type { SERVICE_INET, SERVICE_UNIX, SERVICE_FIFO, SERVICE_PASS, SERVICE_DGRAM };

struct mastercf_service {
	char *name; /* "smtp", "127.0.0.1:2525", "cleanup" */
	enum service_type type;
	bool is_private, unpriv, chroot;
	int wakeup;	     /* seconds, 0: never */
	bool wakeup_if_used; /* "?" */
	int maxproc;	     /* -1 for "-": $default_process_limit; 0: no limit */
	char *command;	     /* program name */
	char **args; /* words behind it, {...} groups already opened; "-o" "name=value" stay two
			words */
	size_t nargs;
	int line;      /* where the entry begins */
	bool repeated; /* an earlier entry of the same name gave way to it */
};
struct mastercf {
	struct mastercf_service *v;
	size_t n;
};
extern const char *const service_type_names[]; /* by enum service_type */
/* The number of a type's name; -1 for an unknown one. */
int service_type_of(const char *name);

/* Reads conf_dir()/master.cf. -1 and err (with the line number) for bad syntax. Of several entries
 * with the same name and type, only the last counts. */
int mastercf_load(struct mastercf *m, struct err *err);
int mastercf_parse(struct mastercf *m, const char *path, str text, struct err *err);
void mastercf_free(struct mastercf *m);
const struct mastercf_service *mastercf_find(
    const struct mastercf *m, const char *name, enum service_type type);

#endif
