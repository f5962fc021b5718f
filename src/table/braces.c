#include "table/type.h"

int table_braces(str s, str *inner, struct err *err)
{
	size_t depth = 0, n = 0;

	if (s.n == 0 || s.p[0] != '{')
		return err_set(
		    err, "no '{' at start of text in \"%.*s\"", STR_FMT(str_head(s, 200)));
	do {
		if (s.p[n] == '{')
			depth++;
		else if (s.p[n] == '}')
			depth--;
		n++;
	} while (depth && n < s.n);
	if (depth)
		return err_set(err, "missing '}' in \"%.*s\"", STR_FMT(str_head(s, 200)));
	if (n != s.n)
		return err_set(
		    err, "syntax error after '}' in \"%.*s\"", STR_FMT(str_head(s, 200)));
	*inner = str_trim(str_mem(s.p + 1, n - 2));
	return 0;
}
