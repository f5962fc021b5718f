#include "mail/mime.h"

#include "../../lib/tap.h"

static const struct mime_limits limits = {
    .header_size = 1000, .line = 2048, .boundary = 100, .nesting = 5};

/* What was seen, in a form that does not depend on how the content was cut. */
struct seen {
	struct buf events, again; /* again: the message written anew from what was given */
	struct buf body;
	unsigned errors;
	bool partial;
};

static void flush_body(struct seen *s)
{
	str rest = buf_view(&s->body), line;

	while (rest.n && str_split(&rest, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		buf_printf(&s->events, "B %.*s\n", (int)(line.n > 40 ? 40 : line.n), line.p);
	}
	buf_clear(&s->body);
}

static void on_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	static const char letters[] = " PMN";
	struct seen *s = ctx;
	size_t start;

	(void)row;
	flush_body(s);
	buf_printf(&s->events, "%c ", letters[class]);
	start = s->events.n;
	buf_str(&s->events, str_head(text, 60));
	for (size_t i = start; i < s->events.n; i++)
		if (s->events.p[i] == '\n')
			s->events.p[i] = '|';
	buf_char(&s->events, '\n');
	header_wire(&s->again, text);
}

static void on_header_end(void *ctx, str line, bool at_end)
{
	struct seen *s = ctx;

	flush_body(s);
	buf_printf(&s->events, "E%s %.*s\n", at_end ? "!" : "", STR_FMT(str_head(line, 40)));
	if (!at_end && line.n == 0)
		buf_cstr(&s->again, "\r\n");
}

static void on_body(void *ctx, str wire)
{
	struct seen *s = ctx;

	buf_str(&s->body, wire);
	buf_str(&s->again, wire);
}

static void on_line(void *ctx, str piece, unsigned which)
{
	struct seen *s = ctx;

	if ((which & LINE_FIRST) && s->partial)
		s->errors = ~0u;
	s->partial = !(which & LINE_LAST);
	mime_put_piece(&s->body, piece, which);
	mime_put_piece(&s->again, piece, which);
}

static void on_error(void *ctx, enum mime_error e, str where)
{
	struct seen *s = ctx;

	(void)where;
	s->errors |= e;
}

static const struct mime_ops ops = {
    .field = on_field,
    .header_end = on_header_end,
    .body = on_body,
    .body_line = on_line,
    .error = on_error,
};

static struct mime *run(str wire, size_t n, unsigned flags, struct seen *s)
{
	struct mime *m = mime_new(flags, &limits, &ops, s);

	buf_clear(&s->events);
	buf_clear(&s->again);
	buf_clear(&s->body);
	s->errors = 0;
	s->partial = false;
	for (; wire.n; wire = str_from(wire, n))
		mime_feed(m, str_head(wire, n));
	mime_end(m);
	flush_body(s);
	return m;
}

static void to_wire(struct buf *out, const char *text)
{
	str rest = str_of(text), line;

	buf_clear(out);
	while (rest.n && str_split(&rest, '\n', &line)) {
		if (line.n && line.p[0] == '.')
			buf_char(out, '.');
		buf_str(out, line);
		buf_cstr(out, "\r\n");
	}
}

static const struct {
	const char *name, *text, *events;
	bool same_again; /* written anew it is the same */
} cases[] = {
    {"plain", "S: x\nT: y\n z\n\nbody\n.dot\n", "P S: x\nP T: y| z\nE \nB body\nB ..dot\n", true},
    {"no body", "S: x\n", "P S: x\nE! \n", true},
    {"empty", "", "E! \n", true},
    {"no header", "\nbody\n", "E \nB body\n", true},
    {"text at once", " lead\nS: x\n", "E  lead\nB  lead\nB S: x\n", true},
    {"no header line", "S: x\nnot one\nT: y\n", "P S: x\nE not one\nB not one\nB T: y\n", true},
    {"space before the colon", "S : x\nT\t: y\n: z\n", "P S: x\nP T: y\nE : z\nB : z\n", false},
    {"dots", ".S: x\n.T: y\n\n.\n", "P .S: x\nP .T: y\nE \nB ..\n", true},
    {"blank continuation", "S: x\n   \n\nb\n", "P S: x|   \nE \nB b\n", true},
    {"MIME field", "MIME-Version: 1.0\nContent-Foo: x\n\n",
	"M MIME-Version: 1.0\nM Content-Foo: x\nE \n", true},
    {"multipart",
	"S: x\nContent-Type: multipart/mixed; boundary=b\nX-Top: 1\n\npre: amble\n--b\nX-Part: "
	"1\nContent-Type: text/plain\n\n"
	"body\n--b\nContent-Type: message/rfc822\nX-Part2: 2\n\nSubject: nest\nContent-Type: "
	"multipart/alternative; boundary=\"c\"\n\n"
	"--c\nX-Inpart: 1\n\ntext\n--c--\nafter: inner\n--b\n\nplain\n--b\nnot a header\nY: "
	"z\n\n--b--\nepi: logue\n--b\nX: 1\n",
	"P S: x\nM Content-Type: multipart/mixed; boundary=b\nP X-Top: 1\nE \nB pre: amble\nB "
	"--b\nM X-Part: 1\nM Content-Type: text/plain\n"
	"B \nB body\nB --b\nM Content-Type: message/rfc822\nM X-Part2: 2\nB \nN Subject: nest\nM "
	"Content-Type: multipart/alternative; boundary=\"c\"\n"
	"B \nB --c\nM X-Inpart: 1\nB \nB text\nB --c--\nB after: inner\nB --b\nB \nB plain\nB "
	"--b\nB not a header\nB Y: z\nB \nB --b--\nB epi: logue\nB --b\nB X: 1\n",
	true},
    {"message", "Content-Type: message/rfc822\n\nSubject: n\n\nb: x\n",
	"M Content-Type: message/rfc822\nE \nN Subject: n\nB \nB b: x\n", true},
    {"message that begins at once", "Content-Type: message/global\nno header\nSubject: n\n",
	"M Content-Type: message/global\nE no header\nB no header\nB Subject: n\n", true},
    {"encoded message",
	"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubject: n\n",
	"M Content-Type: message/rfc822\nM Content-Transfer-Encoding: base64\nE \nN Subject: n\n",
	true},
    {"encoded multipart",
	"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\nX: "
	"y\n\n--b--\n",
	"M Content-Type: multipart/mixed; boundary=b\nM Content-Transfer-Encoding: base64\nE \nB "
	"--b\nM X: y\nB \nB --b--\n",
	true},
    {"partial", "Content-Type: message/partial\n\nSubject: n\n",
	"M Content-Type: message/partial\nE \nB Subject: n\n", true},
    {"digest",
	"Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: in\n\nb: "
	"d\n--d\nContent-Type: text/plain\n\nz: y\n--d--\n",
	"M Content-Type: multipart/digest; boundary=d\nE \nB --d\nB \nN Subject: in\nB \nB b: d\nB "
	"--d\nM Content-Type: text/plain\nB \nB z: y\nB --d--\n",
	true},
    {"odd boundary",
	"Content-Type: multipart/mixed (c); boundary (c) = (d) \"b \\b\"; x=y\n\n--b b\nX: "
	"y\n\n--b bz\nY: t\n\n",
	"M Content-Type: multipart/mixed (c); boundary (c) = (d) \"b \\b\"\nE \nB --b b\nM X: y\nB "
	"\nB --b bz\nM Y: t\nB \n",
	true},
    {"boundary without quotes",
	"Content-Type: multipart/mixed; charset=\"a;b\"; boundary=----=_x(y)z\n\n------=_x(y)z\nX: "
	"y\n\n",
	"M Content-Type: multipart/mixed; charset=\"a;b\"; boundary=----=\nE \nB ------=_x(y)z\nM "
	"X: y\nB \n",
	true},
    {"no boundary", "Content-Type: multipart/mixed\n\n--\nX: y\n",
	"M Content-Type: multipart/mixed\nE \nB --\nB X: y\n", true},
    {"empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\nX: y\n",
	"M Content-Type: multipart/mixed; boundary=\"\"\nE \nB --\nB X: y\n", true},
    {"first boundary counts",
	"Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--c\nX: y\n\n--b\nZ: y\n\n",
	"M Content-Type: multipart/mixed; boundary=b; boundary=c\nE \nB --c\nB X: y\nB \nB --b\nM "
	"Z: y\nB \n",
	true},
    {"boundary in a part's header",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\n--b\nZ: y\n--b--\nQ: r\n",
	"M Content-Type: multipart/mixed; boundary=b\nE \nB --b\nM X: y\nB --b\nM Z: y\nB --b--\nB "
	"Q: r\n",
	true},
    {"broken type",
	"Content-Type: multipart\nContent-Type: ;;;/\nContent-Type: (((\nContent-Type:\n\n--\n",
	"M Content-Type: multipart\nM Content-Type: ;;;/\nM Content-Type: (((\nM Content-Type:\nE "
	"\nB --\n",
	true},
};

static void test_cases(void)
{
	static const unsigned modes[] = {MIME_LINES, MIME_FIELDS};
	struct buf wire = {0};
	struct seen s = {0};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t bad = 0;

		to_wire(&wire, cases[i].text);
		for (size_t k = 0; k < 2; k++)
			for (size_t n = 1; n <= wire.n + 1; n++) {
				mime_free(run(buf_view(&wire), n, modes[k], &s));
				if (str_eq(buf_view(&s.events), str_of(cases[i].events)) &&
				    s.errors != ~0u &&
				    (!cases[i].same_again ||
					str_eq(buf_view(&s.again), buf_view(&wire))))
					continue;
				if (bad++ == 0) {
					printf("# mode %u, pieces of %zu\n", modes[k], n);
					is_str(buf_view(&s.events), str_of(cases[i].events),
					    cases[i].name);
					if (cases[i].same_again)
						is_str(buf_view(&s.again), buf_view(&wire),
						    "written anew");
				}
			}
		is_int(bad, 0, cases[i].name);
		/* Without MIME_FIELDS the parts pass inside the blocks. */
		for (size_t n = 1; n <= wire.n && cases[i].same_again; n++) {
			mime_free(run(buf_view(&wire), n, 0, &s));
			if (!str_eq(buf_view(&s.again), buf_view(&wire)))
				is_str(buf_view(&s.again), buf_view(&wire), "passed through");
		}
	}
	buf_free(&wire);
	buf_free(&s.events);
	buf_free(&s.again);
	buf_free(&s.body);
}

static unsigned errors_of(const char *text, unsigned flags)
{
	struct buf wire = {0};
	struct seen s = {0};
	unsigned errors = 0;

	to_wire(&wire, text);
	for (size_t n = 1; n <= wire.n; n++)
		for (unsigned extra = 0; extra < 3; extra++) {
			struct mime *m = run(buf_view(&wire), n, flags | extra, &s);

			if ((n > 1 || extra) && s.errors != errors)
				is_int(s.errors, errors, "errors depend on the cutting");
			errors = s.errors;
			if (mime_errors(m) != errors)
				is_int(mime_errors(m), errors, "errors told");
			mime_free(m);
		}
	buf_free(&wire);
	buf_free(&s.events);
	buf_free(&s.again);
	buf_free(&s.body);
	return errors;
}

#define MULTI  "Content-Type: multipart/mixed; boundary=b\n"
#define ENC(e) "Content-Transfer-Encoding: " e "\n"
#define STRICT (MIME_STRICT_7BIT_HEADERS | MIME_STRICT_8BIT_BODY | MIME_STRICT_ENCODING)
#define M(b)   "Content-Type: multipart/x; boundary=" b "\n\n--" b "\n"

static void test_errors(void)
{
	is_int(errors_of("S: \xff\n\nx\n", STRICT), MIME_E_8BIT_IN_HEADER, "8-bit header");
	is_int(errors_of("S: \xff\n\n\xff\n", 0), 0, "nothing is strict");
	is_int(errors_of("S: x\n\nx\xff\n", STRICT), MIME_E_8BIT_IN_7BIT_BODY, "8-bit body");
	is_int(errors_of(ENC("8BIT") "\n\xff\n", STRICT), 0, "declared");
	is_int(errors_of(ENC("binary (c)") "\n\xff\n", STRICT), 0, "declared binary");
	is_int(errors_of(ENC("base64") "\n\xff\n", STRICT), 0, "declared otherwise");
	is_int(errors_of("Content-Type: message/rfc822\n" ENC("base64") "\nx\n", STRICT),
	    MIME_E_ENCODING_DOMAIN, "encoded message");
	is_int(errors_of(MULTI ENC("quoted-printable") "\nx\n", STRICT), MIME_E_ENCODING_DOMAIN,
	    "encoded multipart");
	is_int(errors_of(MULTI ENC("x-y") "\nx\n", STRICT), 0, "unknown encoding");
	is_int(errors_of(ENC("x-y") "\n\xff\n", STRICT), MIME_E_8BIT_IN_7BIT_BODY,
	    "8-bit text under an unknown encoding");
	is_int(errors_of("Content-Type: message/global\n" ENC("base64") "\nx: y\n", STRICT), 0,
	    "encoded message/global");
	is_int(errors_of("Content-Type: message/partial\n" ENC("base64") "\nx\n", STRICT), 0,
	    "encoded partial message");
	is_int(errors_of("Content-Type: message/partial\n" ENC("8bit") "\nx\n", STRICT),
	    MIME_E_ENCODING_DOMAIN, "partial message");
	is_int(errors_of("Content-Type: message/delivery-status\n" ENC("base64") "\nx\n", STRICT),
	    0, "other message types");
	is_int(errors_of(MULTI ENC("8bit") "\n\xff\n--b\n\nx\n", STRICT), MIME_E_8BIT_IN_7BIT_BODY,
	    "preamble");
	is_int(errors_of(MULTI "\n--b\n" ENC("8bit") "\n\xff\n--b--\n\xff\n", STRICT),
	    MIME_E_8BIT_IN_7BIT_BODY, "epilogue");
	is_int(errors_of(MULTI "\n--b\n" ENC("8bit") "\n\xff\n--b--\nx\n", STRICT), 0, "part");
	is_int(errors_of(MULTI "\n--b\nX: \xff\n\nx\n", STRICT), MIME_E_8BIT_IN_HEADER,
	    "part's header");
	is_int(errors_of(M("1") M("2") M("3") M("4") M("5") "\nx\n", 0), 0, "nesting at the limit");
	is_int(errors_of(M("1") M("2") M("3") M("4") M("5") M("6") "\nx\n", 0), MIME_E_NESTING,
	    "nested too deep");
	is_cstr(mime_error_text(MIME_E_NESTING), "MIME nesting exceeds safety limit", "text");
	is_cstr(mime_error_dsn(MIME_E_8BIT_IN_HEADER), "5.6.0", "code");
}

static void test_long(void)
{
	struct buf wire = {0}, want = {0};
	struct seen s = {0};
	struct mime *m;
	static const size_t pieces[] = {1, 7, 1000, 4096, 100000};

	buf_cstr(&wire, "Long: ");
	for (int i = 0; i < 3000; i++)
		buf_char(&wire, 'h');
	buf_cstr(&wire, "\r\n f\r\nNext: n\r\nContent-Type: multipart/x; boundary=b\r\n\r\n");
	for (int i = 0; i < 5000; i++)
		buf_char(&wire, 'x');
	buf_cstr(&wire, "\r\n--b");
	for (int i = 0; i < 5000; i++)
		buf_char(&wire, 'y');
	buf_cstr(&wire, "\r\nPart: p\r\n\r\n..z\r\n");
	buf_cstr(&want, "Next: n\r\nContent-Type: multipart/x; boundary=b\r\n\r\n");
	for (int i = 0; i < 5000; i++)
		buf_char(&want, 'x');
	for (size_t i = 0; i < 5; i++)
		for (unsigned mode = 1; mode <= 2; mode++) {
			m = run(buf_view(&wire), pieces[i], mode, &s);
			is_int(s.errors, MIME_E_TRUNCATED_HEADER, "a field that is too long");
			ok(str_starts(str_from(buf_view(&s.again), 1002), buf_view(&want)),
			    "is cut, the body is not");
			ok(str_find(buf_view(&s.events), STR("\nM Part: p\nB \nB ..z\n")) > 0,
			    "a boundary line that is too long");
			mime_free(m);
		}
	/* A message that begins with a long line that is no field. */
	buf_clear(&wire);
	for (int i = 0; i < 5000; i++)
		buf_char(&wire, 'q');
	buf_cstr(&wire, "\r\nend\r\n");
	for (size_t i = 0; i < 5; i++)
		for (unsigned mode = 0; mode <= 2; mode++) {
			m = run(buf_view(&wire), pieces[i], mode, &s);
			is_str(buf_view(&s.again), buf_view(&wire),
			    "a long line at the start is body, and whole");
			mime_free(m);
		}
	buf_free(&wire);
	buf_free(&want);
	buf_free(&s.events);
	buf_free(&s.again);
	buf_free(&s.body);
}

static const struct {
	const char *in, *out;
} downs[] = {
    {"S: x\n\n\xc3\xbc\n", "S: x\n\n\xc3\xbc\n"},
    {"MIME-Version: 1.0\n" ENC("8bit") "S: x\n\n\xc3\xbc = x \nx\t\n.dot\n\n.\n",
	"MIME-Version: 1.0\nS: x\n" ENC(
	    "quoted-printable") "\n=C3=BC =3D x=20\nx=09\n..dot\n\n..\n"},
    {"Content-Type: multipart/mixed; boundary=b\n" ENC("8bit") "\npre\xc3\xbc\n--b\n" ENC(
	 "8bit") "\n\xc3\xbc\n--b\n\n\xc3\xbc\n--b\n"
		 "Content-Type: message/rfc822\n" ENC("BINARY") "\nSubject: in\n" ENC(
		     "8bit") "\n\xc3\xbc\n--b--\nepi\xc3\xbc\n",
	"Content-Type: multipart/mixed; boundary=b\n" ENC("7bit") "\npre\xc3\xbc\n--b\n" ENC(
	    "quoted-printable") "\n=C3=BC\n--b\n\n\xc3\xbc\n--b\n"
				"Content-Type: message/rfc822\n" ENC("7bit") "\nSubject: in\n" ENC(
				    "quoted-printable") "\n=C3=BC\n--b--\nepi\xc3\xbc\n"},
    {ENC("base64") "\n\xc3\xbc\n", ENC("base64") "\n\xc3\xbc\n"},
    {ENC("8bit"), ENC("quoted-printable")},
};

static void test_down(void)
{
	struct buf in = {0}, out = {0}, want = {0};
	struct mime_down *d;
	str rest, line;

	for (size_t i = 0; i < sizeof downs / sizeof downs[0]; i++) {
		to_wire(&in, downs[i].in);
		buf_clear(&want);
		for (rest = str_of(downs[i].out); rest.n && str_split(&rest, '\n', &line);)
			buf_printf(&want, "%.*s\r\n", STR_FMT(line));
		for (size_t n = 1; n <= in.n; n++) {
			d = mime_down_new(&limits);
			buf_clear(&out);
			for (rest = buf_view(&in); rest.n; rest = str_from(rest, n))
				mime_down_feed(d, str_head(rest, n), &out);
			mime_down_end(d, &out);
			is_str(buf_view(&out), buf_view(&want), "converted");
			mime_down_free(d);
		}
	}
	buf_clear(&in);
	buf_cstr(&in, ENC("8bit") "\r\n");
	for (int i = 0; i < 3000; i++)
		buf_cstr(&in, i % 7 ? "\xc3\xbc" : ".a ");
	buf_cstr(&in, "\r\n");
	buf_clear(&out);
	d = mime_down_new(&limits);
	mime_down_feed(d, buf_view(&in), &out);
	mime_down_end(d, &out);
	mime_down_free(d);
	rest = buf_view(&out);
	while (rest.n && str_split(&rest, '\n', &line))
		if (line.n > 78 || (line.n && line.p[0] == '.' && line.p[1] != '.') ||
		    !str_is_ascii(line))
			ok(0, "lines of quoted-printable");
	ok(out.n > 9000, "a long line is broken");
	buf_free(&in);
	buf_free(&out);
	buf_free(&want);
}

int main(void)
{
	test_cases();
	test_errors();
	test_long();
	test_down();
	return done();
}
