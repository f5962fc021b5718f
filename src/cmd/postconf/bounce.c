/* -b, -t: the texts of bounces. */
#include "mail/bouncetext.h"
#include "param/param.h"
#include "pc.h"
#include <stdio.h>

void pc_show_bounces(char **args)
{
	struct buf out = {0};
	struct err err = {0};

	if (*args && args[1])
		pc_fatal("options -b and -t require at most one template file");
	if (conf_load(pc_warn, &err) != 0)
		pc_fatal("%s", err.text);
	if (bounce_texts_load(*args ? *args : conf.bounce_template_file, pc_warn, &err) != 0)
		pc_fatal("%s", err.text);
	for (int i = 0; i < BOUNCE_TEXT_COUNT; i++) {
		if (i)
			buf_char(&out, '\n');
		bounce_text_print(bounce_text((enum bounce_text_kind)i), pc_mode & PC_BOUNCE, &out);
	}
	fputs(buf_text(&out), stdout);
	buf_free(&out);
}
