/* Wire form cleaned, folded, and taken back into plain lines. */
#include "smtpwire/wire.h"

/* --- characters that must go */

void wire_clean_feed(struct wire_clean *c, str wire, struct buf *out)
{
	for (size_t i = 0; i < wire.n; i++) {
		char b = wire.p[i];

		if (c->cr_) {
			c->cr_ = false;
			if (b == '\n') {
				buf_add(out, "\r\n", 2);
				c->inside_ = c->begun_ = false;
				continue;
			}
			if (c->strays || !(c->strip && c->strip['\r'])) {
				buf_char(out, c->strays ? ' ' : '\r');
				c->begun_ = true;
			}
		}
		if (b == '\r') {
			c->cr_ = true;
			c->inside_ = true;
			continue;
		}
		if (!c->inside_) {
			c->inside_ = true;
			if (b == '.') /* stuffing: put back when the line still begins with a dot */
				continue;
		}
		if (c->strip && c->strip[(unsigned char)b])
			continue;
		if (!c->begun_ && b == '.')
			buf_char(out, '.');
		c->begun_ = true;
		buf_char(out, b);
	}
}

void wire_clean_end(struct wire_clean *c, struct buf *out)
{
	if (c->cr_ || c->inside_)
		buf_add(out, "\r\n", 2);
	c->cr_ = c->inside_ = c->begun_ = false;
}

static int octal(const char **p)
{
	int value = 0;

	for (int i = 0; i < 3 && **p >= '0' && **p <= '7'; i++)
		value = value * 8 + *(*p)++ - '0';
	return value;
}

/* The byte of an escape behind its backslash, or -1. */
static int escape(const char **p)
{
	static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	const char *at;

	if (**p >= '0' && **p <= '7')
		return octal(p);
	at = **p ? strchr(names, **p) : NULL;
	if (!at)
		return -1;
	(*p)++;
	return (unsigned char)values[at - names];
}

bool wire_char_set(const char *text, bool set[256])
{
	int c;

	memset(set, 0, 256 * sizeof set[0]);
	while (*text) {
		if (*text == '\\') {
			text++;
			c = escape(&text);
			if (c < 0 || c > 255)
				return false;
		} else {
			c = (unsigned char)*text++;
		}
		set[c] = true;
	}
	return true;
}

/* --- long lines */

static void fold_put(struct wire_fold *f, struct buf *out, const char *p, size_t n)
{
	while (f->limit > 1 && f->column_ + n > f->limit) {
		size_t part = f->limit - f->column_;

		buf_add(out, p, part);
		buf_cstr(out, "\r\n ");
		f->folded = true;
		f->column_ = 1;
		p += part;
		n -= part;
	}
	buf_add(out, p, n);
	f->column_ += n;
}

void wire_fold_feed(struct wire_fold *f, str wire, struct buf *out)
{
	const char *p = wire.p, *end = wire.p + wire.n, *cr;

	while (p < end) {
		if (f->cr_) {
			f->cr_ = false;
			if (*p == '\n') {
				buf_add(out, "\r\n", 2);
				f->column_ = 0;
				f->inside_ = false;
				p++;
				continue;
			}
			fold_put(f, out, "\r", 1);
		}
		if (!f->inside_) {
			f->inside_ = true;
			if (*p == '.') { /* stuffing does not count */
				buf_char(out, *p++);
				continue;
			}
		}
		cr = memchr(p, '\r', (size_t)(end - p));
		fold_put(f, out, p, (size_t)((cr ? cr : end) - p));
		f->cr_ = cr != NULL;
		p = cr ? cr + 1 : end;
	}
}

void wire_fold_end(struct wire_fold *f, struct buf *out)
{
	if (f->cr_ || f->inside_)
		buf_add(out, "\r\n", 2);
	f->cr_ = f->inside_ = false;
	f->column_ = 0;
}

/* --- plain lines */

void wire_unstuff_feed(struct wire_unstuff *u, str wire, struct buf *out)
{
	const char *p = wire.p, *end = wire.p + wire.n, *cr;

	while (p < end) {
		if (u->cr_) {
			u->cr_ = false;
			if (*p == '\n') {
				buf_cstr(out, u->lf ? "\n" : "\r\n");
				u->inside_ = false;
				p++;
				continue;
			}
			buf_char(out, '\r');
		}
		if (!u->inside_) {
			u->inside_ = true;
			if (*p == '.') {
				p++;
				continue;
			}
		}
		cr = memchr(p, '\r', (size_t)(end - p));
		buf_add(out, p, (size_t)((cr ? cr : end) - p));
		u->cr_ = cr != NULL;
		p = cr ? cr + 1 : end;
	}
}
