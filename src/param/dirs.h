/* Where things are: from configure's config.h, or these when there is none. */
#ifndef POSTERN_PARAM_DIRS_H
#define POSTERN_PARAM_DIRS_H

#if __has_include("config.h")
#include "config.h"
#endif

#ifndef POSTERN_PREFIX
#define POSTERN_PREFIX "/opt/postern"
#endif
#ifndef POSTERN_CONF_DIR
#define POSTERN_CONF_DIR "/etc/postern"
#endif
#ifndef POSTERN_DAEMON_DIR
#define POSTERN_DAEMON_DIR POSTERN_PREFIX "/libexec/postern"
#endif
#ifndef POSTERN_COMMAND_DIR
#define POSTERN_COMMAND_DIR POSTERN_PREFIX "/sbin"
#endif
#ifndef POSTERN_SENDMAIL_PATH
#define POSTERN_SENDMAIL_PATH POSTERN_COMMAND_DIR "/sendmail"
#endif
#ifndef POSTERN_MAILQ_PATH
#define POSTERN_MAILQ_PATH POSTERN_PREFIX "/bin/mailq"
#endif
#ifndef POSTERN_NEWALIASES_PATH
#define POSTERN_NEWALIASES_PATH POSTERN_PREFIX "/bin/newaliases"
#endif
#ifndef POSTERN_QUEUE_DIR
#define POSTERN_QUEUE_DIR "/var/spool/postern"
#endif
#ifndef POSTERN_DATA_DIR
#define POSTERN_DATA_DIR "/var/lib/postern"
#endif
#ifndef POSTERN_MAN_DIR
#define POSTERN_MAN_DIR POSTERN_PREFIX "/share/man"
#endif
#ifndef POSTERN_HTML_DIR
#define POSTERN_HTML_DIR "no"
#endif
#ifndef POSTERN_README_DIR
#define POSTERN_README_DIR "no"
#endif
#ifndef POSTERN_SAMPLE_DIR
#define POSTERN_SAMPLE_DIR POSTERN_CONF_DIR
#endif
#ifndef POSTERN_SHLIB_DIR
#define POSTERN_SHLIB_DIR POSTERN_PREFIX "/lib/postern"
#endif
#ifndef POSTERN_META_DIR
#define POSTERN_META_DIR POSTERN_CONF_DIR
#endif
#ifndef POSTERN_MAIL_OWNER
#define POSTERN_MAIL_OWNER "postern"
#endif
#ifndef POSTERN_SETGID_GROUP
#define POSTERN_SETGID_GROUP "postdrop"
#endif
/* The version of Postfix whose interfaces these are: scripts and policies compare with it. */
#ifndef POSTERN_MAIL_VERSION
#define POSTERN_MAIL_VERSION "3.11.0"
#endif
#ifndef POSTERN_RELEASE_DATE
#define POSTERN_RELEASE_DATE "20260101"
#endif

#endif
