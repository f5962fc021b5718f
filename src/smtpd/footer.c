#include "smtpd/footer.h"

#include "log/log.h"
#include "param/param.h"
#include "smtpd/template.h"
#include "table/table.h"

static struct maps *maps;

void footer_setup(void)
{
	maps = maps_open("smtpd_reject_footer_maps", conf.smtpd_reject_footer_maps, 0);
}

void footer_get(struct session *s, str reply, struct buf *footer)
{
	struct buf text = {0};
	enum table_result t = TABLE_NONE;
	struct err err;

	if (!maps_empty(maps) && (t = maps_get(maps, reply, &text, &err)) == TABLE_ERROR)
		log_warn("smtpd_reject_footer_maps: %s", err.text);
	if (t != TABLE_FOUND) {
		buf_clear(&text);
		buf_cstr(&text, conf.smtpd_reject_footer);
	}
	if (text.n)
		template_expand(s, "smtpd_reject_footer", buf_view(&text), NULL, footer);
	buf_free(&text);
}
