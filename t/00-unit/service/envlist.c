/* Environments made of import_environment and export_environment. */
#include "service/envlist.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"

static const char *value(char *const *v, const char *name)
{
	size_t n = strlen(name);

	for (; *v; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return "(none)";
}

int main(void)
{
	struct envlist e = {0};
	const char *const *commands;

	setenv("HERE", "a b", 1);
	unsetenv("AWAY");
	envlist_add(&e, "HERE AWAY, X=1 {Y = two words} {Z} {HERE2=}, =nothing {}");
	is_int((long long)e.n, 4, "four have a value");
	is_cstr(value(e.v, "HERE"), "a b", "what is there");
	is_cstr(value(e.v, "X"), "1", "NAME=value");
	is_cstr(value(e.v, "Y"), "two words", "{NAME = value}");
	is_cstr(value(e.v, "HERE2"), "", "an empty value");
	envlist_add(&e, "X=2");
	is_cstr(value(e.v, "X"), "2", "the later one counts");
	is_int((long long)e.n, 4, "and takes its place");
	ok(e.v[e.n] == NULL, "a NULL at the end");
	envlist_free(&e);

	tmpconf("export_environment = HERE {GREETING = hello there}\n");
	setenv("SECRET", "x", 1);
	commands = envlist_for_commands();
	is_cstr(value((char *const *)commands, "PATH"), "/usr/bin:/bin", "PATH of commands");
	is_cstr(value((char *const *)commands, "HERE"), "a b", "an exported variable");
	is_cstr(value((char *const *)commands, "GREETING"), "hello there", "a given one");
	is_cstr(value((char *const *)commands, "SECRET"), "(none)", "nothing else");
	return done();
}
