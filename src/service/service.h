/* The one skeleton of a server: start, sandbox, accept, serve, drain, stop.
 *
 * master starts "program -n service-name -t type -u? -c? -o name=value ...", with its working
 * directory in queue_directory, its control socket as descriptor 3 and the service's listening
 * sockets as 4, 5, ... (SERVICE_FDS of the environment says how many; SERVICE_LIMIT how many
 * sessions this worker may hold; SERVICE_WORKER is its slot number, from 0, unique among the live
 * workers of the service). */
#ifndef POSTERN_SERVICE_SERVICE_H
#define POSTERN_SERVICE_SERVICE_H

#include "loop/co.h"
#include "loop/stream.h"
#include "param/mastercf.h"

struct service {
	const char *program;
	/* Before privileges are dropped and chroot: open tables, read keys. Outside of coroutines.
	 */
	void (*setup)(void);
	/* First coroutine, after the sandbox is up: connections to others, start-up scans. Serving
	 * begins when it returns. May wait. */
	void (*start)(void);
	/* One coroutine per connection. The stream is freed by the skeleton when it returns. peer
	 * is NULL for UNIX sockets. May wait. */
	void (*serve)(struct stream *client, const struct hostaddr *peer);
	/* Instead of serve: one datagram (unix-dgram services). */
	void (*datagram)(str packet);
	/* master's wake-up timer fired (wakeup column), or a trigger byte came. May wait. */
	void (*wakeup)(void);
	/* The worker should end (reload, stop, idle): finish what must be; sessions are still
	 * running. When it returns, those of a resident are cancelled, others are waited for (idle
	 * ones end, see loop/idle.h; at a stop the rest is cancelled after two seconds). May wait.
	 */
	void (*drain)(void);
	/* After the last session, at the end of the worker: close what it has open. Coroutines of
	 * service_scope() are still there. May wait (at a stop, some seconds at most). */
	void (*finish)(void);
	/* Acts as other users: local, pipe, spawn, virtual. It stays root, with only these of its
	 * powers (a mask of service/privilege.h; setup has all), and wants "n" in the unpriv column
	 * of master.cf. */
	bool keep_root;
	unsigned privileges;
	bool resident;	   /* does not end when idle: qmgr, postlogd */
	bool network_only; /* faces the network: full sandbox */
	bool stdio; /* may be run by hand with -S: one session on stdin/stdout (sendmail -bs) */
};
/* The main() of every daemon program. Does not return. */
int service_main(int argc, char **argv, const struct service *service);

/* What the running worker was started as. */
const char *service_name(void); /* "smtp", "relay", "2525" */
enum service_type service_type(void);
bool service_draining(void);
bool service_stopping(void); /* SIGTERM: in a few seconds the process ends regardless */
/* There is work, of which no session tells: memory is given back when it is over. */
void service_busy(void);
int service_worker(void);	   /* slot number */
long service_sessions(void);	   /* being served now */
long service_limit(void);	   /* of this worker */
bool service_by_hand(void);	   /* -S: one session on standard input */
struct scope *service_scope(void); /* for coroutines that live as long as the worker */
/* Extra words of the master.cf command line that are no options (pipe's argv=...). */
const char *const *service_args(void);
/* Wakes a service through its socket ("public/qmgr") with trigger bytes, as postkick does. 0, or
 * -1. Works outside of coroutines as well (then it blocks a few seconds at most). May wait. */
int service_trigger(const char *path, str bytes, struct err *err);
/* The same for event code: one attempt that never waits (err->code EAGAIN: nobody reads the
 * backlog). */
int service_trigger_now(const char *path, str bytes, struct err *err);

#endif
