/* master_service_disable: listeners of master.cf that stay closed. Items are a type of service
 * ("inet"), or name/type ("smtp/inet"); "!" in front excepts one; the first that matches decides.
 */
#include "base/str.h"
#include "log/log.h"
#include "master/master.h"
#include "param/param.h"

static bool matches(str item, str name, str type)
{
	ptrdiff_t at = str_rchr(item, '/');

	if (at < 0)
		return str_eq_nocase(item, type);
	return str_eq_nocase(str_head(item, (size_t)at), name) &&
	       str_eq_nocase(str_from(item, (size_t)at + 1), type);
}

bool service_disabled(const struct mastercf_service *s)
{
	str rest = str_of(conf.master_service_disable), item;

	while (str_word(&rest, ", \t\r\n", &item)) {
		bool except = item.p[0] == '!';

		if (matches(str_from(item, except), str_of(s->name),
			str_of(service_type_names[s->type])))
			return !except;
	}
	return false;
}
