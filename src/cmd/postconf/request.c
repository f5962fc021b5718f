/* "service/type/name" on the command line. */
#include "param/conffile.h"
#include "pc.h"

struct pc_request pc_request_parse(const char *text, int max_parts, bool assignment)
{
	struct pc_request r = {.text = text};
	struct err err = {0};
	str rest = str_of(text), part;

	if (assignment) {
		if (conffile_assignment(str_of(text), &rest, &r.value, &err) != 0)
			pc_fatal("%s", err.text);
	}
	for (int i = 0; i < 3; i++)
		r.part[i] = STR("*");
	while (rest.p && rest.n) {
		ptrdiff_t slash = str_chr(rest, '/');

		part = str_head(rest, slash < 0 ? rest.n : (size_t)slash);
		rest = slash < 0 ? (str){NULL, 0} : str_from(rest, (size_t)slash + 1);
		if (r.parts == max_parts || !part.n) {
			r.parts = -1;
			break;
		}
		r.part[r.parts++] = part;
	}
	return r;
}

bool pc_part_matches(str pattern, const char *text)
{
	return str_eq(pattern, STR("*")) || str_eq(pattern, str_of(text));
}

bool pc_request_has(struct pc_request *r, const struct pc_service *s)
{
	return pc_part_matches(r->part[0], s->field[0]) && pc_part_matches(r->part[1], s->field[1]);
}
