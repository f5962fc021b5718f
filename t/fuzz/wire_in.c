/* Content from the wire: the same however it is cut; canonical wire form comes out, whose end
 * nobody can find earlier; cleaning and folding keep it so. */
#include "smtpwire/wire.h"

#include <stdlib.h>

static enum wire_state run(struct wire_in *w, str in, size_t n, struct buf *out, size_t *used)
{
	*used = 0;
	while (in.n) {
		size_t took;
		size_t before = out->n, given = str_head(in, n).n;
		enum wire_state state = wire_in_feed(w, str_head(in, n), out, &took);

		if (out->n - before > given * 4 + 300 || took > given)
			abort();
		*used += took;
		if (state == WIRE_END)
			return state;
		if (took != given)
			abort();
		in = str_from(in, took);
	}
	return WIRE_MORE;
}

static void check_wire(str wire, bool complete)
{
	size_t start = 0;

	for (size_t i = 0; i < wire.n; i++)
		if (wire.p[i] == '\n') {
			if (i == start || wire.p[i - 1] != '\r' ||
			    (wire.p[start] == '.' && wire.p[start + 1] != '.'))
				abort();
			start = i + 1;
		}
	if (complete && start != wire.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_in w, v;
	struct wire_facts facts = {0};
	struct buf a = {0}, b = {0}, c = {0};
	bool set[256] = {[0] = true, ['a'] = true, ['.'] = true};
	struct wire_clean clean = {0};
	struct wire_fold fold = {.limit = 7};
	struct wire_stuff stuff = {.lead.on = true};
	size_t n, used_a, used_b;
	enum wire_state state;
	str in;

	if (size < 2)
		return 0;
	n = data[1] % 16 + 1;
	in = str_mem(data + 2, size - 2);
	wire_in_start(&w, data[0] & 1, 0);
	wire_in_start(&v, data[0] & 1, 0);
	state = run(&w, in, in.n, &a, &used_a);
	if (run(&v, in, n, &b, &used_b) != state || used_a != used_b ||
	    !str_eq(buf_view(&a), buf_view(&b)) || w.bare_lf != v.bare_lf || w.size != v.size)
		abort();
	check_wire(buf_view(&a), state == WIRE_END);
	wire_facts_feed(&facts, buf_view(&a));
	if (state == WIRE_END) {
		if (facts.size != w.size)
			abort();
		clean.strays = data[0] & 2;
		clean.strip = data[0] & 4 ? set : NULL;
		set['.'] = data[0] & 8;
		for (str rest = buf_view(&a); rest.n; rest = str_from(rest, n))
			wire_clean_feed(&clean, str_head(rest, n), &c);
		wire_clean_end(&clean, &c);
		check_wire(buf_view(&c), true);
		buf_clear(&c);
		for (str rest = buf_view(&a); rest.n; rest = str_from(rest, n))
			wire_fold_feed(&fold, str_head(rest, n), &c);
		wire_fold_end(&fold, &c);
		check_wire(buf_view(&c), true);
	}
	buf_clear(&c);
	for (; in.n; in = str_from(in, n))
		wire_stuff_feed(&stuff, str_head(in, n), &c);
	wire_stuff_end(&stuff, &c);
	check_wire(buf_view(&c), true);
	buf_free(&a);
	buf_free(&b);
	buf_free(&c);
	return 0;
}
