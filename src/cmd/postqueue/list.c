#include "cmd/postqueue/postqueue.h"

#include "param/param.h"

#include <stdio.h>
#include <time.h>

#define REASON_WIDTH 76

static uint64_t messages, bytes;

/* --- as mailq has always shown it */

static void print(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		putchar(c < ' ' || c == 127 ? '?' : c);
	}
}

static void head(void)
{
	if (conf.enable_long_queue_ids)
		puts("----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------");
	else
		puts("-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------");
}

static char mark(const struct showq_message *m)
{
	if (str_eq(m->queue, STR("active")))
		return '*';
	if (str_eq(m->queue, STR("hold")))
		return '!';
	return m->forced_expire ? '#' : 0;
}

static void first_line(const struct showq_message *m)
{
	char when[32] = "", id[128];
	time_t t = (time_t)m->time;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &tm);
	snprintf(id, sizeof(id), "%.*s%.1s", STR_FMT(str_head(m->id, 100)), (char[]){mark(m), 0});
	if (conf.enable_long_queue_ids)
		printf("%-17s %8lld %s ", id, (long long)m->size, when);
	else
		printf("%-11s %7lld %s  ", id, (long long)m->size, when);
	print(m->sender);
	putchar('\n');
}

void list_classic(const struct showq_message *m)
{
	int indent = conf.enable_long_queue_ids ? 47 : 41;
	str last = STR("");

	if (messages++ == 0)
		head();
	bytes += (uint64_t)m->size;
	first_line(m);
	for (size_t i = 0; i < m->nrcpts; i++) {
		const struct showq_rcpt *r = &m->rcpts[i];

		if (r->reason.n && !str_eq(r->reason, last)) {
			int pad = REASON_WIDTH - (int)(r->reason.n < 1000 ? r->reason.n : 1000);

			printf("%*s(", pad > 0 ? pad : 0, "");
			print(r->reason);
			puts(")");
		}
		last = r->reason;
		printf("%*s", indent, "");
		print(r->address);
		putchar('\n');
	}
	putchar('\n');
}

void list_classic_end(void)
{
	if (messages == 0)
		puts("Mail queue is empty");
	else
		printf("-- %llu Kbytes in %llu Request%s.\n", (unsigned long long)(bytes / 1024),
		    (unsigned long long)messages, messages == 1 ? "" : "s");
}

/* --- JSON (RFC 8259), one object a line */

/* Length of the UTF-8 sequence at s; 0: it is none. */
static size_t utf8_length(str s)
{
	unsigned char c = (unsigned char)*s.p;
	size_t n = c < 0x80		   ? 1
		   : c >= 0xc2 && c < 0xe0 ? 2
		   : c >= 0xe0 && c < 0xf0 ? 3
		   : c >= 0xf0 && c < 0xf5 ? 4
					   : 0;
	unsigned char d;

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	d = n > 1 ? (unsigned char)s.p[1] : 0;
	if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) ||
	    (c == 0xf4 && d > 0x8f))
		return 0; /* overlong, surrogate, or beyond Unicode */
	return n;
}

static void json_char(unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;

	if (at)
		printf("\\%c", to[at - from]);
	else if (c < ' ' || c == 127)
		printf("\\u%04x", c);
	else
		putchar(c);
}

static void json(str s)
{
	putchar('"');
	while (s.n) {
		size_t n = utf8_length(s);

		if (n <= 1)
			json_char(n ? (unsigned char)*s.p : '?');
		else
			fwrite(s.p, 1, n, stdout);
		s = str_from(s, n ? n : 1);
	}
	putchar('"');
}

void list_json(const struct showq_message *m)
{
	printf("{\"queue_name\": ");
	json(m->queue);
	printf(", \"queue_id\": ");
	json(m->id);
	printf(
	    ", \"arrival_time\": %lld, \"message_size\": %lld, \"forced_expire\": %s, \"sender\": ",
	    (long long)m->time, (long long)m->size, m->forced_expire ? "true" : "false");
	json(m->sender);
	printf(", \"recipients\": [");
	for (size_t i = 0; i < m->nrcpts; i++) {
		printf("%s{\"address\": ", i ? ", " : "");
		json(m->rcpts[i].address);
		if (m->rcpts[i].reason.n) {
			printf(", \"delay_reason\": ");
			json(m->rcpts[i].reason);
		}
		putchar('}');
	}
	puts("]}");
}
