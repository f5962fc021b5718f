/* main.cf: every parameter of param.tbl is a member of the global conf, evaluated once at load.
 *
 *     conf.myhostname (const char *), conf.smtpd_timeout (int, seconds), conf.soft_bounce (bool),
 *     conf.message_size_limit (int64_t, bytes)
 *
 * The member is the parameter's name; a name that begins with a digit has "n" in front
 * (conf.n2bounce_notice_recipient). Values are expanded ($name and so on) and checked against the
 * row's bounds. A lmtp client calls conf_use_lmtp() and then reads the smtp_* members. */
#ifndef POSTERN_PARAM_PARAM_H
#define POSTERN_PARAM_PARAM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* struct conf { ... } conf: generated from param.tbl */
#include "param/conf_struct.h"
extern struct conf conf;

/* Configuration directory of this process: -c, $MAIL_CONFIG, or the built-in default. An
 * environment value given by somebody else than root must be listed in the default main.cf's
 * alternate_config_directories, where the process is privileged (set-gid). */
const char *conf_dir(void);
/* The -c option; also sets $MAIL_CONFIG for children. -1 and err: this process may not use it. */
int conf_set_dir(const char *dir, struct err *err);
/* What a privileged (set-gid) program takes of a stranger's environment: MAIL_CONFIG (see above),
 * TZ and the language. Nothing is removed from that of other programs. */
void conf_clean_environment(void);

/* Sets "name=value" with precedence over main.cf (the -o option); before conf_load. The name may be
 * user-defined. */
int conf_override(const char *assignment, struct err *err);

/* Reads main.cf, evaluates every parameter into conf, and calls warn(text) for each oddity. warn
 * may be NULL; it is kept for later use. -1 and err: main.cf cannot be read, has bad syntax, or the
 * value of a parameter that this program uses (param.tbl says which do) is not of its type or
 * within its bounds. A bad value of another program's parameter draws a warning, and the member has
 * the default. A call replaces all that an earlier one made: texts of conf do not outlive it. */
int conf_load(void (*warn)(const char *text), struct err *err);

/* One warning for each parameter that is set, in main.cf or with -o in master.cf, to something else
 * than its default, and that we do not act on. For master and "postern check". */
void conf_warn_unacted(void (*warn)(const char *text));

/* Expanded value of any parameter, built-in, service-defined or user-defined; false if there is
 * none. */
bool conf_get(const char *name, struct buf *out);
/* The same as it would be if the parameter other had another value: "smtpd_timeout" with "stress" =
 * "yes". */
bool conf_get_with(const char *name, const char *other, const char *other_value, struct buf *out);
/* Was it set, by main.cf or an override? */
bool conf_is_set(const char *name);
/* For parameters whose names are made of a transport's name: conf_transport_int("relay",
 * "_destination_concurrency_limit", conf.default_destination_concurrency_limit). Not set, or not a
 * number (one warning): fallback. Texts live until the next conf_load. */
int conf_transport_int(const char *transport, const char *suffix, int fallback);
int conf_transport_time(const char *transport, const char *suffix, int fallback); /* seconds */
const char *conf_transport_str(const char *transport, const char *suffix, const char *fallback);

/* Expands a text: $name ${name} ${name?text} ${name:text} ${name?{a}:{b}} ${{a} == {b} ? {x} : {y}}
 * $$. look gives the value of a name (NULL: undefined, expands to nothing), which goes out as it
 * is: a $ in it means nothing. For bounce templates, footers, pipe macros as well as main.cf. -1
 * and err for bad syntax, for groups nested deeper than 100, and when more than 4 MiB came out. */
typedef const char *(*expand_look)(void *ctx, str name);
int expand_text(struct buf *out, str text, expand_look look, void *ctx, struct err *err);

/* "3d" and the like in seconds, default unit as given ('s', 'h', 'd'). */
int time_parse(str text, char default_unit, int *seconds, struct err *err);

/* Makes the smtp_* members those of lmtp_*, where there is such a parameter. After conf_load. */
void conf_use_lmtp(void);

#endif
