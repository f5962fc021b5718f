#include "param/param.h"
#include "t/lib/tap.h"

static void check(const char *text, char unit, int want)
{
	struct err err = {0};
	int n = -1;

	if (time_parse(str_of(text), unit, &n, &err) != 0)
		n = -1;
	is_int(n, want, text);
	if (want < 0)
		ok(strstr(err.text, text) != NULL, "  the error names it");
}

int main(void)
{
	check("0", 's', 0);
	check("7", 's', 7);
	check("7", 'h', 25200);
	check("7s", 'h', 7);
	check("2m", 's', 120);
	check("2h", 's', 7200);
	check("2d", 's', 172800);
	check("2w", 's', 1209600);
	check("2147483647s", 's', 2147483647);
	check("2147483648s", 's', -1);
	check("99999999999999999999999s", 's', -1);
	check("3551w", 's', -1);
	check("", 's', -1);
	check("s", 's', -1);
	check("-1s", 's', -1);
	check("+1s", 's', -1);
	check("1.5h", 's', -1);
	check("5x", 's', -1);
	check("5S", 's', -1);
	check("1h30m", 's', -1);
	check(" 5s", 's', -1);
	check("5 s", 's', -1);
	return done();
}
