/* Content into wire form, and what it is like. */
#include "smtpwire/wire.h"

#define CRS_MAX 255

/* --- facts */

#define SCAN_BLOCK 1024

struct scan {
	unsigned char high, nul, stray;
};

/* n bytes, and one more that is only looked at. No branches: compilers make vector code of it. */
static inline void scan_bytes(struct scan *s, const unsigned char *p, size_t n)
{
	unsigned char high = 0, nul = 0, stray = 0;

	for (size_t i = 0; i < n; i++) {
		high |= p[i];
		nul |= p[i] == 0;
		stray |= (p[i] == '\r') & (p[i + 1] != '\n');
	}
	s->high |= high;
	s->nul |= nul;
	s->stray |= stray;
}

struct wire_scan wire_scan(str wire)
{
	const unsigned char *p = (const unsigned char *)wire.p;
	struct scan s = {0};
	size_t n = wire.n;

	for (; n > SCAN_BLOCK; n -= SCAN_BLOCK, p += SCAN_BLOCK)
		scan_bytes(&s, p, SCAN_BLOCK);
	if (n > 0) {
		scan_bytes(&s, p, n - 1);
		s.high |= p[n - 1];
		s.nul |= p[n - 1] == 0;
		s.stray |= p[n - 1] == '\r';
	}
	return (struct wire_scan){s.high >> 7, s.nul, s.stray};
}

static void line_ended(struct wire_facts *f)
{
	f->lines++;
	if (f->column_ > f->max_line)
		f->max_line = f->column_;
	f->column_ = 0;
	f->inside_ = false;
	f->cr_ = false;
}

void wire_facts_feed(struct wire_facts *f, str wire)
{
	struct wire_scan scan = wire_scan(wire);

	f->eight_bit |= scan.eight_bit;
	f->nul |= scan.nul;
	wire_facts_feed_plain(f, wire);
}

void wire_facts_feed_plain(struct wire_facts *f, str wire)
{
	const char *p = wire.p, *end = wire.p + wire.n, *cr;

	f->size += wire.n;
	while (p < end) {
		if (f->cr_) {
			f->cr_ = false;
			if (*p == '\n') {
				line_ended(f);
				p++;
				continue;
			}
			f->stray_cr = true;
			f->column_++;
		}
		if (!f->inside_) {
			f->inside_ = true;
			if (*p == '.') {
				f->size--;
				p++;
				continue;
			}
		}
		cr = memchr(p, '\r', (size_t)(end - p));
		f->column_ += (size_t)((cr ? cr : end) - p);
		f->cr_ = cr != NULL;
		p = cr ? cr + 1 : end;
	}
}

void wire_facts_add(struct wire_facts *f, const struct wire_facts *more)
{
	f->size += more->size;
	f->lines += more->lines;
	if (more->max_line > f->max_line)
		f->max_line = more->max_line;
	f->eight_bit = f->eight_bit || more->eight_bit;
	f->nul = f->nul || more->nul;
	f->stray_cr = f->stray_cr || more->stray_cr;
}

/* --- mbox lines at the start */

enum lead_step { LEAD_MORE, LEAD_MATCH, LEAD_NONE };

/* Takes the next byte of a line's start. */
static enum lead_step lead_byte(struct wire_lead *l, char c)
{
	static const char from[] = "From ";
	size_t quotes = 0, matched;

	while (quotes < l->n_ && l->head_[quotes] == '>')
		quotes++;
	matched = l->n_ - quotes;
	if (!(c == '>' && matched == 0 && quotes < 8) && c != from[matched])
		return LEAD_NONE;
	l->head_[l->n_++] = c;
	return c == ' ' ? LEAD_MATCH : LEAD_MORE;
}

static void lead_put(struct wire_lead *l, struct buf *out, uint64_t *size)
{
	size_t start = out->n;

	buf_cstr(out, "X-Mailbox-Line: ");
	buf_add(out, l->head_, l->n_);
	*size += out->n - start;
	l->n_ = 0;
}

/* Content that begins with white space has no header: it must not continue the one that we write
 * before it. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* --- DATA */

enum { BOL = 0, DOT, DOT_CR, TEXT };

void wire_in_start(struct wire_in *w, enum wire_newline newline, uint64_t limit)
{
	*w = (struct wire_in){.newline = newline, .limit = limit, .lead_.on = true};
}

static void put(struct wire_in *w, struct buf *out, const char *p, size_t n)
{
	w->size += n;
	if (!w->too_big)
		buf_add(out, p, n);
}

static void put_crs(struct wire_in *w, struct buf *out, size_t n)
{
	while (n--)
		put(w, out, "\r", 1);
}

static void put_end(struct wire_in *w, struct buf *out)
{
	put(w, out, "\r\n", 2);
}

/* A line that holds nothing but a dot came to its end: whether that ends the data. Where it does
 * not, the line is dropped: written again, it could end the data for somebody else. */
static bool dot_line_ends(struct wire_in *w, bool crlf)
{
	bool ends = w->newline == WIRE_BARE_LF_ENDS || (crlf && !w->lf_before_);

	w->lf_before_ = !crlf;
	if (!crlf)
		w->bare_lf = true;
	w->crs_ = 0;
	w->at_ = BOL;
	return ends;
}

/* Bytes of whole and partial lines from p on, in one run where they are as they should be. Returns
 * where it stopped: at the end, or at a line that begins with a dot. */
static const char *take_text(struct wire_in *w, const char *p, const char *end, struct buf *out)
{
	const char *run = p, *nl, *q;
	bool strict = w->newline == WIRE_STRICT_END;

	while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
		q = nl;
		w->lf_before_ = nl == p || nl[-1] != '\r';
		if (w->lf_before_)
			w->bare_lf = true;
		else if (!strict)
			while (q > p && q[-1] == '\r' && nl - q < CRS_MAX)
				q--;
		else
			q--;
		if (w->lf_before_ || q != nl - 1) {
			put(w, out, run, (size_t)(q - run));
			put_end(w, out);
			run = nl + 1;
		}
		p = nl + 1;
		if (p == end || *p == '.') {
			put(w, out, run, (size_t)(p - run));
			w->at_ = BOL;
			return p;
		}
	}
	for (q = end; q > p && q[-1] == '\r' && end - q < CRS_MAX;)
		q--;
	put(w, out, run, (size_t)(q - run));
	w->crs_ = (unsigned char)(end - q);
	w->at_ = TEXT;
	return end;
}

/* CRs are held that may belong to a line end. Returns what is left of the input. */
static const char *after_crs(struct wire_in *w, const char *p, struct buf *out)
{
	if (*p == '\n') {
		put_crs(w, out, w->newline == WIRE_STRICT_END ? w->crs_ - 1u : 0);
		put_end(w, out);
		w->crs_ = 0;
		w->lf_before_ = false;
		w->at_ = BOL;
		return p + 1;
	}
	if (*p == '\r') {
		if (w->crs_ < CRS_MAX)
			w->crs_++;
		else
			put(w, out, "\r", 1);
		return p + 1;
	}
	put_crs(w, out, w->crs_);
	w->crs_ = 0;
	return p;
}

/* Behind a dot at the start of a line, which is held back. */
static const char *after_dot(struct wire_in *w, const char *p, struct buf *out, bool *ended)
{
	if (*p == '\n') {
		*ended = dot_line_ends(w, w->at_ == DOT_CR);
		return p + 1;
	}
	if (*p == '\r' && (w->at_ == DOT || w->newline == WIRE_BARE_LF_ENDS) && w->crs_ < CRS_MAX) {
		w->at_ = DOT_CR;
		w->crs_++;
		return p + 1;
	}
	w->at_ = TEXT;
	if (*p == '.' && w->crs_ == 0) {
		put(w, out, "..", 2);
		w->size--;
		return p + 1;
	}
	return p;
}

static enum wire_state take(struct wire_in *w, str in, struct buf *out, size_t *used)
{
	const char *p = in.p, *end = in.p + in.n;
	bool ended = false;

	while (p < end && !ended) {
		if (w->at_ == BOL && *p == '.') {
			w->at_ = DOT;
			p++;
		} else if (w->at_ == DOT || w->at_ == DOT_CR) {
			p = after_dot(w, p, out, &ended);
		} else if (w->crs_) {
			p = after_crs(w, p, out);
		} else {
			p = take_text(w, p, end, out);
		}
	}
	*used = (size_t)(p - in.p);
	if (w->limit && w->size > w->limit)
		w->too_big = true;
	return ended ? WIRE_END : WIRE_MORE;
}

/* Feeds lines one by one as long as they may be mbox lines. */
static enum wire_state take_lead(struct wire_in *w, str in, struct buf *out, size_t *used)
{
	const char *p = in.p, *end = in.p + in.n, *nl;
	enum wire_state state = WIRE_MORE;
	enum lead_step step;
	size_t n;

	while (p < end && w->lead_.on && state == WIRE_MORE) {
		if (w->at_ != BOL) {
			nl = memchr(p, '\n', (size_t)(end - p));
			state = take(w, str_mem(p, (size_t)((nl ? nl + 1 : end) - p)), out, &n);
			p += n;
			continue;
		}
		step = lead_byte(&w->lead_, *p);
		if (step == LEAD_NONE) {
			w->lead_.on = false;
			if (w->size == 0 && w->lead_.n_ == 0 && is_blank(*p))
				put_end(w, out);
			take(w, str_mem(w->lead_.head_, w->lead_.n_), out, &n);
			break;
		}
		p++;
		if (step == LEAD_MATCH) {
			lead_put(&w->lead_, out, &w->size);
			w->at_ = TEXT;
		}
	}
	*used = (size_t)(p - in.p);
	return state;
}

enum wire_state wire_in_feed(struct wire_in *w, str in, struct buf *out, size_t *used)
{
	enum wire_state state = WIRE_MORE;
	size_t lead = 0, rest = 0;

	if (w->lead_.on)
		state = take_lead(w, in, out, &lead);
	if (state == WIRE_MORE && lead < in.n)
		state = take(w, str_from(in, lead), out, &rest);
	*used = lead + rest;
	return state;
}

/* --- content that is not stuffed */

static void stuff_put(struct wire_stuff *s, struct buf *out, const char *p, size_t n)
{
	s->size += n;
	buf_add(out, p, n);
}

static void stuff_end_line(struct wire_stuff *s, struct buf *out)
{
	stuff_put(s, out, "\r\n", 2);
	s->at_ = BOL;
}

/* As take_text(), for lines that may begin with a dot. */
static void stuff_take(struct wire_stuff *s, str in, struct buf *out)
{
	const char *p = in.p, *end = in.p + in.n, *run, *nl;

	while (p < end) {
		if (s->cr_) {
			s->cr_ = false;
			if (*p == '\n') {
				stuff_end_line(s, out);
				p++;
				continue;
			}
			stuff_put(s, out, "\r", 1);
		}
		if (s->at_ == BOL && *p == '.')
			buf_char(out, '.');
		s->at_ = TEXT;
		run = p;
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl) {
			s->cr_ = end[-1] == '\r';
			stuff_put(s, out, run, (size_t)(end - run) - s->cr_);
			return;
		}
		if (nl == p || nl[-1] != '\r')
			s->bare_lf = true;
		else
			nl--;
		stuff_put(s, out, run, (size_t)(nl - run));
		stuff_end_line(s, out);
		p = nl + (*nl == '\r' ? 2 : 1);
	}
}

void wire_stuff_feed(struct wire_stuff *s, str in, struct buf *out)
{
	const char *p = in.p, *end = in.p + in.n, *nl;
	enum lead_step step;

	while (p < end && s->lead.on) {
		if (s->at_ != BOL || s->cr_) {
			nl = memchr(p, '\n', (size_t)(end - p));
			stuff_take(s, str_mem(p, (size_t)((nl ? nl + 1 : end) - p)), out);
			p = nl ? nl + 1 : end;
			continue;
		}
		step = lead_byte(&s->lead, *p);
		if (step == LEAD_NONE) {
			s->lead.on = false;
			if (s->size == 0 && s->lead.n_ == 0 && is_blank(*p))
				stuff_end_line(s, out);
			stuff_take(s, str_mem(s->lead.head_, s->lead.n_), out);
			s->lead.n_ = 0;
			break;
		}
		p++;
		if (step == LEAD_MATCH) {
			lead_put(&s->lead, out, &s->size);
			s->at_ = TEXT;
		}
	}
	stuff_take(s, str_mem(p, (size_t)(end - p)), out);
}

void wire_stuff_end(struct wire_stuff *s, struct buf *out)
{
	if (s->lead.n_) {
		stuff_take(s, str_mem(s->lead.head_, s->lead.n_), out);
		s->lead.n_ = 0;
	}
	s->cr_ = false;
	if (s->at_ != BOL)
		stuff_end_line(s, out);
}

void wire_line(struct buf *out, str line)
{
	if (line.n && line.p[0] == '.')
		buf_char(out, '.');
	buf_str(out, line);
	buf_add(out, "\r\n", 2);
}
