#include "ipc/record.h"
#include "base/clock.h"
#include "log/event.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "table/table.h"
#include <stdio.h>

static struct maps *filter_maps;

void delivery_filter(struct maps *filter)
{
	filter_maps = filter;
}

static char class_of(enum rcpt_kind kind)
{
	return kind == RCPT_SENT ? '2' : kind == RCPT_BOUNCED ? '5' : '4';
}

static void set_dsn(struct record *rec, str code)
{
	snprintf(rec->dsn, sizeof rec->dsn, "%.*s", STR_FMT(code));
}

/* A code of the wrong class, or none, becomes the general one. */
static void check_dsn(struct record *rec, const char *dsn)
{
	static const char *const who[] = {"defer_append", "sent", "defer_append", "bounce_append"};
	str code = str_of(dsn);

	if (code.n < sizeof rec->dsn && code.n > 0 && dsn_valid(code) == code.n &&
	    *dsn == class_of(rec->kind)) {
		set_dsn(rec, code);
		return;
	}
	if (code.n > 0)
		log_warn("%s: ignoring dsn code \"%.*s\"", who[rec->kind], STR_FMT(code));
	snprintf(rec->dsn, sizeof rec->dsn, "%c.0.0", class_of(rec->kind));
}

/* A filter's answer: "code text", success for success only; a code alone leaves the text. */
static bool use_answer(struct record *rec, str answer)
{
	size_t n = dsn_valid(answer);
	str text = str_trim(str_from(answer, n));

	if (n == 0 || n >= sizeof rec->dsn || (answer.p[0] == '2') != (rec->kind == RCPT_SENT))
		return false;
	set_dsn(rec, str_head(answer, n));
	if (rec->kind != RCPT_SENT)
		rec->kind = answer.p[0] == '5' ? RCPT_BOUNCED : RCPT_DEFERRED;
	if (text.n > 0) {
		buf_clear(&rec->reason);
		buf_str(&rec->reason, text);
	}
	return true;
}

static void apply_filter(struct record *rec)
{
	struct buf query = {0}, answer = {0};
	enum table_result found;
	struct err err;

	if (filter_maps == NULL || maps_empty(filter_maps))
		return;
	buf_printf(&query, "%s %s", rec->dsn, buf_text(&rec->reason));
	found = maps_get(filter_maps, buf_view(&query), &answer, &err);
	if (found == TABLE_ERROR)
		log_warn("delivery status filter: %s", err.text);
	else if (found == TABLE_FOUND && !use_answer(rec, buf_view(&answer)))
		log_warn("delivery status filter: bad result \"%s\" for \"%s\"", buf_text(&answer),
		    buf_text(&query));
	buf_free(&query);
	buf_free(&answer);
}

void record_make(struct record *rec, const struct delivery *d, const struct fate *f)
{
	*rec = (struct record){.kind = f->kind == RCPT_PENDING ? RCPT_DEFERRED : f->kind,
	    .probe = (d->m.flags & (DELIVER_PROBE | DELIVER_REPORT_ONLY)) != 0};
	buf_cstr(&rec->reason, f->reason);
	check_dsn(rec, f->dsn ? f->dsn : "");
	apply_filter(rec);
	if (rec->kind == RCPT_BOUNCED && conf.soft_bounce && !rec->probe) {
		rec->kind = RCPT_DEFERRED;
		rec->soft = true;
		rec->dsn[0] = '4';
	}
	rec->now_us = clock_wall_us();
}

static const char *status_word(const struct record *rec)
{
	if (rec->probe)
		return rec->kind == RCPT_SENT ? "deliverable" : "undeliverable";
	if (rec->soft)
		return "SOFTBOUNCE";
	return rec->kind == RCPT_SENT ? "sent" : rec->kind == RCPT_BOUNCED ? "bounced" : "deferred";
}

static void trim_zeros(struct buf *out)
{
	while (out->p[out->n - 1] == '0')
		buf_cut(out, out->n - 1);
	if (out->p[out->n - 1] == '.')
		buf_cut(out, out->n - 1);
}

void delivery_delay(struct buf *out, int64_t us)
{
	static const int64_t unit[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	int digits = conf.delay_logging_resolution_limit;

	digits = digits < 0 ? 0 : digits > 6 ? 6 : digits;
	if (us < unit[digits]) {
		buf_char(out, '0');
		return;
	}
	/* Fewer digits after the point, until two significant ones are left. */
	while (digits > 0 && (us + unit[digits] / 2) / unit[digits] >= 100)
		digits--;
	us = (us + unit[digits] / 2) / unit[digits] * unit[digits];
	buf_printf(out, "%lld", (long long)(us / 1000000));
	if (digits > 0) {
		buf_printf(out, ".%0*lld", digits, (long long)(us % 1000000 / unit[digits]));
		trim_zeros(out);
	}
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* a/b/c/d: before the active queue, in it, connecting, the rest. */
static void print_delays(
    struct buf *out, const struct record *rec, const struct delivery *d, const char *relay)
{
	int64_t active = later(d->m.active_us, d->m.arrival_us);
	int64_t agent = later(d->agent_us, active);
	int64_t now = later(rec->now_us, agent);
	int64_t ready = d->conn_us ? later(d->conn_us, agent) : strcmp(relay, "none") ? agent : now;

	delivery_delay(out, active - d->m.arrival_us);
	buf_char(out, '/');
	delivery_delay(out, agent - active);
	buf_char(out, '/');
	delivery_delay(out, ready - agent);
	buf_char(out, '/');
	delivery_delay(out, now - ready);
}

void record_log(const struct record *rec, const struct delivery *d, const struct delivery_rcpt *r,
    const struct fate *f)
{
	const char *relay = f->relay ? f->relay : "none";
	bool has_orig = r->orig_address.n > 0 && !str_eq_nocase(r->orig_address, r->address);
	struct buf id = {0}, delay = {0}, delays = {0};

	buf_str(&id, d->m.queue_id);
	delivery_delay(&delay, rec->now_us - d->m.arrival_us);
	print_delays(&delays, rec, d, relay);
	log_delivery(buf_text(&id), r->address, has_orig ? r->orig_address : LOG_NONE, relay,
	    f->conn_use > 1 ? (uint64_t)f->conn_use : 0, buf_text(&delay), buf_text(&delays),
	    rec->dsn, status_word(rec), buf_text(&rec->reason));
	buf_free(&id);
	buf_free(&delay);
	buf_free(&delays);
}

void record_status(const struct record *rec, const struct delivery_rcpt *r, const struct fate *f,
    struct ipc_rcpt_status *st)
{
	const char *action = rec->kind == f->kind ? f->action : NULL;

	if (rec->probe)
		action = status_word(rec);
	*st = (struct ipc_rcpt_status){.index = r->index,
	    .kind = rec->kind,
	    .dsn = str_of(rec->dsn),
	    .action = str_of(action),
	    .mta_type = str_of(f->mta_type),
	    .mta_name = str_of(f->mta_name),
	    .diag_type = str_of(f->diag_type),
	    .diag = str_of(f->diag),
	    .reason = buf_view(&rec->reason),
	    .time_us = rec->now_us,
	    .relay = str_of(f->relay)};
}

void record_free(struct record *rec)
{
	buf_free(&rec->reason);
}
