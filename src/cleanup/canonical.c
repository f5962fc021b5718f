#include "cleanup/canonical.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mail/hdraddr.h"
#include "mail/own.h"
#include "param/param.h"

const struct name_row address_classes[] = {
    {"envelope_sender", ADDRESS_ENVELOPE_SENDER},
    {"envelope_recipient", ADDRESS_ENVELOPE_RCPT},
    {"header_sender", ADDRESS_HEADER_SENDER},
    {"header_recipient", ADDRESS_HEADER_RCPT},
    {NULL, 0},
};

/* So often may a result be mapped once more. */
#define MAX_DEPTH 10

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

/* The null sender is looked up as the "" that it is in external form, which patterns and static:
 * match. */
static enum table_result look_up(
    struct step *s, str address, struct buf *value, size_t *count, struct err *err)
{
	struct buf found = {0};
	enum table_result t;

	if (address.n)
		return addr_map(
		    s->maps, address, ADDR_FIND_CANONICAL, propagate, value, count, err);
	t = maps_get(s->maps, STR("\"\""), &found, err);
	if (t == TABLE_FOUND)
		hdraddr_one(buf_view(&found), value);
	buf_free(&found);
	return t;
}

/* 1 when the address was mapped to another one, 0 when not, -1 when it cannot be told. */
static int map_once(struct message *m, struct step *s, struct buf *address)
{
	struct buf value = {0};
	size_t count = 0;
	struct err err;
	enum table_result t = look_up(s, buf_view(address), &value, &count, &err);
	bool same = t == TABLE_FOUND && str_eq(buf_view(&value), buf_view(address));

	if (count > 1)
		log_warn("%s: multi-valued %s entry for %.*s", m->id, s->param,
		    STR_FMT(buf_view(address)));
	if (t == TABLE_FOUND && !same) {
		buf_clear(address);
		buf_str(address, buf_view(&value));
	}
	buf_free(&value);
	if (t == TABLE_FOUND)
		return address_complete(m, "local", address) < 0 ? -1 : !same;
	if (t == TABLE_NONE)
		return 0;
	message_lookup_failed(m, s->param, address->n ? buf_view(address) : STR("\"\""), &err);
	return -1;
}

/* What a table gives is looked up in it again. */
static int map_step(struct message *m, struct step *s, struct buf *address)
{
	int mapped = 1;

	for (int depth = 0; mapped == 1; depth++) {
		if (depth == MAX_DEPTH) {
			log_warn("%s: unreasonable %s map nesting for %.*s", m->id, s->param,
			    STR_FMT(buf_view(address)));
			return 0;
		}
		mapped = map_once(m, s, address);
	}
	return mapped < 0 ? -1 : 0;
}

int canonical_map(struct message *m, enum address_class class, struct buf *address)
{
	for (int i = 0; i < 3; i++) {
		if (maps_empty(steps[i].maps) || !(steps[i].classes & class))
			continue;
		if (map_step(m, &steps[i], address) < 0)
			return -1;
	}
	return 0;
}
