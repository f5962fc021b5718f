#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
	buf_cut(b, 0);
}

void buf_cut(struct buf *b, size_t n)
{
	if (n < b->n) {
		b->n = n;
		b->p[n] = 0;
	}
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		buf_clear(b);
	} else if (n) {
		b->n -= n;
		memmove(b->p, b->p + n, b->n + 1);
	}
}

char *buf_room(struct buf *b, size_t n)
{
	size_t need, cap;

	if (__builtin_add_overflow(b->n, n, &need) || need >= SIZE_MAX / 4)
		need = SIZE_MAX - 1; /* which mem_realloc() refuses */
	need++;
	if (need > b->cap) {
		cap = b->cap < SIZE_MAX / 4 ? b->cap * 2 : 0;
		if (cap < 64)
			cap = 64;
		if (cap < need)
			cap = need;
		b->p = mem_realloc(b->p, cap);
		b->cap = cap;
		b->p[b->n] = 0;
	}
	return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	b->n += n;
	b->p[b->n] = 0;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (n)
		memcpy(to, p, n);
	buf_added(b, n);
}

void buf_str(struct buf *b, str s)
{
	buf_add(b, s.p, s.n);
}

void buf_quoted(struct buf *b, str s)
{
	buf_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, s.p[i]);
	}
	buf_char(b, '"');
}

void buf_cstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_room(b, 1)[0] = c;
	buf_added(b, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->cap > b->n ? b->cap - b->n : 0;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, again);
	va_end(again);
	if (n < 0) {
		if (room)
			b->p[b->n] = 0;
		return;
	}
	if ((size_t)n >= room)
		vsnprintf(buf_room(b, (size_t)n), (size_t)n + 1, fmt, ap);
	buf_added(b, (size_t)n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_lower(struct buf *b, str s)
{
	char *to = buf_room(b, s.n);

	for (size_t i = 0; i < s.n; i++)
		to[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
	buf_added(b, s.n);
}

static void escape_one(struct buf *b, unsigned char c)
{
	switch (c) {
	case '\r':
		buf_cstr(b, "\\r");
		break;
	case '\n':
		buf_cstr(b, "\\n");
		break;
	case '\t':
		buf_cstr(b, "\\t");
		break;
	case '\\':
		buf_cstr(b, "\\\\");
		break;
	default:
		if (c >= 32 && c < 127)
			buf_char(b, (char)c);
		else
			buf_printf(b, "\\%03o", c);
	}
}

void buf_escape(struct buf *b, str s, size_t max)
{
	str head = str_head(s, max);

	for (size_t i = 0; i < head.n; i++)
		escape_one(b, (unsigned char)head.p[i]);
	if (s.n > max)
		buf_cstr(b, "...");
}

const char *buf_text(const struct buf *b)
{
	return b->p ? b->p : "";
}
