/* Packets and what milters answer. */
#include "milter/wire.h"
#include "../../lib/tap.h"

static void packets(void)
{
	struct buf out = {0};
	struct err err;
	size_t at, need;
	str in, data;
	char cmd;

	at = milter_packet_begin(&out, 'M');
	milter_put_z(&out, STR("<a@b>"));
	milter_put_z(&out, STR("x\0y"));
	milter_packet_end(&out, at);
	is_str(buf_view(&out), STR("\0\0\0\11M<a@b>\0x\0"), "a packet; a NUL ends a text");
	buf_clear(&out);
	at = milter_packet_begin(&out, 'B');
	milter_packet_length(&out, at, 65535);
	is_str(buf_view(&out), STR("\0\1\0\0B"), "the head of one whose data are elsewhere");

	in = STR("\0\0\0\3cab\0\0\0\1p\0\0");
	is_int(milter_packet_take(&in, &cmd, &data, &need, &err), 0, "a packet");
	ok(cmd == 'c', "its command");
	is_str(data, STR("ab"), "its data");
	is_int(milter_packet_take(&in, &cmd, &data, &need, &err), 0, "another");
	is_str(data, STR(""), "without data");
	is_int(milter_packet_take(&in, &cmd, &data, &need, &err), 1, "half a head");
	is_int((long long)need, 4, "what is needed");
	in = STR("\0\0\0\3ca");
	is_int(milter_packet_take(&in, &cmd, &data, &need, &err), 1, "half a packet");
	is_int((long long)need, 7, "what is needed");
	in = STR("\0\0\0\0c");
	is_int(milter_packet_take(&in, &cmd, &data, &need, &err), -1, "length 0");
	is_cstr(err.text, "bad packet length 0", "error");
	in = STR("\177\377\377\377b");
	is_int(milter_packet_take(&in, &cmd, &data, &need, &err), -1, "2 GiB");
	is_cstr(err.text, "bad packet length 2147483647", "error");
	buf_free(&out);
}

static void good_reply(char cmd, str data, enum milter_kind kind, str name, str text, str args)
{
	struct milter_reply r;
	struct err err = {0};

	is_int(milter_reply_parse(cmd, data, &r, &err), 0, milter_kind_name(kind));
	is_int(r.kind, kind, "kind");
	is_str(r.name, name, "name");
	is_str(r.text, text, "text");
	is_str(r.args, args, "arguments");
}

static void bad_reply(char cmd, str data, const char *why)
{
	struct milter_reply r;
	struct err err = {0};

	is_int(milter_reply_parse(cmd, data, &r, &err), -1, why);
	is_cstr(err.text, why, "error");
}

static void replies(void)
{
	str none = STR("");

	good_reply('c', none, MILTER_IS_CONTINUE, none, none, none);
	good_reply('h', STR("X-A\0b\0"), MILTER_IS_ADD_HEADER, STR("X-A"), STR("b"), none);
	good_reply('i', STR("\0\0\1\2X-A\0\0"), MILTER_IS_INSERT_HEADER, STR("X-A"), none, none);
	good_reply('+', STR("<a>\0"), MILTER_IS_ADD_RCPT, none, STR("<a>"), none);
	good_reply('2', STR("<a>\0X=Y\0"), MILTER_IS_ADD_RCPT, none, STR("<a>"), STR("X=Y"));
	good_reply('2', STR("<a>\0"), MILTER_IS_ADD_RCPT, none, STR("<a>"), none);
	good_reply('e', STR("<>\0\0"), MILTER_IS_CHANGE_FROM, none, STR("<>"), none);
	good_reply('b', STR("a\0b"), MILTER_IS_REPLACE_BODY, none, STR("a\0b"), none);
	good_reply('b', none, MILTER_IS_REPLACE_BODY, none, none, none);
	good_reply('y', STR("550 no\0"), MILTER_IS_REPLYCODE, none, STR("550 no\0"), none);
	bad_reply('z', none, "unknown reply \"z\"");
	bad_reply('\0', none, "unknown reply \"\\000\"");
	bad_reply('c', STR("x"), "continue reply has 1 bytes too many");
	bad_reply('h', STR("X-A\0b"), "add header reply is cut short");
	bad_reply('h', STR("X-A\0b\0c\0"), "add header reply has 2 bytes too many");
	bad_reply('h', STR("\0b\0"), "add header reply has no name");
	bad_reply('m', STR("\0\0\1"), "change header reply is cut short");
	bad_reply('+', none, "add recipient reply is cut short");
	bad_reply('2', STR("<a>\0X=Y"), "add recipient reply is cut short");
}

static void replycode(const char *text, const char *want)
{
	struct buf out = {0};
	struct err err;
	int r = milter_replycode(str_mem(text, strlen(text) + 1), &out, &err);

	is_int(r, want ? 0 : -1, text);
	if (want)
		is_cstr(buf_text(&out), want, "as smtpd knows it");
	buf_free(&out);
}

static void replycodes(void)
{
	replycode("550 5.7.1 no", "550 5.7.1 no");
	replycode("451 ", "451 ");
	replycode("451-\r\n451 a", "451 \na");
	replycode("550 100%% sure, 5% not", "550 100% sure, 5% not");
	replycode("550-5.7.1 a\r\n550-5.7.1 b\r\n550 c\r\n", "550 5.7.1 a\n5.7.1 b\nc");
	replycode("550-a\n550 b", "550 a\nb");
	replycode("", NULL);
	replycode("250 ok", NULL);
	replycode("650 ok", NULL);
	replycode("55", NULL);
	replycode("550", NULL);
	replycode("550x", NULL);
	replycode("550-a\r\n551 b", NULL);
	replycode("550-a\r\n\r\n550 b", NULL);
	replycode("no 550", NULL);
	replycode("550 4.1.1 no", NULL);
	replycode("450 2.1.1 no", NULL);
	replycode("550 4.no", "550 4.no");
}

int main(void)
{
	packets();
	replies();
	replycodes();
	return done();
}
