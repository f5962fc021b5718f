#include "cleanup/canonical.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mail/own.h"
#include "param/param.h"

const struct name_row address_classes[] = {
    {"envelope_sender", ADDRESS_ENVELOPE_SENDER},
    {"envelope_recipient", ADDRESS_ENVELOPE_RCPT},
    {"header_sender", ADDRESS_HEADER_SENDER},
    {"header_recipient", ADDRESS_HEADER_RCPT},
    {NULL, 0},
};

static struct step {
	const char *param;
	struct maps *maps;
	uint64_t classes;
} steps[3];
static bool propagate;

static void open_step(struct step *s, const char *param, const char *maps, const char *classes)
{
	struct err err;

	s->param = param;
	s->maps = maps_open(param, maps, TABLE_FOLD | TABLE_UTF8);
	if (names_mask(address_classes, str_of(classes), &s->classes, &err) < 0)
		log_fatal("%s: %s", param, err.text);
}

bool extension_propagates(const char *use)
{
	str rest = str_of(conf.propagate_unmatched_extensions), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, str_of(use)))
			return true;
	return false;
}

void canonical_setup(void)
{
	open_step(&steps[0], "sender_canonical_maps", conf.sender_canonical_maps,
	    conf.sender_canonical_classes);
	open_step(&steps[1], "recipient_canonical_maps", conf.recipient_canonical_maps,
	    conf.recipient_canonical_classes);
	open_step(&steps[2], "canonical_maps", conf.canonical_maps, conf.canonical_classes);
	propagate = extension_propagates("canonical");
}

static int map_once(struct message *m, struct step *s, struct buf *address)
{
	struct buf value = {0};
	struct err err;
	enum table_result t =
	    addr_map(s->maps, buf_view(address), ADDR_FIND_CANONICAL, propagate, &value, &err);

	if (t == TABLE_FOUND) {
		buf_clear(address);
		buf_str(address, buf_view(&value));
		buf_free(&value);
		return address_complete(m, "local", address);
	}
	buf_free(&value);
	if (t == TABLE_NONE)
		return 0;
	message_lookup_failed(m, s->param, buf_view(address), &err);
	return -1;
}

int canonical_map(struct message *m, enum address_class class, struct buf *address)
{
	for (int i = 0; i < 3; i++) {
		if (maps_empty(steps[i].maps) || !(steps[i].classes & class))
			continue;
		if (address->n > 0 && map_once(m, &steps[i], address) < 0)
			return -1;
	}
	return 0;
}
