#include "base/fault.h"

#ifdef POSTERN_DEBUG

#include "base/file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FAULTS_MAX 64
#define ERRNO_MAX  200

enum action { ACT_ERRNO, ACT_SHORT, ACT_KILL, ACT_SLEEP, ACT_TIME };

struct fault {
	char point[64];
	enum action action;
	int64_t value; /* errno or milliseconds */
	int64_t skip, count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault faults[FAULTS_MAX];
static size_t nfaults;
static struct stat seen;

static bool parse_action(str word, struct fault *f)
{
	if (str_eq(word, STR("SHORT"))) {
		f->action = ACT_SHORT;
		return true;
	}
	if (str_eq(word, STR("KILL"))) {
		f->action = ACT_KILL;
		return true;
	}
	if (str_starts(word, STR("SLEEP="))) {
		f->action = ACT_SLEEP;
		return str_to_i64(str_from(word, 6), &f->value);
	}
	if (str_starts(word, STR("TIME="))) {
		f->action = ACT_TIME;
		return str_to_i64(str_from(word, 5), &f->value);
	}
	for (int code = 1; code < ERRNO_MAX; code++) {
		const char *name = strerrorname_np(code);
		if (name && str_eq(str_of(name), word)) {
			f->action = ACT_ERRNO;
			f->value = code;
			return true;
		}
	}
	return false;
}

static bool parse_line(str line, struct fault *f)
{
	str point, action, count;
	ptrdiff_t at;

	*f = (struct fault){.count = INT64_MAX};
	if (!str_word(&line, " \t\r", &point) || point.p[0] == '#' ||
	    !str_word(&line, " \t\r", &action))
		return false;
	at = str_chr(point, '#');
	if (at >= 0) {
		if (!str_to_i64(str_from(point, (size_t)at + 1), &f->skip))
			return false;
		point.n = (size_t)at;
	}
	if (str_word(&line, " \t\r", &count) && !str_to_i64(count, &f->count))
		return false;
	if (point.n >= sizeof(f->point))
		return false;
	memcpy(f->point, point.p, point.n);
	return parse_action(action, f);
}

static void load(void)
{
	const char *path = getenv("POSTERN_FAULTS");
	struct buf text = {0};
	struct stat st = {0};
	str rest, line;

	if (!path || stat(path, &st) < 0) {
		nfaults = 0;
		seen = (struct stat){0};
		return;
	}
	if (st.st_ino == seen.st_ino && st.st_size == seen.st_size &&
	    st.st_mtim.tv_sec == seen.st_mtim.tv_sec && st.st_mtim.tv_nsec == seen.st_mtim.tv_nsec)
		return;
	seen = st;
	nfaults = 0;
	if (file_read(path, 65536, &text, NULL) == 0) {
		rest = buf_view(&text);
		while (nfaults < FAULTS_MAX && str_split(&rest, '\n', &line))
			if (parse_line(line, &faults[nfaults]))
				nfaults++;
	}
	buf_free(&text);
}

/* The first fault of this point that is due, counted down. */
static bool take(const char *point, struct fault *due)
{
	for (struct fault *f = faults; f < faults + nfaults; f++) {
		if (strcmp(f->point, point) != 0)
			continue;
		if (f->skip > 0) {
			f->skip--;
			continue;
		}
		if (f->count <= 0)
			continue;
		f->count--;
		*due = *f;
		return true;
	}
	return false;
}

static bool find(const char *point, struct fault *due)
{
	bool found;

	pthread_mutex_lock(&lock);
	load();
	found = take(point, due);
	pthread_mutex_unlock(&lock);
	return found;
}

int64_t fault_time(const char *point, int64_t ms)
{
	struct fault due;

	return find(point, &due) && due.action == ACT_TIME ? due.value : ms;
}

int fault_at(const char *point)
{
	struct fault due;

	if (!find(point, &due))
		return 0;
	switch (due.action) {
	case ACT_ERRNO:
		return (int)due.value;
	case ACT_SHORT:
		return FAULT_SHORT;
	case ACT_KILL:
		raise(SIGKILL);
		return 0;
	case ACT_SLEEP:
		nanosleep(&(struct timespec){due.value / 1000, due.value % 1000 * 1000000}, NULL);
		return 0;
	case ACT_TIME:
		return 0;
	}
	return 0;
}

#else

typedef int fault_not_compiled; /* ISO C wants one declaration */

#endif
