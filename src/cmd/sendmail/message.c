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

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct submission {
	const struct options *o;
	struct arena arena;
	struct buf header;  /* with LF line ends: only for -t */
	struct buf content; /* wire form */
	struct ipc_env_rcpt *rcpts;
	size_t nrcpts, cap;
	bool resent;
	bool in_resent; /* this pass takes Resent- fields */
};

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

/* Reads to the end of input, or to a lone dot without -i. */
static void read_message(struct submission *s)
{
	char *p = NULL;
	size_t cap = 0;
	ssize_t n;
	bool first = true, in_header = true;
	int64_t limit = conf.message_size_limit;

	while ((n = getline(&p, &cap, stdin)) >= 0) {
		str line = str_mem(p, (size_t)n);
		if (str_ends(line, STR("\n")))
			line.n--;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (!s->o->dot_is_data && str_eq(line, STR(".")))
			break;
		if (first && is_from_line(line))
			continue;
		first = false;
		if (in_header && line.n == 0)
			in_header = false;
		if (in_header) {
			buf_str(&s->header, line);
			buf_char(&s->header, '\n');
		}
		wire_line(&s->content, line);
		if (limit > 0 && s->content.n > (size_t)limit * 2)
			log_fatal_status(EX_DATAERR, "message file too big");
	}
	if (ferror(stdin))
		log_fatal_status(EX_DATAERR, "error reading standard input: %m");
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
	if (s->nrcpts == before && before == 0)
		log_fatal_status(EX_USAGE, "No recipient addresses found in message header");
}

/* --- envelope */

static str sender(struct submission *s)
{
	struct buf a = {0};
	str out;

	if (!s->o->sender)
		return str_of(submit_user());
	if (hdraddr_one(str_of(s->o->sender), &a))
		out = arena_str(&s->arena, buf_view(&a));
	else
		out = str_of("");
	buf_free(&a);
	return out;
}

static void put_envelope(struct submission *s, struct drop *d)
{
	const struct options *o = s->o;
	struct ipc_env_sender env = {.ret = o->ret, .address = sender(s)};
	struct buf envid = {0};

	if (o->full_name)
		env.full_name = str_of(o->full_name);
	else if (getenv("NAME"))
		env.full_name = str_of(getenv("NAME"));
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
	if (o->mode == MODE_VERIFY || o->verbose > 0) {
		struct ipc_env_attr a = {.name = STR("trace"),
		    .value = str_of(o->mode == MODE_VERIFY ? "report" : "yes")};
		drop_put(d, MSG_ENV_ATTR, &a);
	}
	for (size_t i = 0; i < s->nrcpts; i++)
		drop_put(d, MSG_ENV_RCPT, &s->rcpts[i]);
	buf_free(&envid);
}

static void tell_about_report(struct submission *s)
{
	struct buf a = {0};

	addr_quote(&a, sender(s));
	printf("Mail Delivery Status Report will be mailed to <%s>.\n", buf_text(&a));
	buf_free(&a);
}

int message_submit(const struct options *o)
{
	struct submission s = {.o = o};
	struct buf text = {0};
	struct drop *d;
	int status;

	for (int i = 0; i < o->nrcpts; i++)
		hdraddr_each(str_of(o->rcpts[i]), 0, add_rcpt, &s);
	if (s.nrcpts == 0 && !o->from_header)
		log_fatal_status(EX_USAGE, "Recipient addresses must be specified on the command "
					   "line or via the -t option");
	if (o->mode == MODE_VERIFY)
		wire_line(&s.content, STR("Subject: probe"));
	else
		read_message(&s);
	if (o->from_header)
		from_header(&s);
	d = drop_open();
	put_envelope(&s, d);
	drop_content(d, buf_view(&s.content));
	status = drop_commit(d, NULL, &text);
	if (status != EX_OK)
		log_fatal_status(
		    status, "%s", text.n ? buf_text(&text) : "mail could not be queued");
	if (o->mode == MODE_VERIFY || o->verbose > 0)
		tell_about_report(&s);
	free(s.rcpts);
	buf_free(&s.header);
	buf_free(&s.content);
	arena_free(&s.arena);
	return EX_OK;
}
