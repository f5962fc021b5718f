/* TAP for unit tests: ok(), is_int(), is_str(), done(). */
#ifndef POSTERN_T_TAP_H
#define POSTERN_T_TAP_H

#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

static inline void tap_result(int good, const char *file, int line, const char *what)
{
	tap_count++;
	printf("%s %d - %s\n", good ? "ok" : "not ok", tap_count, what);
	if (!good) {
		tap_failed++;
		printf("#   at %s line %d\n", file, line);
	}
	fflush(stdout);
}
static inline void tap_is_str(str got, str want, const char *file, int line, const char *what)
{
	int good = str_eq(got, want);
	tap_result(good, file, line, what);
	if (!good)
		printf("#   got:  '%.*s'\n#   want: '%.*s'\n", STR_FMT(got), STR_FMT(want));
}
static inline void tap_is_int(
    long long got, long long want, const char *file, int line, const char *what)
{
	tap_result(got == want, file, line, what);
	if (got != want)
		printf("#   got:  %lld\n#   want: %lld\n", got, want);
}
#define ok(cond, what)		 tap_result(!!(cond), __FILE__, __LINE__, what)
#define is_int(got, want, what)	 tap_is_int((got), (want), __FILE__, __LINE__, what)
#define is_str(got, want, what)	 tap_is_str((got), (want), __FILE__, __LINE__, what) /* slices */
#define is_cstr(got, want, what) tap_is_str(str_of(got), str_of(want), __FILE__, __LINE__, what)

/* Ends main(): return done(); */
static inline int done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
