#include "smtpd/proxy_judge.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "milter/address.h"
#include "smtpd/destination.h"
#include "smtpd/milters.h"
#include "smtpd/proxy.h"
#include "smtpd/proxy_checks.h"
#include "smtpwire/esmtp.h"

/* A header that is larger counts as body from there on. */
#define HEADER_MAX (1024 * 1024)

/* --- envelope */

static str take_address(struct session *s, str text)
{
	bool more;
	str address = milter_address(&s->tx.arena, text, &more);

	if (more)
		log_warn("%s: milter gives more than one address: \"%.*s\"", s->client.namaddr,
		    STR_FMT(text));
	return address;
}

struct judge {
	struct session *s;
	const char *refusal; /* of a check; NULL: none */
};

/* The filter has heard of another envelope, or of none. */
static void start_anew(struct session *s)
{
	proxy_close(s->tx.proxy);
	s->tx.proxy = NULL;
}

/* RET, ENVID, NOTIFY, ORCPT: well-formed parameters of a milter, appended; others are ignored. */
static void put_args(struct buf *out, str args, const char *one, const char *other)
{
	str name, value, word;

	while (esmtp_param(&args, &name, &value, &word)) {
		bool good = str_eq_nocase(name, str_of(one)) || str_eq_nocase(name, str_of(other));

		for (size_t i = 0; i < word.n; i++)
			good &= (unsigned char)word.p[i] > ' ' && (unsigned char)word.p[i] < 127;
		if (good && value.p)
			buf_printf(out, " %.*s", STR_FMT(word));
		else
			log_warn("ignoring ESMTP argument from Milter: \"%.*s\"", STR_FMT(word));
	}
}

static bool has_param(str args, str name)
{
	str n, value;

	while (esmtp_param(&args, &n, &value, NULL))
		if (str_eq_nocase(n, name))
			return true;
	return false;
}

static void put_path(struct buf *out, const char *keyword, str address)
{
	buf_printf(out, "%s:<", keyword);
	addr_quote(out, address);
	buf_char(out, '>');
}

/* What the client said of the message stays true, but for its size. */
static void put_client_params(struct buf *out, struct session *s, str args)
{
	str words[MILTERS_WORDS];
	size_t n = milters_split(s->tx.mail_args, "FROM", words);

	for (size_t i = 1; i < n; i++) {
		ptrdiff_t eq = str_chr(words[i], '=');
		str name = eq < 0 ? words[i] : str_head(words[i], (size_t)eq);

		if (!str_eq_nocase(name, STR("SIZE")) && !has_param(args, name))
			buf_printf(out, " %.*s", STR_FMT(words[i]));
	}
}

static void change_from(void *ctx, str text, str args)
{
	struct session *s = ((struct judge *)ctx)->s;
	struct buf line = {0};
	str address = take_address(s, text);

	start_anew(s);
	put_path(&line, "FROM", address);
	put_client_params(&line, s, args);
	put_args(&line, args, "RET", "ENVID");
	s->tx.sender = s->tx.env.address = address;
	s->tx.mail_args = arena_str(&s->tx.arena, buf_view(&line));
	buf_free(&line);
}

static ptrdiff_t find_rcpt(const struct session *s, str address)
{
	for (size_t i = 0; i < s->tx.nrcpts; i++)
		if (milter_address_same(s->tx.rcpts[i].address, address))
			return (ptrdiff_t)i;
	return -1;
}

static void add_rcpt(void *ctx, str text, str args)
{
	struct session *s = ((struct judge *)ctx)->s;
	struct ipc_env_rcpt env = {.address = take_address(s, text)};
	struct buf line = {0};

	if (env.address.n == 0 || find_rcpt(s, env.address) >= 0)
		return;
	start_anew(s);
	put_path(&line, "TO", env.address);
	put_args(&line, args, "NOTIFY", "ORCPT");
	transaction_add_rcpt(s, env, buf_view(&line));
	buf_free(&line);
}

static void del_rcpt(void *ctx, str text)
{
	struct session *s = ((struct judge *)ctx)->s;
	struct transaction *tx = &s->tx;
	str address = take_address(s, text);
	ptrdiff_t at;

	while ((at = find_rcpt(s, address)) >= 0) {
		size_t left = tx->nrcpts - (size_t)at - 1;

		start_anew(s);
		memmove(&tx->rcpts[at], &tx->rcpts[at + 1], left * sizeof(*tx->rcpts));
		memmove(&tx->rcpt_args[at], &tx->rcpt_args[at + 1], left * sizeof(str));
		tx->nrcpts--;
	}
}

static bool check_field(void *ctx, str *text)
{
	struct judge *j = ctx;

	return proxy_check_field(j->s, text, &j->refusal);
}

static const struct milter_envelope_ops envelope = {.change_from = change_from,
    .add_rcpt = add_rcpt,
    .del_rcpt = del_rcpt,
    .check_field = check_field};

/* --- content */

struct header_scan {
	struct buf head; /* what was read */
	size_t end;	 /* of the header in it, so far */
	bool ended;
};

/* A line of the header that is complete; *ended: it was the last one, or does not belong to it. */
static bool header_line(str line, bool first, bool *ended)
{
	if (line.n == 2) { /* the empty line, with its CRLF */
		*ended = true;
		return true;
	}
	*ended =
	    header_name_length(line) == 0 && (first || (line.p[0] != ' ' && line.p[0] != '\t'));
	return !*ended;
}

static int scan_piece(void *arg, str piece)
{
	struct header_scan *h = arg;
	ptrdiff_t n;

	buf_str(&h->head, str_head(piece, HEADER_MAX - h->head.n));
	while (!h->ended && (n = str_chr(str_from(buf_view(&h->head), h->end), '\n')) >= 0) {
		str line = str_head(str_from(buf_view(&h->head), h->end), (size_t)n + 1);

		if (header_line(line, h->end == 0, &h->ended))
			h->end += line.n;
	}
	return h->ended || h->head.n == HEADER_MAX ? -1 : 0;
}

/* Head and header in one, the body where the spool has it. NULL and err. */
static struct milter_message *open_message(struct session *s, struct spool *spool, struct err *err)
{
	struct milter_message *m = NULL;
	struct header_scan h = {0};
	struct buf head = {0};
	str body;
	int file;

	err->text[0] = 0;
	spool_read(spool, scan_piece, &h, err);
	if (!err->text[0]) {
		content_head(s, &head);
		buf_str(&head, str_head(buf_view(&h.head), h.end));
		file = spool_place(spool, &body);
		m = milter_message_new(buf_view(&head),
		    s->forwarded ? MILTER_NO_FIELD : s->tx.act.nprepend,
		    file < 0 ? str_from(body, h.end) : STR(""), file, h.end,
		    spool_size(spool) - h.end);
	}
	buf_free(&h.head);
	buf_free(&head);
	return m;
}

bool proxy_judge(struct session *s, struct spool *spool, struct milter_message **content)
{
	struct judge j = {.s = s};
	struct err err = {0};
	bool good;

	*content = open_message(s, spool, &err);
	if (!*content) {
		log_warn("%s", err.text);
		buf_clear(&s->verdict);
		buf_cstr(&s->verdict, "451 4.3.0 Error: queue file write error");
		return false;
	}
	good = milters_message(s, *content, &envelope, &j);
	if (good && j.refusal) {
		buf_clear(&s->verdict);
		buf_cstr(&s->verdict, j.refusal);
		good = false;
	}
	if (good && s->tx.nrcpts == 0)
		s->tx.act.discard = true; /* nobody is left who wants it */
	if (!good || !milter_message_changed(*content)) {
		milter_message_free(*content);
		*content = NULL;
	}
	return good;
}
