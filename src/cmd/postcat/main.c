/* postcat(1): shows the contents of queue files, and of messages that are in the log. */
#include "cmd/postcat/postcat.h"

#include "log/log.h"
#include "param/param.h"
#include "queue/qfile.h"
#include "queue/segment.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE	   65536
#define FIND_TRIES 10

static void usage(void)
{
	log_fatal(
	    "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)]"
	    " [-e (envelope records)] [-h (header text)] [-o (record offsets)] [-q (access queue)]"
	    " [-r (file order)] [-s offset (start there)] [-v] [file(s)...]");
}

/* A queue file at s->fd; false when it is none. */
static bool read_file(struct source *s, struct err *err)
{
	unsigned char p[QFILE_HEAD];
	struct qfile_head h;

	if (pread(s->fd, p, sizeof p, 0) != sizeof p || !qfile_head_get(p, &h))
		return false;
	s->envelope_offset = h.envelope_offset;
	s->envelope_length = h.envelope_length;
	s->content_offset = h.content_offset;
	s->content_length = h.content_length;
	if (qfile_read_envelope(s->fd, &h, &s->env, &s->arena, NULL, err) < 0)
		log_fatal("%s: %s", s->name, err->text);
	return true;
}

static void show_source(struct source *s, const struct options *o)
{
	struct err err;

	if (show(s, o, &err) < 0)
		log_fatal("%s: %s", s->name, err.text);
	arena_free(&s->arena);
	close(s->fd);
}

static void show_file(struct source *s, const struct options *o)
{
	struct err err;

	if (read_file(s, &err)) {
		show_source(s, o);
		return;
	}
	log_warn("%s: input is not a valid queue file", s->name);
	close(s->fd);
}

static void show_path(const char *path, const struct options *o)
{
	struct source s = {.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};

	if (s.fd < 0)
		log_fatal("open %s: %s", path, strerror(errno));
	show_file(&s, o);
}

/* Standard input may be a pipe: into memory first. */
static void show_stdin(const struct options *o)
{
	struct source s = {.name = "stdin", .fd = memfd_create("postcat", MFD_CLOEXEC)};
	static char piece[PIECE];
	ssize_t n;

	if (s.fd < 0)
		log_fatal("memory for stdin: %s", strerror(errno));
	while ((n = read(STDIN_FILENO, piece, sizeof piece)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || write(s.fd, piece, (size_t)n) != n)
			log_fatal("read stdin: %s", strerror(errno));
	}
	if (lseek(s.fd, 0, SEEK_END) == 0)
		return;
	show_file(&s, o);
}

/* A message of the log is shown under the name that it would have as a file. False and err when it
 * cannot be read. */
static bool show_logged(struct queue_ref *ref, const struct options *o, struct err *err)
{
	char path[SEGMENT_PATH], name[QUEUE_ID_MAX + 16];
	struct source s = {.name = name};

	snprintf(name, sizeof name, "active/%s", ref->id);
	s.fd = open(segment_path(path, ref->segment), O_RDONLY | O_CLOEXEC);
	if (s.fd < 0) {
		err_errno(err, errno, "open %s", path);
		return false;
	}
	if (queue_read_envelope(ref, &s.env, &s.arena, err) < 0) {
		arena_free(&s.arena);
		close(s.fd);
		return false;
	}
	s.envelope_offset = ref->offset + RECORD_HEAD;
	s.envelope_length = ref->content_offset - s.envelope_offset;
	s.content_offset = ref->content_offset;
	s.content_length = ref->content_length;
	show_source(&s, o);
	return true;
}

static bool show_filed(const struct queue_ref *ref, const struct options *o, struct err *err)
{
	char *path = qfile_path(ref->queue, ref->id);
	struct source s = {.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};

	if (s.fd >= 0)
		show_file(&s, o);
	else
		err_errno(err, errno, "%s", path);
	free(path);
	return s.fd >= 0;
}

/* While the queue manager is at work a message may move between being found and being opened: it is
 * looked for again, as often as a message can move in that time. */
static void show_queued(const char *id, const struct options *o)
{
	struct err err = {.code = ENOENT};
	struct queue_ref ref;

	if (!queue_id_valid(str_of(id)))
		log_fatal("bad mail queue ID: %s", id);
	for (int tries = 0; tries < FIND_TRIES && err.code == ENOENT; tries++) {
		int found = queue_find(id, &ref, &err);

		if (found > 0)
			break;
		if (found == 0 &&
		    (ref.lane == LANE_LOG ? show_logged(&ref, o, &err) : show_filed(&ref, o, &err)))
			return;
	}
	log_fatal("open queue file %s: %s", id, err.code ? strerror(err.code) : err.text);
}

static void enter_queue(void)
{
	struct err err;

	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
}

int main(int argc, char **argv)
{
	struct options o = {0};
	bool queued = false;
	struct err err;
	int c;

	argv[0] = "postcat"; /* for getopt's messages */
	log_early("postcat");
	while ((c = getopt(argc, argv, "bc:dehnoqrs:v")) > 0) {
		switch (c) {
		case 'b':
			o.body = true;
			break;
		case 'c':
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal("%s", err.text);
			break;
		case 'd':
			o.types = true;
			break;
		case 'e':
			o.envelope = true;
			break;
		case 'h':
			o.header = true;
			break;
		case 'n': /* accepted, as ever; it means nothing */
			break;
		case 'o':
			o.offsets = true;
			break;
		case 'q':
			queued = true;
			break;
		case 'r':
			o.file_order = true;
			break;
		case 's':
			if (!str_to_u64(str_of(optarg), &o.skip))
				log_fatal("bad offset: %s", optarg);
			break;
		case 'v':
			o.verbose = true;
			break;
		default:
			usage();
		}
	}
	if (!o.body && !o.envelope && !o.header)
		o.body = o.envelope = o.header = true;
	if (queued)
		enter_queue();
	if (optind == argc)
		show_stdin(&o);
	for (; optind < argc; optind++) {
		if (queued)
			show_queued(argv[optind], &o);
		else
			show_path(argv[optind], &o);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		log_fatal("write to standard output: %s", strerror(errno));
	return 0;
}
