/* postsuper(1): the queue's maintenance for the superuser. */
#include "cmd/postsuper/postsuper.h"

#include "base/mem.h"
#include "log/log.h"
#include "param/param.h"
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_ROOM 1024

/* Letter, default queues, what is said of each message, what is counted. */
static const struct op_row {
	char letter;
	unsigned queues;
	const char *one, *many;
} rows[OPERATIONS] = {
    [OP_REQUEUE] = {'r', IN_MESSAGES, "requeued", "Requeued"},
    [OP_DELETE] = {'d', IN_MESSAGES, "removed", "Deleted"},
    [OP_EXPIRE] = {'e', IN_MESSAGES, "expired", "Force-expired"},
    [OP_EXPIRE_RELEASE] = {'f', IN_MESSAGES, "expired", "Force-expired"},
    [OP_HOLD] = {'h', IN_INCOMING | IN_ACTIVE | IN_DEFERRED, "placed on hold", "Placed on hold"},
    [OP_RELEASE] = {'H', IN_HOLD, "released from hold", "Released from hold"},
};

static const struct queue_row {
	const char *name;
	unsigned bits;
} queue_rows[] = {
    {"hold", IN_HOLD},
    {"incoming", IN_INCOMING},
    {"active", IN_ACTIVE},
    {"deferred", IN_DEFERRED},
    {"maildrop", IN_MAILDROP},
    {"bounce", IN_LOGS},
    {"defer", IN_LOGS},
    {"trace", IN_LOGS},
    {"flush", IN_LOGS},
    {"log", IN_INCOMING | IN_ACTIVE},
};

unsigned queue_bits(const char *queue)
{
	for (size_t i = 0; i < ARRAY_SIZE(queue_rows); i++)
		if (strcmp(queue_rows[i].name, queue) == 0)
			return queue_rows[i].bits;
	return 0;
}

void tell(enum operation op, const char *id)
{
	log_info("%s: %s", id, rows[op].one);
}

void tell_released(const char *id)
{
	tell(OP_RELEASE, id);
}

static void report(const char *what, uint64_t count)
{
	log_info("%s: %" PRIu64 " message%s", what, count, count == 1 ? "" : "s");
}

static void usage(void)
{
	log_fatal("usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)]"
		  " [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)]"
		  " [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)]"
		  " [-s (structure fix)] [-S (redundant structure fix)] [-v (verbose)] [queue...]");
}

/* --- what is to be done */

static struct work works[OPERATIONS];
static bool wanted[OPERATIONS];

static enum operation op_of(int letter)
{
	enum operation op = 0;

	while (rows[op].letter != letter)
		op++;
	return op;
}

static struct buf invalid; /* IDs that are none, each with its NUL */

static void add_id(struct work *w, const char *id)
{
	struct buf *to = queue_id_valid(str_of(id)) ? &w->ids : &invalid;

	buf_add(to, id, strlen(id) + 1);
}

/* Later than they are met, so that the log has them too. */
static void report_invalid(void)
{
	for (size_t at = 0; at < invalid.n; at += strlen(invalid.p + at) + 1)
		log_warn("invalid mail queue id: %s", invalid.p + at);
	buf_free(&invalid);
}

static void add_from_stdin(struct work *w)
{
	static char line[LINE_ROOM];

	while (fgets(line, sizeof line, stdin)) {
		str id = str_trim(str_of(line));

		line[id.p - line + (ptrdiff_t)id.n] = '\0';
		if (id.n > 0)
			add_id(w, id.p);
	}
}

static void add(int letter, const char *id)
{
	enum operation op = op_of(letter);
	struct work *w = &works[op];

	wanted[op] = true;
	if (strcmp(id, "ALL") == 0)
		w->all = true;
	else if (strcmp(id, "-") == 0)
		add_from_stdin(w);
	else
		add_id(w, id);
}

static unsigned queues_of(char **names)
{
	unsigned bits = 0;

	for (; *names; names++) {
		unsigned one = strcmp(*names, "log") == 0 ? 0 : queue_bits(*names);

		if (!one)
			log_fatal("invalid directory name: %s", *names);
		bits |= one;
	}
	return bits;
}

/* --- who may */

/* As root, or in a queue of one's own (an instance that no root is needed for). */
static void check_user(void)
{
	struct stat st;

	if (geteuid() == 0)
		return;
	if (stat(conf.queue_directory, &st) < 0 || st.st_uid != geteuid())
		log_fatal("use of this command is reserved for the superuser");
}

/* What is written below the queue belongs to mail_owner. */
static void become_owner(void)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return;
	pw = getpwnam(conf.mail_owner);
	if (!pw)
		log_fatal("mail_owner: unknown user %s", conf.mail_owner);
	if (setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		log_fatal("become user %s: %s", conf.mail_owner, strerror(errno));
}

/* --- doing it */

/* Operations in their order; the maildrop's files by hand, the rest by whoever manages the queue.
 */
static void operate(unsigned restricted)
{
	struct work list[OPERATIONS];
	size_t n = 0;
	struct err err;
	int result = 0;

	for (enum operation op = 0; op < OPERATIONS; op++) {
		works[op].op = op;
		works[op].queues = restricted ? restricted : rows[op].queues;
		if (wanted[op])
			list[n++] = works[op];
	}
	for (size_t i = 0; i < n; i++)
		if (list[i].op == OP_DELETE && (list[i].queues & IN_MAILDROP))
			maildrop_delete(&list[i]);
	if (!restricted || (restricted & IN_MESSAGES)) {
		result = online_do(list, n, &err);
		if (result == 1)
			result = offline_do(list, n, &err);
	}
	for (size_t i = 0; i < n; i++)
		works[list[i].op] = list[i];
	if (result < 0)
		log_fatal("%s", err.text);
}

static void report_all(void)
{
	if (wanted[OP_REQUEUE])
		report(rows[OP_REQUEUE].many, works[OP_REQUEUE].count);
	if (wanted[OP_DELETE])
		report(rows[OP_DELETE].many, works[OP_DELETE].count);
	if (wanted[OP_EXPIRE] || wanted[OP_EXPIRE_RELEASE])
		report(
		    rows[OP_EXPIRE].many, works[OP_EXPIRE].count + works[OP_EXPIRE_RELEASE].count);
	if (wanted[OP_HOLD])
		report(rows[OP_HOLD].many, works[OP_HOLD].count);
	if (wanted[OP_RELEASE] || wanted[OP_EXPIRE_RELEASE])
		report(rows[OP_RELEASE].many,
		    works[OP_RELEASE].count + works[OP_EXPIRE_RELEASE].released);
}

int main(int argc, char **argv)
{
	bool purge = false, structure = false, any = false;
	struct err err;
	unsigned restricted;
	int c;

	argv[0] = "postsuper"; /* for getopt's messages */
	log_early("postsuper");
	while ((c = getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) > 0) {
		switch (c) {
		case 'c':
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal("%s", err.text);
			break;
		case 'p':
			purge = true;
			break;
		case 's':
		case 'S':
			structure = true;
			break;
		case 'v':
			log_verbose++;
			break;
		case '?':
			usage();
			break;
		default:
			add(c, optarg);
			any = true;
		}
	}
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	log_open("postsuper", true);
	check_user();
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
	become_owner();
	restricted = queues_of(argv + optind);
	if (!purge && !structure && !any)
		purge = structure = true;
	if (purge)
		structure_purge(restricted);
	if (structure) {
		uint64_t fixed = structure_fix(restricted);
		uint64_t renamed = rename_long(restricted);

		if (fixed > 0)
			report("Moved to their place", fixed);
		if (renamed > 0) {
			report("Renamed", renamed);
			log_warn("queue IDs were changed to short ones");
		}
	}
	if (any) {
		report_invalid();
		operate(restricted);
		report_all();
	}
	return 0;
}
