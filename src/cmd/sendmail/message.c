/* The message from standard input: lines become wire form, recipients come from the command line
 * and, with -t, from the header. */
#include "cmd/sendmail/sendmail.h"

#include "ipc/drop.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "mail/hdraddr.h"
#include "mail/header.h"
#include "mail/submit.h"
#include "param/param.h"
#include "smtpwire/wire.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

struct submission {
	const struct options *o;
	struct arena arena;
	str sender;	    /* internal form */
	struct buf header;  /* with LF line ends: only for -t */
	struct buf content; /* wire form */
	struct ipc_env_rcpt *rcpts;
	size_t nrcpts, cap;
	bool resent;
	bool in_resent; /* this pass takes Resent- fields */
};

/* What concerns this user's message names both. */
static void refuse(const struct submission *s, const char *why)
{
	struct buf name = {0};

	addr_quote(&name, s->sender);
	fail("%s(%ld): %s", buf_text(&name), (long)getuid(), why);
}

static bool add_rcpt(void *ctx, str address, struct buf *out)
{
	struct submission *s = ctx;

	(void)out;
	if (s->nrcpts == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->rcpts = mem_realloc(s->rcpts, s->cap * sizeof(*s->rcpts));
	}
	s->rcpts[s->nrcpts++] =
	    (struct ipc_env_rcpt){.address = arena_str(&s->arena, address), .notify = s->o->notify};
	return false;
}

/* --- input */

/* "From user date" of a mailbox file, also as ">From", stands before some messages. */
static bool is_from_line(str line)
{
	return str_starts(line, STR("From ")) || str_starts(line, STR(">From "));
}

/* sendmail_fix_line_endings. *strip is kept from line to line: -1 before the first. */
static str without_end(str line, int *strip)
{
	if (str_ends(line, STR("\n")))
		line.n--;
	if (*strip < 0)
		*strip = strcasecmp(conf.sendmail_fix_line_endings, "never") == 0 ? 0
			 : strcasecmp(conf.sendmail_fix_line_endings, "strict") == 0
			     ? str_ends(line, STR("\r"))
			     : 1;
	if (*strip && str_ends(line, STR("\r")))
		line.n--;
	return line;
}

/* A field's first line, or one that goes on with it; what is neither begins the body. */
static bool is_header(str line, bool first)
{
	if (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		return !first;
	return header_name_length(line) > 0;
}

/* Reads to the end of input, or to a lone dot without -i. */
static void read_message(struct submission *s)
{
	char *p = NULL;
	size_t cap = 0;
	ssize_t n;
	int strip = -1;
	bool first = true, in_header = true;
	uint64_t size = 0, limit = (uint64_t)conf.message_size_limit;

	while ((n = getline(&p, &cap, stdin)) >= 0) {
		str line = without_end(str_mem(p, (size_t)n), &strip);

		if (!s->o->dot_is_data && str_eq(line, STR(".")))
			break;
		if (first && is_from_line(line))
			continue;
		first = false;
		in_header = in_header && is_header(line, s->header.n == 0);
		if (in_header && s->o->from_header) {
			buf_str(&s->header, line);
			buf_char(&s->header, '\n');
		}
		wire_line(&s->content, line);
		size += line.n + 1;
		if (limit > 0 && size > limit)
			refuse(s, "message file too big");
	}
	if (ferror(stdin))
		fail("error reading standard input: %s", strerror(errno));
	free(p);
}

/* --- recipients of the header */

static void one_field(struct submission *s, str text)
{
	str name, value;
	const struct header_row *row;

	if (!header_split(text, &name, &value))
		return;
	row = header_find(name);
	if (row->flags & H_RESENT)
		s->resent = true;
	if ((row->flags & H_EXTRACT) && ((row->flags & H_RESENT) != 0) == s->in_resent)
		hdraddr_each(value, conf.header_address_token_limit, add_rcpt, s);
}

static void each_field(struct submission *s)
{
	str rest = buf_view(&s->header), line;
	struct buf field = {0};

	while (str_split(&rest, '\n', &line)) {
		bool more = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
		if (!more && field.n > 0) {
			one_field(s, buf_view(&field));
			buf_clear(&field);
		} else if (more) {
			buf_char(&field, '\n');
		}
		buf_str(&field, line);
	}
	if (field.n > 0)
		one_field(s, buf_view(&field));
	buf_free(&field);
}

/* Resent- fields, where there are any, say who gets this copy (RFC 5322 3.6.6). */
static void from_header(struct submission *s)
{
	size_t before = s->nrcpts;

	each_field(s);
	if (s->resent) {
		s->nrcpts = before;
		s->in_resent = true;
		each_field(s);
	}
	if (s->nrcpts == 0)
		refuse(s, "No recipient addresses found in message header");
}

/* --- envelope */

struct parsed {
	struct buf first;
	size_t n;
};

static bool keep_first(void *ctx, str address, struct buf *out)
{
	struct parsed *p = ctx;

	(void)out;
	if (p->n++ == 0)
		buf_str(&p->first, address);
	return false;
}

static void find_sender(struct submission *s)
{
	const char *text = s->o->sender;
	struct parsed p = {0};

	if (!text) {
		if (!getpwuid(getuid()))
			fail("no login name found for user ID %lu", (unsigned long)getuid());
		s->sender = str_of(submit_user());
		return;
	}
	hdraddr_each(str_of(text), 0, keep_first, &p);
	if (p.n > 1 || (p.n == 0 && *text && strcmp(text, "<>") != 0))
		log_warn("-f option specified malformed sender: %s", text);
	s->sender = arena_str(&s->arena, buf_view(&p.first));
	buf_free(&p.first);
}

/* Each argument is a list of addresses; an empty one is the null address, for
 * empty_address_recipient. */
static void command_line_recipients(struct submission *s)
{
	for (int i = 0; i < s->o->nrcpts; i++) {
		size_t before = s->nrcpts;

		hdraddr_each(str_of(s->o->rcpts[i]), 0, add_rcpt, s);
		if (s->nrcpts == before)
			add_rcpt(s, STR(""), NULL);
	}
	if (s->nrcpts == 0 && !s->o->from_header)
		refuse(s, "Recipient addresses must be specified on the command line or via the -t "
			  "option");
}

/* -bv: nobody gets this message, but its header is in the report. */
static void probe(struct submission *s)
{
	struct buf a = {0};

	addr_quote(&a, s->sender);
	if (a.n > 0) {
		struct buf from = {0};

		buf_printf(&from, "From: %s", buf_text(&a));
		wire_line(&s->content, buf_view(&from));
		buf_free(&from);
	}
	wire_line(&s->content, STR("Subject: probe"));
	for (size_t i = 0; i < s->nrcpts; i++) {
		buf_clear(&a);
		buf_cstr(&a, i ? "\t" : "To:\t");
		addr_quote(&a, s->rcpts[i].address);
		if (i + 1 < s->nrcpts)
			buf_char(&a, ',');
		wire_line(&s->content, buf_view(&a));
	}
	buf_free(&a);
}

static void put_envelope(struct submission *s, struct drop *d)
{
	const struct options *o = s->o;
	struct ipc_env_sender env = {.ret = o->ret, .address = s->sender};
	struct buf envid = {0}, name = {0};

	name_full(o, &name);
	env.full_name = buf_view(&name);
	if (o->envid) {
		xtext_encode(&envid, str_of(o->envid));
		env.envid = buf_view(&envid);
	}
	if (o->body)
		env.flags |=
		    strcasecmp(o->body, "7BIT") == 0 ? SENDER_BODY_7BIT : SENDER_BODY_8BITMIME;
	if (o->verp)
		env.flags |= SENDER_VERP;
	if (o->smtputf8)
		env.flags |= SENDER_SMTPUTF8;
	drop_put(d, MSG_ENV_SENDER, &env);
	struct ipc_env_attr context = {
	    .name = STR("rewrite_context"), .value = str_of(o->gateway ? "remote" : "local")};
	drop_put(d, MSG_ENV_ATTR, &context);
	if (o->verp) {
		struct ipc_env_attr a = {.name = STR("verp_delimiters"), .value = str_of(o->verp)};
		drop_put(d, MSG_ENV_ATTR, &a);
	}
	if (o->verify || o->verbose == 1) {
		struct ipc_env_attr a = {
		    .name = STR("trace"), .value = str_of(o->verify ? "report" : "yes")};
		drop_put(d, MSG_ENV_ATTR, &a);
	}
	for (size_t i = 0; i < s->nrcpts; i++)
		drop_put(d, MSG_ENV_RCPT, &s->rcpts[i]);
	buf_free(&envid);
	buf_free(&name);
}

static void tell_about_report(struct submission *s)
{
	struct buf a = {0};

	addr_quote(&a, s->sender);
	printf("Mail Delivery Status Report will be mailed to <%s>.\n", buf_text(&a));
	buf_free(&a);
}

int message_submit(const struct options *o)
{
	struct submission s = {.o = o};
	struct buf text = {0};
	struct drop *d;
	int status;

	find_sender(&s);
	command_line_recipients(&s);
	if (o->verify)
		probe(&s);
	else
		read_message(&s);
	if (o->from_header)
		from_header(&s);
	d = drop_open();
	put_envelope(&s, d);
	drop_content(d, buf_view(&s.content));
	status = drop_commit(d, NULL, &text);
	if (status != EX_OK)
		refuse(&s, text.n ? buf_text(&text) : "mail could not be queued");
	if (o->verify || o->verbose == 1)
		tell_about_report(&s);
	free(s.rcpts);
	buf_free(&text);
	buf_free(&s.header);
	buf_free(&s.content);
	arena_free(&s.arena);
	return EX_OK;
}
