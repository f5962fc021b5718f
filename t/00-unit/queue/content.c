#include "scratch.h"

static int file_of(const char *path, str content)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (write(fd, content.p, content.n) != (ssize_t)content.n)
		abort();
	close(fd);
	return 0;
}

static void lines(void)
{
	str text = STR("HEADa: b\r\n\r\n..dot\r\n..\r\nbare\nlast, no end");
	struct content_reader *r;
	str line;
	struct err err;
	int fd;

	file_of("x", text);
	fd = queue_content_open("x", &err);
	r = content_open(fd, 4, text.n - 4);
	for (int pass = 0; pass < 2; pass++) {
		content_line(r, &line);
		is_str(line, STR("a: b"), "a line without its end");
		content_line(r, &line);
		is_str(line, STR(""), "an empty line");
		content_line(r, &line);
		is_str(line, STR(".dot"), "a stuffed dot");
		content_line(r, &line);
		is_str(line, STR("."), "a lone dot");
		content_line(r, &line);
		is_str(line, STR("bare"), "a bare LF");
		is_int(content_line(r, &line), 1, "the last line");
		is_str(line, STR("last, no end"), "without end");
		is_int(content_line(r, &line), 0, "the end");
		content_rewind(r);
	}
	content_close(r);
	r = content_open(fd, 4, text.n);
	while (content_line(r, &line) == 1)
		;
	is_int(content_line(r, &line), -1, "a file that is too short");
	is_int(errno, EIO, "is an I/O error");
	content_close(r);
	queue_content_release(fd);
}

static void large(void)
{
	struct buf b = {0};
	struct content_reader *r;
	struct err err;
	str line;
	size_t good = 0;
	int fd;

	for (int i = 0; i < 30; i++) {
		for (int j = 0; j < i * 1000; j++)
			buf_char(&b, (char)('a' + i % 26));
		buf_cstr(&b, "\r\n");
	}
	file_of("large", buf_view(&b));
	fd = queue_content_open("large", &err);
	r = content_open(fd, 0, b.n);
	for (size_t i = 0; i < 30; i++)
		good += content_line(r, &line) == 1 && line.n == i * 1000;
	is_int(good, 30, "lines of any length");
	content_close(r);
	queue_content_release(fd);
	buf_free(&b);
}

/* One line of n bytes, that begins with dots and has CRs at its pieces' ends, and a line behind it.
 */
static bool in_pieces(size_t n, const char *end)
{
	struct buf b = {0}, got = {0};
	struct content_reader *r;
	struct err err;
	size_t begins = 0, ends = 0;
	bool good = true;
	str line;
	int fd;

	for (size_t i = 0; i < n; i++)
		buf_char(&b, i % CONTENT_PIECE == 0		     ? '.'
			     : i % CONTENT_PIECE > CONTENT_PIECE - 3 ? '\r'
								     : 'x');
	b.p[n - 1] = 'z';
	buf_printf(&b, "%sy\r\n", end);
	file_of("long", buf_view(&b));
	fd = queue_content_open("long", &err);
	r = content_open(fd, 0, b.n);
	do {
		good &= content_line(r, &line) == 1 && line.n > 0 && line.n <= CONTENT_PIECE + 1;
		good &= content_line_begins(r) == (got.n == 0);
		buf_str(&got, line);
		begins += content_line_begins(r);
		ends += content_line_ends(r);
	} while (good && !content_line_ends(r));
	good &= begins == 1 && ends == 1 && content_line_offset(r) < n;
	good &= str_eq(buf_view(&got), str_mem(b.p + 1, n - 1));
	good &= content_line(r, &line) == 1 && str_eq(line, STR("y")) && content_line_begins(r) &&
		content_line_ends(r) && content_line(r, &line) == 0;
	content_close(r);
	queue_content_release(fd);
	unlink("long");
	buf_free(&b);
	buf_free(&got);
	return good;
}

static void pieces(void)
{
	size_t good = 0, all = 0;

	for (size_t at = CONTENT_PIECE; at <= 4 * CONTENT_PIECE; at += CONTENT_PIECE)
		for (size_t n = at - 4; n < at + 5; n++, all += 2)
			good += in_pieces(n, "\r\n") + in_pieces(n, "\n");
	is_int(good, all, "a line that is too long comes in pieces");
}

static void cache(void)
{
	struct err err;
	char name[16], c;
	int a, b, fds[100], i;

	file_of("c", STR("old"));
	a = queue_content_open("c", &err);
	b = queue_content_open("c", &err);
	is_int(a, b, "the same file has the same descriptor");
	queue_content_release(a);
	queue_content_release(b);
	unlink("c");
	file_of("c", STR("new"));
	a = queue_content_open("c", &err);
	ok(pread(a, &c, 1, 0) == 1 && c == 'n', "a file that was replaced is opened anew");
	unlink("c");
	file_of("c", STR("third"));
	b = queue_content_open("c", &err);
	ok(pread(a, &c, 1, 0) == 1 && c == 'n' && pread(b, &c, 1, 0) == 1 && c == 't',
	    "also while the old one is in use");
	queue_content_release(a);
	queue_content_release(b);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "f%d", i);
		file_of(name, str_of(name));
		fds[i] = queue_content_open(name, &err);
	}
	for (i = 0; i < 100; i++)
		queue_content_release(fds[i]);
	ok(scratch_count("/proc/self/fd", "") < 40, "few are kept open without users");
	is_int(queue_content_open("nothing", &err), -1, "a file that is not there");
	is_int(err.code, ENOENT, "says so");
}

int main(void)
{
	scratch_queue();
	lines();
	large();
	pieces();
	cache();
	scratch_remove();
	return done();
}
