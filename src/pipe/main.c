/* pipe: delivers to commands that master.cf names. */
#include "log/log.h"
#include "mailbox/copy.h"
#include "param/param.h"
#include "pipe/options.h"
#include "service/envlist.h"
#include "service/privilege.h"
#include "service/service.h"
#include "service/verdict.h"
#include "table/table.h"

#include <errno.h>
#include <unistd.h>

static struct options options;
static struct account account;
static struct argv_template template;
static struct err template_err; /* why argv= cannot be used: deliveries are deferred then */
static int time_limit;		/* s */

#define CONFIG_ERROR "mail system configuration error"

static void tell_all(struct delivery *d, struct fate *f)
{
	f->relay = service_name();
	for (size_t i = 0; i < d->nrcpts; i++)
		delivery_fate(d, &d->rcpts[i], f);
}

static void tell(struct delivery *d, enum rcpt_kind kind, const char *dsn, const char *reason)
{
	struct fate f = {.kind = kind, .dsn = dsn, .reason = reason};

	tell_all(d, &f);
}

/* --- what is decided without the command; true: it is */

static bool is_misconfigured(struct delivery *d)
{
	if (template_err.text[0])
		log_warn("service %s: %s", service_name(), template_err.text);
	else if (*options.need_single && d->nrcpts > 1)
		log_warn("pipe flag \"%s\" requires %s_destination_recipient_limit = 1",
		    options.need_single, service_name());
	else
		return false;
	tell(d, RCPT_DEFERRED, "4.3.5", CONFIG_ERROR);
	return true;
}

static bool is_too_large(struct delivery *d)
{
	if (options.size == 0 || d->m.size <= options.size)
		return false;
	tell(d, RCPT_BOUNCED, "5.2.3", "message too large");
	return true;
}

static bool is_probe(struct delivery *d)
{
	if (!(d->m.flags & (DELIVER_PROBE | DELIVER_REPORT_ONLY)))
		return false;
	tell(d, RCPT_SENT, "2.0.0",
	    arena_printf(&d->arena, "delivers to command: %s", options.words[0]));
	return true;
}

/* There is one recipient then. */
static bool is_loop(struct delivery *d)
{
	str rcpt = d->rcpts[0].address;
	int before;

	if (!(options.copy_flags & COPY_DELIVERED_TO))
		return false;
	before = copy_delivered_before(d, rcpt);
	if (before == 0)
		return false;
	if (before < 0)
		tell(d, RCPT_DEFERRED, "4.3.0", "queue file read error");
	else
		tell(d, RCPT_BOUNCED, "5.4.6",
		    arena_printf(&d->arena, "mail forwarding loop for %.*s", STR_FMT(rcpt)));
	return true;
}

/* --- the command */

static int put(struct buf *piece, void *arg)
{
	struct stream *to = arg;
	enum wait w = stream_write(to, piece->p, piece->n, FOREVER);

	if (w == WAIT_OK)
		w = stream_flush(to, FOREVER);
	buf_clear(piece);
	return w == WAIT_OK ? 0 : -1;
}

static int feed(struct stream *to, void *arg, struct err *err)
{
	if (copy_message(arg, put, to) < 0)
		return err_errno(err, errno, "reading the content");
	return 0;
}

static void tell_result(struct delivery *d, const struct command_result *r)
{
	str said = verdict_text(buf_view(&r->output), &d->arena);
	struct fate f = {.relay = service_name()};

	if (r->end == COMMAND_NO_INPUT)
		log_warn("%.*s: %s", STR_FMT(d->m.queue_id), r->err.text);
	verdict_make(&f, r, options.words[0], &d->arena);
	if (f.kind == RCPT_SENT) {
		f.action = options.final ? "delivered" : "relayed";
		f.reason = arena_printf(&d->arena,
		    said.n > 0 ? "delivered via %s service (%s)" : "delivered via %s service",
		    service_name(), said.p);
	}
	tell_all(d, &f);
}

static void run_command(struct delivery *d)
{
	str sender = d->m.sender;
	struct copy copy = {.d = d,
	    .rcpt = &d->rcpts[0],
	    .flags = options.copy_flags,
	    .sender = sender.n > 0 ? sender : str_of(options.null_sender),
	    .eol = buf_view(&options.eol)};
	struct command c = {
	    .argv = argv_expand(&template, d, options.argv_flags, options.null_sender),
	    .env = envlist_for_commands(),
	    .dir = options.dir,
	    .root = options.root,
	    .set_ids = geteuid() == 0,
	    .uid = account.uid,
	    .gid = account.gid,
	    .time_limit = time_limit * INT64_C(1000),
	    .feed = feed,
	    .arg = &copy};
	struct command_result r;

	command_run(&c, &r);
	tell_result(d, &r);
	buf_free(&r.output);
}

static void pipe_deliver(struct delivery *d)
{
	if (d->nrcpts == 0 || is_misconfigured(d) || is_too_large(d) || is_probe(d) || is_loop(d))
		return;
	run_command(d);
}

static void pipe_serve(struct stream *qmgr, const struct hostaddr *peer)
{
	(void)peer;
	delivery_serve(qmgr, pipe_deliver);
}

static void pipe_setup(void)
{
	struct err err;

	if (options_parse(&options, service_args(), &err) < 0 ||
	    account_parse(&account, str_of(options.user), &err) < 0)
		log_fatal("service %s: %s", service_name(), err.text);
	if (!account_possible(&account))
		log_fatal("service %s: user %s: only root runs commands as others", service_name(),
		    options.user);
	/* A broken argv= is told with each message that it holds up. */
	argv_parse(&template, options.words, &template_err);
	time_limit = conf_transport_time(service_name(), "_time_limit", conf.command_time_limit);
	if (time_limit < 1)
		log_fatal("parameter %s_time_limit: 0; the least is 1s", service_name());
	delivery_filter(
	    maps_open("pipe_delivery_status_filter", conf.pipe_delivery_status_filter, 0));
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "pipe",
	    .setup = pipe_setup,
	    .serve = pipe_serve,
	    .keep_root = true,
	    .privileges = PRIVILEGES_RUN | PRIVILEGES_QUEUE | PRIVILEGE(CAP_SYS_CHROOT)};

	return service_main(argc, argv, &service);
}
