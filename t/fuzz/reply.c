/* Replies of a hostile server, and what we make of texts of strangers. */
#include "smtpwire/reply.h"
#include "mail/dsn.h"
#include "smtpwire/cmd.h"
#include "smtpwire/esmtp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply r = {0};
	struct ehlo_caps caps = {0};
	struct smtp_cmd cmd;
	struct buf out = {0};
	str in = str_mem(data, size), rest = in, line, dsn, text, name, value;
	char record[16];
	bool none;
	int code;

	reply_start(&r);
	while (rest.n && str_split(&rest, '\n', &line)) {
		if (reply_line(&r, line) != REPLY_MORE) {
			reply_joined(&r, &out);
			for (size_t i = 0; i < out.n; i++)
				if ((unsigned char)out.p[i] < ' ')
					abort();
			if (!dsn_valid(str_of(reply_dsn(&r, record))))
				abort();
			for (unsigned n = 0; reply_get_line(&r, n, &text); n++)
				ehlo_cap(&caps, text);
			reply_start(&r);
		}
	}
	reply_free(&r);
	buf_clear(&out);
	reply_put(&out, 550, "5.7.1", in, false);
	reply_put_footer(&out, 0, in);
	reply_fold(&out, 0);
	if (out.n < 2 || out.p[out.n - 1] != '\n')
		abort();
	for (rest = buf_view(&out); rest.n && str_split(&rest, '\n', &line);)
		if (line.n < 5 || memcmp(line.p, "550", 3) || (line.p[3] != '-') != (rest.n == 0) ||
		    line.n + 1 > REPLY_LINE_MAX)
			abort();
	reply_split(in, &code, &dsn, &text);
	smtp_cmd_split(in, &cmd);
	rest = cmd.args;
	smtp_cmd_keyword(&rest, "FROM");
	while (esmtp_param(&rest, &name, &value, NULL))
		;
	buf_clear(&out);
	xattr_get(in, &name, &out, &none);
	orcpt_valid(in);
	buf_free(&out);
	return 0;
}
