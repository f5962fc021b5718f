/* The control command: one function per action. */
#ifndef POSTERN_CMD_POSTERN_POSTERN_H
#define POSTERN_CMD_POSTERN_POSTERN_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define STOP_WAIT  12000 /* ms: master itself needs up to seven seconds */
#define ABORT_WAIT 5000

struct control {
	int verbose;
	bool debugger;
	char **args; /* after the action */
	int nargs;
};
extern struct control control;

/* Actions: exit status. Those that fail for a reason the administrator should read end by
 * log_fatal(). */
int control_start(void);
int control_start_fg(void);
int control_stop(void);
int control_abort(void);
int control_reload(void);
int control_status(void);
int control_flush(void);
int control_check(void);
int control_logrotate(void);
int control_set_permissions(void);
int control_upgrade_configuration(void);

/* check.c: the directories exist with the right owners, the configuration can be read. Creates what
 * is missing; warns of what is odd; fatal when the system could not run. */
void check_system(void);

/* Process ID of the running master, or 0. */
pid_t master_pid(void);
/* Runs a program and waits: its exit status, or -1 and err. */
int run_program(const char *const *argv, struct err *err);
/* Becomes "$command_directory/name" or "$daemon_directory/name" with arguments; fatal when it
 * cannot. */
void exec_command(const char *const *argv) __attribute__((noreturn));
void exec_daemon(const char *const *argv) __attribute__((noreturn));

#endif
