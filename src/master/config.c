/* The services of master.cf, at start and at reload. */
#include "base/mem.h"
#include "log/log.h"
#include "master/master.h"
#include "param/param.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs that are one process by design, whatever master.cf says. */
static const char *const single[] = {
    "qmgr", "oqmgr", "nqmgr", "pickup", "postlogd", "tlsmgr", "anvil", "scache", "verify", "flush"};
/* postlogd only where it has something to write to. */
static const char *const residents[] = {"qmgr", "oqmgr", "nqmgr", "postlogd"};

static bool is_one_of(const char *word, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], word) == 0)
			return true;
	return false;
}

static char *text(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	char *out;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	out = mem_strdup(buf_text(&b));
	buf_free(&b);
	return out;
}

/* Programs that start a process of their own for each session. */
static const char *const forking[] = {"local", "pipe", "spawn"};

/* The maxproc column counts sessions; "-" means many, unless the administrator set
 * default_process_limit, or each costs a process. */
static void set_limits(struct master_service *s, int maxproc)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	s->forks = is_one_of(s->command, forking, ARRAY_SIZE(forking));
	if (maxproc < 0)
		s->sessions_max = conf_is_set("default_process_limit") || s->forks
				      ? conf.default_process_limit
				      : SESSIONS_DEFAULT;
	else
		s->sessions_max = maxproc;
	if (s->sessions_max == 0)
		s->sessions_max = SESSIONS_NO_LIMIT;
	s->workers_max = cores < 1		   ? 1
			 : cores < s->sessions_max ? (int)cores
						   : (int)s->sessions_max;
	if (is_one_of(s->command, single, ARRAY_SIZE(single))) {
		s->workers_max = 1;
		if (s->sessions_max == 1)
			s->sessions_max =
			    SESSIONS_NO_LIMIT; /* one process that serves many, as ever */
	}
}

static void not_set(void *arg)
{
	(void)arg;
}

static struct master_service *service_new(const struct mastercf_service *c)
{
	struct master_service *s = mem_zero(sizeof *s);

	s->name = mem_strdup(c->name);
	s->command = mem_strdup(c->command);
	s->path = text("%s/%s", conf.daemon_directory, c->command);
	s->key = text("%s/%d/%d", c->name, (int)c->type, c->is_private);
	s->type = c->type;
	if (c->type != SERVICE_INET)
		s->socket_path = text("%s/%s", c->is_private ? "private" : "public", c->name);
	s->is_private = c->is_private;
	s->unpriv = c->unpriv;
	s->chroot = c->chroot;
	s->wakeup = c->wakeup;
	s->wakeup_if_used = c->wakeup_if_used;
	s->resident = is_one_of(s->command, residents, ARRAY_SIZE(residents)) &&
		      (*conf.maillog_file || strcmp(s->command, "postlogd") != 0);
	s->nargs = c->nargs;
	s->args = mem_zero(sizeof *s->args * (c->nargs + 1));
	for (size_t i = 0; i < c->nargs; i++)
		s->args[i] = mem_strdup(c->args[i]);
	set_limits(s, c->maxproc);
	timer_init(&s->wake, not_set, s);
	timer_init(&s->throttle, not_set, s);
	timer_init(&s->release, not_set, s);
	return s;
}

void service_free(struct master_service *s)
{
	struct worker *w;

	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (w->service == s)
			w->service = NULL;
	}
	sockets_close(s, true);
	timer_free(&s->wake);
	timer_free(&s->throttle);
	timer_free(&s->release);
	for (size_t i = 0; i < s->nargs; i++)
		free(s->args[i]);
	free(s->args);
	free(s->socks);
	free(s->name);
	free(s->command);
	free(s->path);
	free(s->key);
	free(s->socket_path);
	free(s);
}

void services_free(struct list *services)
{
	struct master_service *s;

	LIST_FOREACH (s, services, struct master_service, node) {
		list_remove(&s->node);
		service_free(s);
	}
}

struct master_service *service_find(struct list *services, const char *key)
{
	struct master_service *s;

	LIST_FOREACH (s, services, struct master_service, node) {
		if (strcmp(s->key, key) == 0)
			return s;
	}
	return NULL;
}

/* A name of a socket below public/ or private/ must stay there. */
static int check_name(const struct mastercf_service *c, struct err *err)
{
	if (c->type != SERVICE_INET && (strchr(c->name, '/') || c->name[0] == '.'))
		return err_set(err, "%s/master.cf: line %d: bad service name: %s", conf_dir(),
		    c->line, c->name);
	if (strchr(c->command, '/') || c->command[0] == '.')
		return err_set(err, "%s/master.cf: line %d: bad command name: %s", conf_dir(),
		    c->line, c->command);
	return 0;
}

int services_load(struct list *out, struct err *err)
{
	struct mastercf cf = {0};
	struct buf missing = {0};
	int r = 0;

	list_init(out);
	if (mastercf_load(&cf, err) < 0)
		return -1;
	for (size_t i = 0; i < cf.n && r == 0; i++) {
		struct master_service *s;

		if (check_name(&cf.v[i], err) < 0) {
			r = -1;
			break;
		}
		if (cf.v[i].repeated)
			log_warn(
			    "duplicate master.cf entry for service \"%s\" (%s) -- using the last "
			    "entry",
			    cf.v[i].name, cf.v[i].name);
		if (service_disabled(&cf.v[i]))
			continue;
		s = service_new(&cf.v[i]);
		if (access(s->path, X_OK) < 0) {
			buf_printf(
			    &missing, "%s%s (%s)", missing.n ? ", " : "", s->name, s->command);
			service_free(s);
		} else if (service_find(out, s->key)) {
			r = err_set(err, "%s/master.cf: line %d: duplicate service: %s", conf_dir(),
			    cf.v[i].line, s->name);
			service_free(s);
		} else {
			list_append(out, &s->node);
		}
	}
	mastercf_free(&cf);
	if (r < 0)
		services_free(out);
	else if (missing.n)
		log_warn("services whose program is not in %s are not available: %s",
		    conf.daemon_directory, buf_text(&missing));
	buf_free(&missing);
	return r;
}

void services_start(void)
{
	struct master_service *s;

	LIST_FOREACH (s, &master.services, struct master_service, node) {
		if (s->resident)
			workers_start(s);
		workers_watch(s);
		wakeup_start(s);
	}
}

/* Sockets of the new configuration, those that stay the same taken from the old. A service whose
 * socket cannot be opened is left out with an error: the others go on. */
static void open_sockets(struct list *fresh)
{
	struct master_service *s, *old;
	struct err err;

	/* Those that go first: a new one may have the same path. */
	LIST_FOREACH (s, &master.services, struct master_service, node) {
		if (service_find(fresh, s->key) == NULL)
			sockets_close(s, true);
	}
	LIST_FOREACH (s, fresh, struct master_service, node) {
		old = service_find(&master.services, s->key);
		if (old)
			s->used = old->used;
		if (sockets_open(s, old, &err) < 0) {
			log_error("%s", err.text);
			list_remove(&s->node);
			service_free(s);
		}
	}
}

int services_reload(struct err *err)
{
	struct list fresh;
	struct master_service *s;
	struct worker *w;

	if (services_load(&fresh, err) < 0)
		return -1;
	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (!w->draining)
			worker_send_drain(w);
		w->service = NULL;
	}
	open_sockets(&fresh);
	services_free(&master.services);
	LIST_FOREACH (s, &fresh, struct master_service, node) {
		list_remove(&s->node);
		list_append(&master.services, &s->node);
	}
	services_start();
	return 0;
}
