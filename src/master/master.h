/* master: opens the sockets of all services, starts their workers when there is something to do,
 * and looks after them. The only program that stays root. Everything is event code; nothing here
 * waits. */
#ifndef POSTERN_MASTER_MASTER_H
#define POSTERN_MASTER_MASTER_H

#include "base/buf.h"
#include "base/hostaddr.h"
#include "base/list.h"
#include "loop/loop.h"
#include "param/mastercf.h"

#include <sys/types.h>

#define SESSIONS_DEFAULT  10000	 /* of a service whose maxproc is "-" */
#define SESSIONS_NO_LIMIT 100000 /* maxproc 0 */
#define LOAD_BUSY	  70	 /* percent */
#define LOAD_BUSY_REPORTS 2	 /* so many busy seconds bring a companion */
#define QMGR_START_WAIT	  10000	 /* ms until "daemon started" is logged without qmgr */
#define STOP_GRACE	  2000	 /* ms for what is under way when the system stops */
#define STOP_KILL	  7000	 /* ms until SIGKILL */
#define STABLE_LIFE	  10000	 /* ms: a worker that lived so long had no start-up trouble */

struct master_socket {
	struct hostaddr addr; /* inet only; len 0 otherwise */
	int fd;
	struct watch *watch;
};
struct master_service {
	struct list node;
	char *name, *command, *path; /* path of the program */
	char *key;		     /* "name/type/n": tells services apart over reloads */
	char *socket_path;	     /* relative to the queue directory; NULL for inet */
	enum service_type type;
	bool is_private, unpriv, chroot;
	char **args;
	size_t nargs;
	int wakeup; /* seconds, 0: never */
	bool wakeup_if_used, used;
	long sessions_max;
	int workers_max;
	bool resident; /* started at once, not on demand */
	bool forks;    /* each session is a process of its own */
	bool throttled;
	bool waits;   /* for its predecessor, no longer than release */
	int failures; /* in a row */
	struct master_socket *socks;
	size_t nsocks;
	struct timer wake, throttle, release;
};
struct worker {
	struct list node;
	struct master_service *service; /* NULL once it belongs to an earlier configuration */
	char *key, *path;
	bool resident, is_inet, is_log;
	pid_t pid;
	int slot, control;
	struct watch *watch;
	struct buf in;
	bool ready, draining, signalled;
	bool closed;  /* draining, and it said that it accepts no more */
	bool overdue; /* took too long to drain: its successor waits no longer */
	unsigned sessions;
	long limit;
	int busy_reports;
	int64_t started;
};
struct master {
	struct list services, workers;
	bool stopping;
	bool announced; /* "daemon started" was logged */
	bool foreground;
	char *queue_dir, *config_dir;
	uid_t owner_uid; /* of mail_owner, when we are root */
	gid_t owner_gid;
};
extern struct master master;

/* main.c */
void master_announce(void); /* everything is up */
void master_ended(void);    /* the last worker has gone while stopping */

/* disable.c: whether master_service_disable names this service */
bool service_disabled(const struct mastercf_service *s);

/* config.c: services from master.cf */
int services_load(struct list *out, struct err *err); /* without sockets */
void services_free(struct list *services);	      /* closes what sockets they still have */
void service_free(struct master_service *s);
struct master_service *service_find(struct list *services, const char *key);
void services_start(void); /* residents, wake-up timers, watches */
int services_reload(struct err *err);

/* reload.c */
void reload_begin(void);    /* SIGHUP */
void reload_progress(void); /* a worker has closed its sockets, or ended */

/* socket.c */
/* Opens the sockets of a service; those of old (may be NULL) with the same address are taken over.
 */
int sockets_open(struct master_service *s, struct master_service *old, struct err *err);
void sockets_close(struct master_service *s, bool unlink_path);

/* address.c: addresses of an inet service; *v is allocated. */
int addresses_of(const struct master_service *s, struct hostaddr **v, size_t *n, struct err *err);

/* worker.c */
void workers_start(struct master_service *s); /* one more, if it may have one */
void workers_watch(
    struct master_service *s); /* look at its sockets exactly while it has no worker */
void workers_reap(void);
void worker_send_drain(struct worker *w);
void worker_signal(struct worker *w, int signum);
size_t workers_count(const struct master_service *s); /* without draining ones */
/* spawn.c: the process; 0, or -1 and err. */
int worker_spawn(struct worker *w, const struct master_service *s, struct err *err);

/* wakeup.c */
void wakeup_start(struct master_service *s);

/* stop.c */
void stop_begin(int signum);
void stop_progress(void); /* a worker has gone */

/* lock.c */
int lock_take(struct err *err); /* pid/master.pid and data_directory/master.lock */
bool lock_is_free(void);	/* nobody holds pid/master.pid */

/* environ.c */
void environ_clean(void); /* as import_environment says */

#endif
