/* postconf: what its files share. */
#ifndef POSTERN_CMD_POSTCONF_PC_H
#define POSTERN_CMD_POSTCONF_PC_H

#include "base/buf.h"
#include "base/err.h"
#include "param/maincf.h"
#include "param/scope.h"
#include "param/table.h"

enum pc_mode {			  /* bits: the options as given */
	PC_MAIN = 1 << 0,	  /* -p */
	PC_MASTER = 1 << 1,	  /* -M */
	PC_FIELDS = 1 << 2,	  /* -F */
	PC_PARAMS = 1 << 3,	  /* -P */
	PC_DEFAULTS = 1 << 4,	  /* -d */
	PC_SET_ONLY = 1 << 5,	  /* -n */
	PC_EDIT = 1 << 6,	  /* -e */
	PC_REMOVE = 1 << 7,	  /* -X */
	PC_COMMENT = 1 << 8,	  /* -# */
	PC_FOLD = 1 << 9,	  /* -f */
	PC_NO_NAMES = 1 << 10,	  /* -h */
	PC_NO_VALUES = 1 << 11,	  /* -H */
	PC_EXPAND = 1 << 12,	  /* -x */
	PC_QUIET = 1 << 13,	  /* -q */
	PC_JSON = 1 << 14,	  /* -j */
	PC_LOCKS = 1 << 15,	  /* -l */
	PC_TYPES = 1 << 16,	  /* -m */
	PC_SASL_SERVER = 1 << 17, /* -a */
	PC_SASL_CLIENT = 1 << 18, /* -A */
	PC_TLS = 1 << 19,	  /* -T */
	PC_CLASS = 1 << 20,	  /* -C */
	PC_OVERRIDE = 1 << 21,	  /* -o */
	PC_BOUNCE = 1 << 22,	  /* -b */
	PC_TEMPLATE = 1 << 23,	  /* -t */
};
extern unsigned pc_mode;
extern const char *pc_program; /* as it was called: the head of messages */

void pc_warn(const char *text);
void pc_warnf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void pc_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- main.cf and names of parameters --- */

enum pc_class { PC_BUILTIN = 1, PC_SERVICE = 2, PC_USER = 4 };

struct pc_name {
	const char *name;
	enum pc_class class;
	const char *def; /* of a service's name */
};
extern struct maincf pc_main;	    /* main.cf and -o */
extern struct param_scope pc_scope; /* over it */
extern bool pc_dir_given;	    /* config_directory counts as set */

void pc_load(bool with_main);	 /* master.cf, and main.cf; fatal when they are bad */
void pc_names_collect(void);	 /* after pc_load */
extern struct pc_name *pc_names; /* sorted */
extern size_t pc_names_count;
const struct pc_name *pc_name_find(str name); /* or NULL */

/* Value of a name as it is to be shown, expanded with -x. False: there is none. */
bool pc_value(struct param_scope *s, const char *name, struct buf *out);
void pc_show_main(unsigned classes, char **names);

/* "name = value", with -h, -H, -f, -j as asked for; white space in value made single blanks. */
void pc_print(const char *name, str value);
/* Appends s with runs of white space as one blank. */
void pc_squeeze(struct buf *out, str s);

/* --- warnings about names nobody uses and values nobody set --- */

void pc_check_before(void);	      /* undefined names, read-only names, comments behind values */
void pc_check_after(bool parameters); /* unused names, names on their way out */

/* --- master.cf --- */

enum { PC_FIELD_COMMAND = 7, PC_FIELD_COUNT = 8 };
extern const char *const pc_field_names[PC_FIELD_COUNT];

struct pc_arg {
	const char *text; /* an option's assignment: "name=value" */
	bool option;	  /* it follows -o */
};
struct pc_service {
	const char *field[PC_FIELD_COUNT]; /* the last one is the program alone */
	struct pc_arg *args;
	size_t nargs, noptions; /* arguments before the first that is no option */
	int line;
};
struct pc_master {
	struct pc_service *v;
	size_t n;
	struct arena mem;
};
extern struct pc_master pc_master;
extern char *pc_master_path, *pc_main_path;

/* One logical line; -1 and err. Oddities that do no harm are warned of. */
int pc_service_parse(struct pc_service *s, struct arena *mem, str line, struct err *err);
int pc_field_check(int field, str value, struct err *err);
int pc_field_find(str name); /* or -1 */
/* Splits the text of the command field into program and arguments. */
int pc_command_parse(struct pc_service *s, struct arena *mem, str text, struct err *err);
/* The options ("-o") of a service as a scope of its own, over main.cf. */
void pc_service_scope(struct param_scope *scope, const struct pc_service *s);
/* Appends the entry as master.cf has it, without the newline; folded with fold. expand: NULL, or
 * the scope to expand the values of options in. */
void pc_service_print(
    struct buf *out, const struct pc_service *s, bool fold, struct param_scope *expand);
void pc_command_print(
    struct buf *out, const struct pc_service *s, size_t col, bool fold, struct param_scope *expand);

/* A request on the command line: "service/type/name", parts left out are "*". */
struct pc_request {
	str part[3];
	int parts;
	str value; /* behind "=", when editing */
	const char *text;
	bool matched;
};
struct pc_request pc_request_parse(const char *text, int max_parts, bool assignment);
bool pc_request_has(struct pc_request *r, const struct pc_service *s);
bool pc_part_matches(str pattern, const char *text);

void pc_show_master(char **requests);
void pc_show_fields(char **requests);
void pc_show_params(char **requests);
void pc_edit_main(char **args);
void pc_edit_master(char **args);  /* -M */
void pc_edit_service(char **args); /* -F, -P */

void pc_show_bounces(char **args);

/* Replaces a file that was read before, keeping its mode; fatal if it cannot. */
void pc_edit_begin(const char *path, struct buf *text);
void pc_edit_end(const char *path, const struct buf *text);

#endif
