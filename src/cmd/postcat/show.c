/* Prints a message record by record. */
#include "cmd/postcat/postcat.h"

#include "ipc/deliver.h"
#include "mail/dsn.h"
#include "queue/io.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Types as tools know them from postcat -d. */
enum record {
	REC_SIZE = 'C',
	REC_TIME = 'T',
	REC_ATTR = 'A',
	REC_FULL = 'F',
	REC_FROM = 'S',
	REC_ORIG = 'O',
	REC_RCPT = 'R',
	REC_DONE = 'D',
	REC_CONTENT = 'M',
	REC_TEXT = 'N',
	REC_EXTRACT = 'X',
	REC_END = 'E',
};

struct printer {
	const struct source *s;
	const struct options *o;
	uint64_t at; /* offset of the record that is printed */
	size_t rcpt;
	bool in_body;
};

/* What stands before a record; false when it is not to be shown. */
static bool record(const struct printer *p, enum record type)
{
	if (p->at < p->o->skip)
		return false;
	if (p->o->offsets)
		printf("%9" PRIu64 " ", p->at);
	if (p->o->types)
		printf("%3d ", (int)type);
	return true;
}

static void text(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		putchar(c == '\t' || (c >= ' ' && c != 127) ? c : '?');
	}
}

static void field(const struct printer *p, enum record type, const char *name, str value)
{
	if (!record(p, type))
		return;
	printf("%s: ", name);
	text(value);
	putchar('\n');
}

static void attribute(const struct printer *p, str name, str value)
{
	if (!record(p, REC_ATTR))
		return;
	fputs("named_attribute: ", stdout);
	text(name);
	putchar('=');
	text(value);
	putchar('\n');
}

static void number_attribute(const struct printer *p, const char *name, uint32_t value)
{
	char digits[16];

	snprintf(digits, sizeof digits, "%" PRIu32, value);
	attribute(p, str_of(name), str_of(digits));
}

static void section(const struct printer *p, enum record type, const char *what)
{
	if (p->o->envelope && (type == REC_SIZE || record(p, type)))
		printf("*** %s %s ***\n", what, p->s->name);
}

static void moment(const struct printer *p, enum record type, const char *name, int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", &tm);
	field(p, type, name, str_of(when));
}

static void show_message(const struct printer *p, const struct ipc_env_message *m)
{
	if (record(p, REC_SIZE))
		printf("message_size: %15" PRIu64 " %15" PRIu64 " %15" PRIu32 " %15d %15" PRIu64
		       " %15d\n",
		    m->size, p->s->content_offset, m->rcpt_count, 0, m->size,
		    m->flags & MESSAGE_SMTPUTF8 ? 1 : 0);
	moment(p, REC_TIME, "message_arrival_time", m->arrival_us);
	moment(p, REC_ATTR, "create_time", m->arrival_us);
	if (!envelope_attr(&p->s->env, "log_ident").n)
		attribute(p, STR("log_ident"), m->queue_id);
}

static void show_sender(const struct printer *p, const struct ipc_env_sender *s)
{
	if (s->envid.n)
		attribute(p, STR("envelope_id"), s->envid);
	if (s->ret)
		number_attribute(p, "ret_flags", s->ret);
	if (s->flags & SENDER_BODY_8BITMIME)
		attribute(p, STR("encoding"), STR("8bit"));
	else if (s->flags & SENDER_BODY_7BIT)
		attribute(p, STR("encoding"), STR("7bit"));
	if (s->full_name.n)
		field(p, REC_FULL, "sender_fullname", s->full_name);
	field(p, REC_FROM, "sender", s->address);
}

static void show_rcpt(struct printer *p, const struct ipc_env_rcpt *r)
{
	uint32_t kind = p->rcpt < p->s->env.nrcpts ? p->s->env.status[p->rcpt].kind : RCPT_PENDING;
	bool done = kind == RCPT_SENT || kind == RCPT_BOUNCED;

	p->rcpt++;
	if (r->notify)
		number_attribute(p, "notify_flags", r->notify);
	if (r->orcpt.n)
		attribute(p, STR("dsn_orig_rcpt"), r->orcpt);
	if (r->orig_address.n)
		field(p, REC_ORIG, "original_recipient", r->orig_address);
	field(p, done ? REC_DONE : REC_RCPT, done ? "done_recipient" : "recipient", r->address);
}

static int show_envelope(struct printer *p, struct err *err)
{
	struct buf bytes = {0};
	struct ipc_msg m;
	str rest;
	int got = 0;

	p->at = p->s->envelope_offset;
	if (io_read_at(p->s->fd, buf_room(&bytes, p->s->envelope_length), p->s->envelope_length,
		p->at, "queue.file.read") < 0) {
		buf_free(&bytes);
		return err_errno(err, errno, "record read error");
	}
	buf_added(&bytes, p->s->envelope_length);
	rest = buf_view(&bytes);
	while (rest.n > 0 && got == 0) {
		p->at = p->s->envelope_offset + bytes.n - rest.n;
		got = ipc_take(&rest, &m, err);
		if (got == 0 && m.type == MSG_ENV_MESSAGE)
			show_message(p, &m.env_message);
		else if (got == 0 && m.type == MSG_ENV_SENDER)
			show_sender(p, &m.env_sender);
		else if (got == 0 && m.type == MSG_ENV_ATTR)
			attribute(p, m.env_attr.name, m.env_attr.value);
		else if (got == 0 && m.type == MSG_ENV_RCPT)
			show_rcpt(p, &m.env_rcpt);
	}
	buf_free(&bytes);
	return got < 0 ? -1 : 0;
}

/* RFC 5322 2.2: a field name, a colon; or the continuation of one. */
static bool is_header(str line, bool first)
{
	ptrdiff_t colon = str_chr(line, ':');

	if (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		return !first;
	while (colon > 0 && (line.p[colon - 1] == ' ' || line.p[colon - 1] == '\t'))
		colon--;
	for (ptrdiff_t i = 0; i < colon; i++)
		if (!isgraph((unsigned char)line.p[i]))
			return false;
	return colon > 0;
}

static int show_content(struct printer *p, struct err *err)
{
	struct content_reader *r =
	    content_open(p->s->fd, p->s->content_offset, p->s->content_length);
	bool first = true, shown = false;
	str line;
	int got;

	while ((got = content_line(r, &line)) == 1) {
		p->at = p->s->content_offset + content_line_offset(r);
		if (content_line_begins(r)) {
			if (!p->in_body && !is_header(line, first))
				p->in_body = true;
			first = false;
			shown = (p->in_body ? p->o->body : p->o->header) && record(p, REC_TEXT);
			if (shown && p->o->verbose)
				fputs("regular_text: ", stdout);
		}
		if (shown)
			fwrite(line.p, 1, line.n, stdout);
		if (shown && content_line_ends(r))
			putchar('\n');
	}
	content_close(r);
	return got < 0 ? err_errno(err, errno, "record read error") : 0;
}

int show(const struct source *s, const struct options *o, struct err *err)
{
	struct printer p = {.s = s, .o = o};
	bool content_first = o->file_order && s->content_offset < s->envelope_offset;

	for (int part = 0; part < 2; part++) {
		bool content = (part == 0) == content_first;

		p.at = content ? s->content_offset : s->envelope_offset;
		section(&p, content ? REC_CONTENT : REC_SIZE,
		    content ? "MESSAGE CONTENTS" : "ENVELOPE RECORDS");
		if (content ? (o->body || o->header) && show_content(&p, err) < 0
			    : o->envelope && show_envelope(&p, err) < 0)
			return -1;
	}
	p.at = s->content_offset + s->content_length;
	section(&p, REC_EXTRACT, "HEADER EXTRACTED");
	section(&p, REC_END, "MESSAGE FILE END");
	return 0;
}
