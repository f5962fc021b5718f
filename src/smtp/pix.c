/* Work-arounds for servers behind an SMTP proxy that hides their greeting behind asterisks, as
 * Cisco PIX firewalls do ("fixup"): smtp_pix_workarounds. */
#include "smtp/smtp.h"

#include "base/clock.h"
#include "base/names.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "table/table.h"

enum { PIX_NO_ESMTP = 1, PIX_SLOW_DOT = 2 };

static const struct name_row names[] = {
    {"disable_esmtp", PIX_NO_ESMTP}, {"delay_dotcrlf", PIX_SLOW_DOT}, {NULL, 0}};
static uint64_t usual;
static struct maps *by_server;

static uint64_t mask_of(const char *param, str list)
{
	uint64_t mask = 0;
	struct err err;

	if (names_mask(names, list, &mask, &err) < 0)
		log_warn("%s: %s", param, err.text);
	return mask;
}

void pix_setup(void)
{
	usual = mask_of("smtp_pix_workarounds", str_of(conf.smtp_pix_workarounds));
	by_server = maps_open("smtp_pix_workaround_maps", conf.smtp_pix_workaround_maps, 0);
}

/* Nothing but these is left of a greeting. */
static bool is_masked(const struct conn *c)
{
	str text = buf_view(&c->reply.text);

	for (size_t i = 0; i < text.n; i++)
		if (!strchr("20 *\t\n", text.p[i]))
			return false;
	return true;
}

static uint64_t chosen(const struct host *h)
{
	char text[HOSTADDR_TEXT];
	struct buf value = {0};
	uint64_t mask = usual;
	enum table_result r;
	struct err err;

	if (h->path || maps_empty(by_server))
		return mask;
	r = maps_get(by_server, str_of(hostaddr_text(&h->addr, text)), &value, &err);
	if (r == TABLE_FOUND)
		mask = mask_of("smtp_pix_workaround_maps", buf_view(&value));
	else if (r == TABLE_ERROR)
		log_warn("smtp_pix_workaround_maps: %s", err.text);
	buf_free(&value);
	return mask;
}

void pix_look(struct conn *c, const struct delivery *d, const struct host *h)
{
	int64_t age = clock_wall_us() - d->m.arrival_us;
	struct buf list = {0};

	if (!is_masked(c))
		return;
	c->pix = (unsigned)chosen(h);
	if (age < conf.smtp_pix_workaround_threshold_time * INT64_C(1000000))
		c->pix &= ~(unsigned)PIX_SLOW_DOT;
	for (const struct name_row *n = names; n->name; n++)
		if (c->pix & (unsigned)n->value)
			buf_printf(&list, "%s%s", list.n ? " " : "", n->name);
	log_info("%senabling PIX workarounds: %s for %s", c->work, buf_text(&list), c->relay);
	buf_free(&list);
}

bool pix_wants_helo(const struct conn *c)
{
	return (c->pix & PIX_NO_ESMTP) != 0;
}

enum wait pix_before_dot(struct conn *c)
{
	enum wait w;

	if (!(c->pix & PIX_SLOW_DOT))
		return WAIT_OK;
	w = stream_flush(c->io, deadline_in(conf.smtp_data_xfer_timeout * 1000L));
	return w == WAIT_OK ? co_sleep(conf.smtp_pix_workaround_delay_time * 1000L) : w;
}
