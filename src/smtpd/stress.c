#include "smtpd/stress.h"

#include "log/log.h"
#include "param/param.h"
#include "service/service.h"

#include <stdlib.h>

static const char *const names[STRESS_COUNT] = {
    [STRESS_TIMEOUT] = "smtpd_timeout",
    [STRESS_HARD_ERRORS] = "smtpd_hard_error_limit",
    [STRESS_JUNK] = "smtpd_junk_command_limit",
    [STRESS_DEADLINE] = "smtpd_per_request_deadline",
};
static int values[2][STRESS_COUNT];
static bool always;

static int evaluate(enum stress_param p, bool stressed)
{
	struct buf text = {0};
	int v = 0;

	if (!conf_get_with(names[p], "stress", stressed ? "yes" : "", &text))
		log_panic("no parameter %s", names[p]);
	if (p == STRESS_DEADLINE)
		v = str_eq_nocase(buf_view(&text), STR("yes"));
	else if (time_parse(buf_view(&text), 's', &v, NULL) < 0)
		log_fatal("bad value of %s: %s", names[p], buf_text(&text));
	buf_free(&text);
	return v;
}

void stress_setup(void)
{
	struct buf text = {0};

	always = conf_get("stress", &text) && text.n > 0;
	buf_free(&text);
	for (int p = 0; p < STRESS_COUNT; p++) {
		values[0][p] = evaluate(p, false);
		values[1][p] = evaluate(p, true);
	}
}

bool stress_now(void)
{
	return always || service_sessions() >= service_limit();
}

int stress_value(enum stress_param p)
{
	return values[stress_now()][p];
}

static int64_t limit(void)
{
	return deadline_in(stress_value(STRESS_TIMEOUT) * 1000L);
}

void stress_request_begins(struct stream *io)
{
	if (stress_value(STRESS_DEADLINE))
		io->deadline_all = limit();
}

void stress_request_ends(struct stream *io)
{
	io->deadline_all = FOREVER;
}

void stress_request_data(struct stream *io, size_t bytes)
{
	if (io->deadline_all != FOREVER && conf.smtpd_min_data_rate > 0)
		io->deadline_all = deadline_min(
		    io->deadline_all + (int64_t)bytes * 1000 / conf.smtpd_min_data_rate, limit());
}
