#include "log/log.h"
#include "service/sandbox_kernel.h"

#if __has_include(<seccomp.h>)
#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

static const char *const denied[] = {
#ifndef __SANITIZE_ADDRESS__ /* the leak checker traces */
    "ptrace",
#endif
    "execve",
    "execveat",
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
};

void sandbox_seccomp(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = 0;

	if (filter == NULL)
		return;
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
		int number = seccomp_syscall_resolve_name(denied[i]);

		if (number != __NR_SCMP_ERROR) /* newer or older than this kernel's list */
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
	}
	r = seccomp_load(filter);
	if (r < 0 && log_verbose)
		log_info("seccomp: not available (%d)", r);
	seccomp_release(filter);
}
#else
void sandbox_seccomp(void)
{
	if (log_verbose)
		log_info("seccomp: not built in");
}
#endif
