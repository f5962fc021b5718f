/* struct conf: one member for each row of param.tbl. */
#ifndef POSTERN_PARAM_CONF_STRUCT_H
#define POSTERN_PARAM_CONF_STRUCT_H

#include <stdbool.h>
#include <stdint.h>

struct conf {
#define PARAM_STR(member, name, def, acts, programs, since, prose)		  const char *member;
#define PARAM_RAW(member, name, def, acts, programs, since, prose)		  const char *member;
#define PARAM_ENUM(member, name, def, words, acts, programs, since, prose)	  const char *member;
#define PARAM_COMPUTED(member, name, acts, programs, since, prose)		  const char *member;
#define PARAM_INT(member, name, def, lo, hi, acts, programs, since, prose)	  int member;
#define PARAM_TIME(member, name, def, unit, lo, hi, acts, programs, since, prose) int member;
#define PARAM_SIZE(member, name, def, lo, hi, acts, programs, since, prose)	  int64_t member;
#define PARAM_BOOL(member, name, def, acts, programs, since, prose)		  bool member;
#include "param/param.tbl"
};

#endif
