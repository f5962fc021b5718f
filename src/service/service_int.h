/* What the modules of the skeleton share. Programs include service.h. */
#ifndef POSTERN_SERVICE_SERVICE_INT_H
#define POSTERN_SERVICE_SERVICE_INT_H

#include "service/service.h"

#define SERVICE_CONTROL_FD    3
#define SERVICE_LISTEN_FD     4
#define SERVICE_ACCEPT_BURST  8	   /* connections taken per wake-up: siblings want some too */
#define SERVICE_TRIGGER_WAIT  5000 /* ms for the bytes of a trigger to come */
#define SERVICE_STOP_GRACE    2000 /* ms that sessions get when master has gone */
#define SERVICE_STOP_DEADLINE 4000 /* ms after SIGTERM until the process ends regardless */

/* The running worker. */
struct worker {
	const struct service *service;
	const char *name;
	enum service_type type;
	const char *const *args;
	int slot, nfds;
	long limit, sessions;
	bool unpriv, chroot, by_hand; /* -u, -c, -S */
	bool started;		      /* service->start() has returned */
	bool draining, stopping;      /* WORKER_DRAIN or idle; SIGTERM or end of master */
	struct scope scope;	      /* of the worker */
	struct scope clients;	      /* sessions */
	struct cond changed;	      /* sessions, draining or stopping changed */
};
extern struct worker worker;

void options_read(int argc, char **argv); /* fills worker and conf_override(); fatal when wrong */

void sandbox_enter(void); /* chroot, user, seccomp, landlock: as worker and conf say */

void accept_open(void);	  /* serves the listening sockets */
void accept_close(void);  /* for good */
void session_begin(void); /* counts a session, or a job that keeps the worker from being idle */
void session_end(void);

/* Who is at the other end of a connected socket that somebody else has accepted. PEER_GONE: a
 * network client that has reset the connection. What it sent can still be read, but it must not be
 * taken for a client of this host. */
enum peer_kind { PEER_LOCAL, PEER_INET, PEER_GONE };
enum peer_kind session_peer(int fd, struct hostaddr *peer);

void control_open(void);
void control_report(void); /* WORKER_LOAD now */
/* The worker is to end when its sessions have (master_gone: soon). */
void service_drain_requested(bool master_gone);

void memory_setup(void);
/* Once a second while there is work; load in percent. True: it wants to be called again. */
bool memory_second(int load);

void stdio_serve(void); /* one session on descriptors 0 and 1. May wait. */

#endif
