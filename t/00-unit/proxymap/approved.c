// with: src/proxymap/approved.c
#include "proxymap/approved.h"
#include "../../lib/tap.h"

int main(void)
{
	struct approved a = {0};

	approved_add(&a,
	    STR("proxy:unix:passwd.byname hash:/etc/aliases, proxy:inline:{a=b, {c=d e}}"
		" unionmap:{proxy:ldap:/x, static:y} check_client_access proxy:cidr:/z proxy:"));
	ok(approved_has(&a, STR("unix:passwd.byname")), "a word with proxy:");
	ok(approved_has(&a, STR("inline:{a=b, {c=d e}}")), "with braces");
	ok(approved_has(&a, STR("ldap:/x")), "inside of braces");
	ok(approved_has(&a, STR("cidr:/z")), "among restrictions");
	ok(!approved_has(&a, STR("hash:/etc/aliases")), "not without proxy:");
	ok(!approved_has(&a, STR("static:y")), "not without proxy: inside of braces");
	ok(!approved_has(&a, STR("")), "not nothing");
	ok(!approved_has(&a, STR("unix:passwd.bynam")), "not nearly");
	htab_free(&a.specs, NULL);
	return done();
}
