#include "smtpd/standalone.h"

#include "param/param.h"
#include "service/service.h"

#include <pwd.h>
#include <unistd.h>

bool standalone(void)
{
	return service_by_hand();
}

bool standalone_drops(void)
{
	static int drops = -1;

	if (drops < 0) {
		const struct passwd *owner = service_by_hand() ? getpwnam(conf.mail_owner) : NULL;
		drops = service_by_hand() && !(owner && owner->pw_uid == geteuid());
	}
	return drops;
}
