#include "proxymap/approved.h"

void approved_add(struct approved *a, str list)
{
	str word;

	while (str_word_braced(&list, ", \t\r\n", &word)) {
		ptrdiff_t brace = str_chr(word, '{');

		if (str_starts(word, STR("proxy:"))) {
			str spec = str_from(word, 6);

			if (spec.n)
				htab_set(&a->specs, spec, a);
		}
		if (brace >= 0 && str_ends(word, STR("}")))
			approved_add(a, str_mem(word.p + brace + 1, word.n - (size_t)brace - 2));
	}
}

bool approved_has(const struct approved *a, str spec)
{
	return htab_get(&a->specs, spec) != NULL;
}
