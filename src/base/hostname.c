/* The syntax of host names: RFC 1123 2.1, RFC 952. */
#include "base/hostaddr.h"

#define LABEL_MAX    63
#define HOSTNAME_LEN 255

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int check_label(str label, str shown, struct err *err)
{
	if (label.n == 0)
		return err_set(err, "misplaced delimiter: %.*s", STR_FMT(shown));
	if (label.n > LABEL_MAX)
		return err_set(err, "hostname label too long: %.*s", STR_FMT(shown));
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return err_set(err, "misplaced hyphen: %.*s", STR_FMT(shown));
	for (size_t i = 0; i < label.n; i++)
		if (!is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return err_set(err, "invalid character %d(decimal): %.*s",
			    (unsigned char)label.p[i], STR_FMT(shown));
	return 0;
}

bool hostname_valid(str name, struct err *err)
{
	str rest = name, label, shown = str_head(name, 100);
	bool numeric = true;

	if (name.n == 0) {
		err_set(err, "empty hostname");
		return false;
	}
	if (name.n > HOSTNAME_LEN) {
		err_set(err, "hostname too long: %.*s", STR_FMT(shown));
		return false;
	}
	while (str_split(&rest, '.', &label)) {
		if (check_label(label, shown, err) < 0)
			return false;
		numeric = numeric && str_is_digits(label);
	}
	if (numeric)
		err_set(err, "numeric hostname: %.*s", STR_FMT(shown));
	return !numeric;
}
