/* A milter on Sendmail's own library that has every callback and asks for every change: what it
 * does is told by the mail itself. For t/60-peers/libmilter.t, which builds it with "cc ...
 * -lmilter".
 *
 *     every_milter SOCKET LOG [steps]
 *
 * Each event is a line of LOG. Local parts decide at MAIL and RCPT, HELO names at HELO: "reject",
 * "tempfail", "discard", "accept", "reply" (by smfi_setreply), "lines" (by smfi_setmlreply).
 * Header fields "X-Do:" are done at the end of the message, in order; "X-Do-Header:", "X-Do-Eoh:"
 * and "X-Do-Body:" are decisions of these events.
 *     add NAME VALUE | insert N NAME VALUE | change N NAME VALUE | delete N NAME | from ADDRESS
 * [ARGS] rcpt ADDRESS [ARGS] | unrcpt ADDRESS | body TEXT ("\n" for line ends) | big N quarantine
 * REASON | progress | a decision steps: words "leading" (SMFIP_HDR_LEADSPC), "noreply" (no answers
 * to header fields), "rejected" (SMFIP_RCPT_REJ), "skip", "symlist". */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DOINGS 100

struct state {
	int n;
	char *todo[DOINGS];
	char *at_eoh, *at_body;
	unsigned long body;
	int chunks;
};

static FILE *out;
static const char *steps = "";

#define LOG(...) (fprintf(out, __VA_ARGS__), fputc('\n', out), fflush(out))

static struct state *state_of(SMFICTX *ctx)
{
	struct state *s = smfi_getpriv(ctx);

	if (!s) {
		s = calloc(1, sizeof(*s));
		smfi_setpriv(ctx, s);
	}
	return s;
}

static void forget(struct state *s)
{
	for (int i = 0; i < s->n; i++)
		free(s->todo[i]);
	free(s->at_eoh);
	free(s->at_body);
	memset(s, 0, sizeof(*s));
}

/* The decision that text begins with. */
static sfsistat decide(SMFICTX *ctx, const char *text)
{
	if (!text)
		return SMFIS_CONTINUE;
	if (strncmp(text, "reject", 6) == 0)
		return SMFIS_REJECT;
	if (strncmp(text, "tempfail", 8) == 0)
		return SMFIS_TEMPFAIL;
	if (strncmp(text, "discard", 7) == 0)
		return SMFIS_DISCARD;
	if (strncmp(text, "accept", 6) == 0)
		return SMFIS_ACCEPT;
	if (strncmp(text, "skip", 4) == 0)
		return SMFIS_SKIP;
	if (strncmp(text, "reply", 5) == 0) {
		smfi_setreply(ctx, "554", "5.7.9", "100%% no");
		return SMFIS_REJECT;
	}
	if (strncmp(text, "lines", 5) == 0) {
		smfi_setmlreply(ctx, "450", "4.7.9", "one", "two", "three", NULL);
		return SMFIS_TEMPFAIL;
	}
	return SMFIS_CONTINUE;
}

static const char *symbol(SMFICTX *ctx, const char *name)
{
	const char *value = smfi_getsymval(ctx, (char *)name);

	return value ? value : "-";
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
    unsigned long f3, unsigned long *pf0, unsigned long *pf1, unsigned long *pf2,
    unsigned long *pf3)
{
	LOG("negotiate %lx %lx", f0, f1);
	*pf0 = f0;
	*pf1 = 0;
	*pf2 = *pf3 = 0;
	(void)f2;
	(void)f3;
	if (strstr(steps, "leading"))
		*pf1 |= SMFIP_HDR_LEADSPC;
	if (strstr(steps, "noreply"))
		*pf1 |= SMFIP_NR_HDR | SMFIP_NR_BODY | SMFIP_NR_EOH;
	if (strstr(steps, "rejected"))
		*pf1 |= SMFIP_RCPT_REJ;
	if (strstr(steps, "skip"))
		*pf1 |= SMFIP_SKIP;
	if (strstr(steps, "symlist"))
		smfi_setsymlist(ctx, SMFIM_EOM, "i {client_addr}");
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *addr)
{
	LOG("connect %s %d", host, addr ? addr->sa_family : 0);
	return decide(ctx, host);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	LOG("helo %s", name);
	return decide(ctx, name);
}

static void put_args(const char *event, char **argv)
{
	fprintf(out, "%s", event);
	for (; *argv; argv++)
		fprintf(out, " %s", *argv);
	fputc('\n', out);
	fflush(out);
}

static const char *local_part(const char *path)
{
	return *path == '<' ? path + 1 : path;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	forget(state_of(ctx));
	put_args("mail", argv);
	return decide(ctx, local_part(argv[0]));
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	if (strcmp(symbol(ctx, "{rcpt_mailer}"), "error") == 0)
		LOG("refused %s", symbol(ctx, "{rcpt_host}"));
	put_args("rcpt", argv);
	return decide(ctx, local_part(argv[0]));
}

static sfsistat on_data(SMFICTX *ctx)
{
	LOG("data %s", symbol(ctx, "i"));
	return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
	(void)ctx;
	LOG("unknown %s", command);
	return SMFIS_CONTINUE;
}

static const char *behind_space(const char *p)
{
	return p + strspn(p, " ");
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct state *s = state_of(ctx);
	const char *what = behind_space(value);

	fprintf(out, "header %s:", name);
	for (char *p = value; *p; p++)
		*p == '\n' ? fputs("\\n", out) : fputc(*p, out);
	fputc('\n', out);
	if (strcasecmp(name, "X-Do-Header") == 0)
		return decide(ctx, what);
	if (strcasecmp(name, "X-Do-Eoh") == 0)
		s->at_eoh = strdup(what);
	if (strcasecmp(name, "X-Do-Body") == 0)
		s->at_body = strdup(what);
	if (strcasecmp(name, "X-Do") == 0 && s->n < DOINGS)
		s->todo[s->n++] = strdup(what);
	return strstr(steps, "noreply") ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	LOG("eoh");
	if (strstr(steps, "noreply"))
		return SMFIS_NOREPLY;
	return decide(ctx, state_of(ctx)->at_eoh);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *p, size_t n)
{
	struct state *s = state_of(ctx);

	(void)p;
	s->body += n;
	s->chunks++;
	if (strstr(steps, "noreply"))
		return SMFIS_NOREPLY;
	return decide(ctx, s->at_body);
}

/* --- the end: one thing after the other */

static char *word(char **rest)
{
	char *w = *rest + strspn(*rest, " ");
	size_t n = strcspn(w, " ");

	*rest = w + n;
	if (**rest)
		*(*rest)++ = 0;
	return w;
}

static int replace(SMFICTX *ctx, char *text)
{
	char *to = text;

	for (char *p = text; *p; p++) {
		if (p[0] == '\\' && p[1] == 'n') {
			*to++ = '\n';
			p++;
		} else {
			*to++ = *p;
		}
	}
	return smfi_replacebody(ctx, (unsigned char *)text, (int)(to - text));
}

static int big(SMFICTX *ctx, long n)
{
	static unsigned char line[] = "0123456789012345678901234567890123456789\r\n";
	int r = MI_SUCCESS;

	for (long i = 0; i < n && r == MI_SUCCESS; i++)
		r = smfi_replacebody(ctx, line, sizeof(line) - 1);
	return r;
}

/* *more: it was no decision. */
static int act(SMFICTX *ctx, const char *verb, char *rest)
{
	char *a, *b;

	if (strcmp(verb, "add") == 0)
		return a = word(&rest), smfi_addheader(ctx, a, rest);
	if (strcmp(verb, "insert") == 0)
		return a = word(&rest), b = word(&rest), smfi_insheader(ctx, atoi(a), b, rest);
	if (strcmp(verb, "change") == 0)
		return a = word(&rest), b = word(&rest), smfi_chgheader(ctx, b, atoi(a), rest);
	if (strcmp(verb, "delete") == 0)
		return a = word(&rest), b = word(&rest), smfi_chgheader(ctx, b, atoi(a), NULL);
	if (strcmp(verb, "from") == 0)
		return a = word(&rest), smfi_chgfrom(ctx, a, *rest ? rest : NULL);
	if (strcmp(verb, "rcpt") == 0) {
		a = word(&rest);
		return *rest ? smfi_addrcpt_par(ctx, a, rest) : smfi_addrcpt(ctx, a);
	}
	if (strcmp(verb, "unrcpt") == 0)
		return smfi_delrcpt(ctx, word(&rest));
	if (strcmp(verb, "body") == 0)
		return replace(ctx, rest);
	if (strcmp(verb, "big") == 0)
		return big(ctx, atol(rest));
	if (strcmp(verb, "quarantine") == 0)
		return smfi_quarantine(ctx, rest);
	if (strcmp(verb, "progress") == 0)
		return smfi_progress(ctx);
	return -100;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct state *s = state_of(ctx);
	sfsistat verdict = SMFIS_CONTINUE;

	LOG("eom i=%s client=%s j=%s body=%lu chunks=%d", symbol(ctx, "i"),
	    symbol(ctx, "{client_addr}"), symbol(ctx, "j"), s->body, s->chunks);
	for (int i = 0; i < s->n; i++) {
		char *rest = s->todo[i], *verb = word(&rest);
		int r = act(ctx, verb, rest);

		if (r == -100)
			verdict = decide(ctx, verb);
		else
			LOG("did %s %s", verb, r == MI_SUCCESS ? "ok" : "failed");
	}
	return verdict;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	forget(state_of(ctx));
	LOG("abort");
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct state *s = smfi_getpriv(ctx);

	if (s)
		forget(s);
	free(s);
	smfi_setpriv(ctx, NULL);
	LOG("close");
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc all = {
	    .xxfi_name = "every",
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT |
			  SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT | SMFIF_QUARANTINE | SMFIF_CHGFROM |
			  SMFIF_SETSYMLIST,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_rcpt,
	    .xxfi_data = on_data,
	    .xxfi_unknown = on_unknown,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_eoh,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_eom,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	    .xxfi_negotiate = on_negotiate,
	};

	if (argc < 3 || !(out = fopen(argv[2], "a")))
		return 2;
	if (argc > 3)
		steps = argv[3];
	setvbuf(out, NULL, _IOLBF, 0);
	if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(all) == MI_FAILURE ||
	    smfi_opensocket(1) == MI_FAILURE)
		return 3;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
