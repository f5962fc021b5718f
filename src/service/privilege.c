#include "service/privilege.h"

#include "log/log.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void privilege_keep(unsigned mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0)
		log_fatal("setgroups: %s", strerror(errno));
	memset(data, 0, sizeof data);
	if (syscall(SYS_capget, &head, data) < 0)
		log_fatal("capget: %s", strerror(errno));
	data[0].permitted &= mask;
	data[0].effective &= mask;
	data[0].inheritable = 0;
	data[1].permitted = data[1].effective = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) < 0)
		log_fatal("capset: %s", strerror(errno));
}
