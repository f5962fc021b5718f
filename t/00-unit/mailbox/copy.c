/* Messages as commands and mailboxes get them. */
#include "mailbox/copy.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct delivery_rcpt rcpt = {
    .address = {"a b@dom.test", 12}, .orig_address = {"old@dom.test", 12}};
static struct delivery d;
static struct buf got;
static size_t pieces, refuse_at;

static void content(const char *wire, size_t more)
{
	static int fd = -1;
	size_t n = strlen(wire);

	if (fd >= 0)
		close(fd);
	fd = open("content", O_RDWR | O_CREAT | O_TRUNC, 0600);
	/* Something else is in front of it. */
	if (fd < 0 || write(fd, "xx", 2) != 2 || write(fd, wire, n) != (ssize_t)n)
		abort();
	d = (struct delivery){
	    .content_fd = fd, .m = {.content_offset = 2, .content_length = n + more}};
}

static int put(struct buf *piece, void *arg)
{
	ok(arg == &got, "the argument");
	if (++pieces == refuse_at)
		return -1;
	buf_str(&got, buf_view(piece));
	buf_clear(piece);
	return 0;
}

static int copy(unsigned flags, const char *sender, const char *eol)
{
	struct copy c = {
	    .d = &d, .rcpt = &rcpt, .flags = flags, .sender = str_of(sender), .eol = str_of(eol)};

	buf_clear(&got);
	pieces = 0;
	return copy_message(&c, put, &got);
}

static void test_lines(void)
{
	content("A: b\r\n\r\nFrom x\r\n..\r\n...y\r\nFrom\r\n >From z\r\n", 0);
	is_int(copy(0, "", "\n"), 0, "plain");
	is_cstr(buf_text(&got), "A: b\n\nFrom x\n.\n..y\nFrom\n >From z\n", "lines");
	copy(COPY_QUOTE_FROM | COPY_QUOTE_DOT | COPY_BLANK, "", "\r\n");
	is_cstr(buf_text(&got), "A: b\r\n\r\n>From x\r\n..\r\n...y\r\nFrom\r\n >From z\r\n\r\n",
	    "quoted, with an empty line at the end");
	content("", 0);
	copy(COPY_BLANK, "", "\n");
	is_cstr(buf_text(&got), "\n", "no content");
}

static void test_top(void)
{
	unsigned all = COPY_RETURN_PATH | COPY_ORIG_TO | COPY_DELIVERED_TO;

	content("A: b\r\n", 0);
	copy(all, "s t@x.test", "\n");
	is_cstr(buf_text(&got),
	    "Return-Path: <\"s t\"@x.test>\nX-Original-To: old@dom.test\n"
	    "Delivered-To: \"a b\"@dom.test\nA: b\n",
	    "header lines");
	copy(COPY_RETURN_PATH, "", "\n");
	is_cstr(buf_text(&got), "Return-Path: <>\nA: b\n", "the null sender");
	copy(COPY_FROM, "", "\n");
	ok(str_starts(buf_view(&got), STR("From MAILER-DAEMON  ")), "on the From line");
	copy(COPY_FROM, "s t@x.test", "\n");
	ok(str_starts(buf_view(&got), STR("From \"s t\"@x.test  ")), "another one");
	ok(str_ends(buf_view(&got), STR("\nA: b\n")), "which is one line");
	conf.enable_original_recipient = false;
	copy(COPY_ORIG_TO, "", "\n");
	is_cstr(buf_text(&got), "A: b\n", "enable_original_recipient = no");
	conf.enable_original_recipient = true;
	rcpt.orig_address = STR("");
	copy(COPY_ORIG_TO, "", "\n");
	is_cstr(buf_text(&got), "X-Original-To: \"a b\"@dom.test\nA: b\n", "no original is known");
}

static void test_pieces(void)
{
	struct buf big = {0};

	while (big.n < 300000)
		buf_cstr(&big, "0123456789012345678901234567890123456789\r\n");
	content(buf_text(&big), 0);
	is_int(copy(0, "", ""), 0, "a large one");
	is_int((long long)got.n, (long long)(big.n / 42 * 40), "all of it");
	ok(pieces >= 3 && pieces < 10, "in pieces");
	refuse_at = 2;
	is_int(copy(0, "", "\n"), 1, "refused");
	is_int((long long)pieces, 2, "and nothing after that");
	refuse_at = 0;
	content("A: b\r\n", 1);
	is_int(copy(0, "", "\n"), -1, "shorter than it should be");
	is_int(errno, EIO, "which is an error");
	is_int((long long)pieces, 0, "not the end");
	buf_free(&big);
}

static void before(const char *wire, int want, const char *what)
{
	content(wire, 0);
	is_int(copy_delivered_before(&d, STR("u+x@dom.test")), want, what);
}

static void test_before(void)
{
	before("Delivered-To: u+x@dom.test\r\n\r\n", 1, "been here");
	before("A: b\r\ndelivered-to :\tU+X@Dom.Test  \r\n", 1, "other case, white space, no body");
	before("Delivered-To:\r\n u+x@dom.test\r\nB: c\r\n", 1, "folded");
	before("Delivered-To: v@dom.test\r\nDelivered-To: u+x@dom.test\r\n", 1, "the second");
	before("Delivered-To: u@dom.test\r\n", 0, "another address");
	before("Delivered-To: u+x@dom.test (me)\r\n", 0, "and something");
	before("X-Delivered-To: u+x@dom.test\r\n", 0, "another field");
	before("A: b\r\n Delivered-To: u+x@dom.test\r\n", 0, "inside a field");
	before("A: b\r\n\r\nDelivered-To: u+x@dom.test\r\n", 0, "the body");
	before("", 0, "nothing");
	content("Delivered-To: \"a b\"@dom.test\r\n", 0);
	is_int(copy_delivered_before(&d, STR("a b@dom.test")), 1, "quoted");
	content("A: b\r\n", 1);
	is_int(copy_delivered_before(&d, STR("u@dom.test")), -1, "cannot be read");
}

int main(void)
{
	tmpconf("");
	test_lines();
	test_top();
	test_pieces();
	test_before();
	buf_free(&got);
	return done();
}
