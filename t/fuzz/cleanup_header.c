/* Header fields on their way through cleanup: parsed, checked, rewritten, completed. Whatever comes
 * in, wire form comes out. */
// with: src/cleanup/header.c src/cleanup/checks.c src/cleanup/address.c src/cleanup/canonical.c
// src/cleanup/masquerade.c src/cleanup/receive.c src/cleanup/content.c src/cleanup/finish.c
// src/cleanup/recipient.c src/cleanup/sender.c src/cleanup/virtual.c src/cleanup/qmgr_clnt.c
// src/cleanup/changed.c src/cleanup/milter.c src/cleanup/milter_env.c src/cleanup/milter_session.c
#include "../00-unit/cleanup/fake.h"

#include "mail/addr.h"
#include "mail/hdraddr.h"
#include "mail/mime.h"
#include "param/param.h"

#include <stdio.h>
#include <unistd.h>

/* An address that is not complete would be asked for, and there is nobody to ask. */
static bool find_incomplete(void *ctx, str address, struct buf *out)
{
	str domain = addr_domain(address);

	(void)out;
	if (domain.n == 0 || address.p[0] == '@' || str_ends(domain, STR(".")) ||
	    (domain.p[0] != '[' && str_chr(domain, '.') <= 0))
		*(bool *)ctx = true;
	return false;
}

static void on_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	struct message *m = ctx;
	bool incomplete = false;
	str name, value;

	if (!checks_field(m, class, &row, &text))
		return;
	if ((row->flags & (H_SENDER | H_RCPT)) && header_split(text, &name, &value))
		hdraddr_each(value, 100, find_incomplete, &incomplete);
	if (!incomplete)
		header_field(m, row, text);
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	(void)line, (void)at_end;
	header_finish(ctx);
}

static void on_body(void *ctx, str wire)
{
	(void)ctx, (void)wire;
}

static void setup(void)
{
	static const char text[] =
	    "myhostname = mx.test\nmyorigin = test\nheader_address_token_limit = 100\n"
	    "canonical_maps = regexp:{{/^a(.*)@(.*)$/ b$1@$2}}\nmasquerade_domains = test\n"
	    "header_checks = regexp:{{/^P/ PREPEND X-New: p} {/^R([a-z]+)/ REPLACE To: $1@x.test}"
	    " {/^I/ IGNORE} {/^W/ WARN} {/^J/ REJECT}}\nsmtputf8_enable = yes\n"
	    "undisclosed_recipients_header = To: undisclosed-recipients:;\n";
	char dir[] = "/tmp/postern-fuzz-XXXXXX", command[100];
	struct err err;
	FILE *f;

	if (!mkdtemp(dir) || chdir(dir) < 0 || !(f = fopen("main.cf", "w")))
		abort();
	fputs(text, f);
	fclose(f);
	if (conf_set_dir(dir, &err) < 0 || conf_load(NULL, &err) < 0)
		abort();
	finish_setup();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0 || !freopen("/dev/null", "w", stderr))
		abort();
}

static void check(const struct message *m)
{
	str out = buf_view(&m->out);

	if (out.n > 0 && !str_ends(out, STR("\r\n")))
		abort();
	if (str_find(out, STR("\r\n.\r\n")) >= 0)
		abort();
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] == '\n' && (i == 0 || out.p[i - 1] != '\r'))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mime_ops ops = {
	    .field = on_field, .header_end = on_header_end, .body = on_body};
	static const struct mime_limits limits = {
	    .header_size = 2000, .line = 200, .boundary = 20, .nesting = 5};
	static bool ready;
	struct message m;
	struct mime *mime;

	if (!ready) {
		setup();
		ready = true;
	}
	m = fake_message(
	    CLEANUP_FLAG_MAP | CLEANUP_FLAG_FILTER, size && (data[0] & 1) ? "local" : NULL);
	m.env.sender.address = STR("s@x.test");
	mime = mime_new(0, &limits, &ops, &m);
	if (size > 1)
		mime_feed(mime, str_mem(data + 1, size - 1));
	mime_end(mime);
	mime_free(mime);
	check(&m);
	fake_free(&m);
	return 0;
}
