/* What 200 PCRE header checks cost a message: the fields of a usual header, looked up in a table
 * of which nothing matches. make bench && build/t/bench/patterns */
#include "base/clock.h"
#include "table/type.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 20000

static const char *const words[] = {"viagra", "lottery", "winner", "casino", "pharmacy", "mortgage",
    "rolex", "crypto", "invoice", "urgent", "transfer", "prince", "inherit", "bitcoin", "pills",
    "weightloss", "replica", "cheap", "discount", "guarantee"};
static const char *const names[] = {"Subject", "From", "To", "X-Mailer", "Received", "Message-Id",
    "Content-Type", "Reply-To", "Date", "List-Id"};
static const char *const forms[] = {"/^%s:.*\\b%s\\b/ REJECT\n", "/^%s: .*%s[0-9]+/ REJECT\n",
    "/^%s:.*%s.*(now|today)/ REJECT\n", "/^%s:.*(free|great) %s/ REJECT\n",
    "/%s.*%s\\.(exe|com|scr)$/ REJECT\n"};

static const char *const header[] = {
    "Received: from mx.client.example (mx.client.example [192.0.2.1])\n\tby gw.example.test "
    "(Postfix) with ESMTPS id 4F1A2B3C4D\n\tfor <user@example.test>; Thu, 26 Nov 2026 05:00:00 "
    "+0000 (UTC)",
    "From: Anna Example <anna@client.example>", "To: Bert Example <user@example.test>",
    "Subject: The minutes of yesterday's meeting", "Date: Thu, 26 Nov 2026 05:00:00 +0000",
    "Message-Id: <20261126050000.4F1A2B3C4D@mx.client.example>", "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8"};

int main(void)
{
	char path[] = "/tmp/patterns.XXXXXX";
	struct table t = {.type = &table_type_pcre, .spec = path, .name = path};
	FILE *f = fdopen(mkstemp(path), "w");
	struct err err = {0};
	struct buf value = {0};
	int64_t start;

	if (!f)
		return 1;
	for (size_t i = 0; i < 200; i++)
		fprintf(f, forms[i % 5], names[i / 20], words[i % 20]);
	fclose(f);
	t.impl = table_type_pcre.load(&t, &err);
	unlink(path);
	if (!t.impl) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	start = clock_mono_us();
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
			if (table_type_pcre.get(&t, str_of(header[i]), &value, &err) != TABLE_NONE)
				return 1;
	printf("200 PCRE rules, %zu fields: %.2f us a message\n",
	    sizeof(header) / sizeof(header[0]), (double)(clock_mono_us() - start) / ROUNDS);
	table_type_pcre.unload(t.impl);
	return 0;
}
