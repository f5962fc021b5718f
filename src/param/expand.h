/* Beside expand_text() of param.h: what a text refers to. */
#ifndef POSTERN_PARAM_EXPAND_H
#define POSTERN_PARAM_EXPAND_H

#include "param/param.h"

/* Calls look for every name in the text, in both branches of conditions; its answers do not matter.
 */
int expand_scan(str text, expand_look look, void *ctx, struct err *err);

#endif
