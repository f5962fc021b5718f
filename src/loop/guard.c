#include "loop/guard.h"

#include "base/fdpass.h"
#include "base/mem.h"
#include "loop/sched.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct packet { /* with a descriptor: it is held; without: it is let go */
	int slot;
};

static atomic_int *groups; /* shared: the group of each slot; 0: none (yet) */
static bool *taken;
static int *held; /* the parent's number of what is held, or -1; in the guard its own */
static int used, next;
static pid_t guard = -1;
static int to_guard = -1;

/* --- the guard. It may have been made while threads ran, so that it only makes system calls. */

static void receive(int parent)
{
	struct packet p;
	ssize_t n;
	int fd;

	while ((n = fdpass_receive(parent, &p, sizeof p, &fd)) > 0) {
		if (held[p.slot] >= 0)
			close(held[p.slot]);
		held[p.slot] = fd;
	}
}

static void end_groups(void)
{
	static const int signals[] = {SIGSTOP, SIGKILL};

	for (size_t s = 0; s < sizeof signals / sizeof *signals; s++)
		for (int i = 0; i < GUARD_SLOTS; i++)
			if (groups[i] > 1)
				kill(-groups[i], signals[s]);
}

static void guard_main(int parent, pid_t parent_pid)
{
	setsid(); /* no part of what a terminal or a supervisor ends together with its parent */
	prctl(PR_SET_NAME, "command-guard");
	for (int i = 0; i < 3; i++)
		dup2(parent, i);
	proc_close_others();
	for (int i = 0; i < GUARD_SLOTS; i++)
		held[i] = -1;
	receive(0);
	/* The parent's children get another one all at once: then those that are to live are in the
	 * table. */
	while (getppid() == parent_pid)
		poll(NULL, 0, 1);
	end_groups();
	_exit(0);
}

/* --- its parent */

static int send_packet(int slot, int fd)
{
	struct packet p = {slot};

	return fdpass_send(to_guard, &p, sizeof p, fd);
}

static int make_tables(struct err *err)
{
	void *p;

	if (groups)
		return 0;
	p = mmap(NULL, GUARD_SLOTS * sizeof *groups, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return err_errno(err, errno, "memory for a guard");
	groups = p;
	taken = mem_zero(GUARD_SLOTS * sizeof *taken);
	held = mem_alloc(GUARD_SLOTS * sizeof *held);
	for (int i = 0; i < GUARD_SLOTS; i++)
		held[i] = -1;
	return 0;
}

static int start_guard(struct err *err)
{
	pid_t self = getpid();
	sigset_t all, before;
	int pair[2];

	if (make_tables(err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "socket of a guard");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	guard = fork();
	if (guard == 0)
		guard_main(pair[1], self); /* with every signal blocked */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (guard < 0) {
		err_errno(err, errno, "start a guard");
		close(pair[0]);
		return -1;
	}
	to_guard = pair[0];
	return 0;
}

/* Those that run are in the table; what was held for them it gets again. */
static void replace_guard(void)
{
	struct err err;

	if (start_guard(&err) < 0)
		return; /* with the next child */
	for (int i = 0; i < GUARD_SLOTS; i++)
		if (held[i] >= 0)
			send_packet(i, held[i]);
}

void guard_look(void)
{
	if (guard < 0 || waitpid(guard, NULL, WNOHANG) == 0)
		return;
	guard_forget();
	if (used > 0)
		replace_guard();
}

void guard_forget(void)
{
	if (to_guard >= 0)
		close(to_guard);
	to_guard = -1;
	guard = -1;
}

int guard_take(struct err *err)
{
	if (guard < 0 && start_guard(err) < 0)
		return -1;
	if (used == GUARD_SLOTS)
		return err_set(err, "guard more than %d commands", GUARD_SLOTS);
	while (taken[next])
		next = (next + 1) % GUARD_SLOTS;
	taken[next] = true;
	used++;
	return next;
}

atomic_int *guard_place(int slot)
{
	return &groups[slot];
}

int guard_hold(int slot, int fd, struct err *err)
{
	if (send_packet(slot, fd) < 0)
		return err_errno(err, errno, "guard a command's input");
	held[slot] = fd;
	return 0;
}

void guard_let_go(int slot)
{
	if (held[slot] < 0)
		return;
	held[slot] = -1;
	send_packet(slot, -1);
}

void guard_give(int slot)
{
	guard_let_go(slot);
	groups[slot] = 0;
	taken[slot] = false;
	used--;
}
