/* Requests and answers of the policy protocol as bytes. */
#include "policyproto/policy.h"
#include "t/lib/tap.h"

static void requests(void)
{
	struct buf b = {0};

	policy_put(&b, "request", STR("smtpd_access_policy"));
	policy_put(&b, "empty", STR(""));
	policy_put_number(&b, "size", 18446744073709551615ull);
	policy_put(&b, "evil", STR("a\nrecipient=b\0c\r="));
	policy_put_end(&b);
	is_str(buf_view(&b),
	    STR("request=smtpd_access_policy\nempty=\nsize=18446744073709551615\n"
		"evil=a?recipient=b?c\r=\n\n"),
	    "a request; a value cannot end its line");
	buf_free(&b);
}

/* Fed in pieces of n bytes. rest: what does not belong to the answer. */
static enum policy_state feed(
    struct policy_answer *a, str data, size_t n, str *rest, struct err *err)
{
	enum policy_state state = POLICY_MORE;
	size_t used;

	while (state == POLICY_MORE && data.n > 0) {
		str piece = str_head(data, n);

		state = policy_answer_feed(a, piece, &used, err);
		if (state == POLICY_MORE && used != piece.n)
			return POLICY_BAD;
		data = str_from(data, used);
	}
	*rest = data;
	return state;
}

static const struct {
	const char *what;
	str data;
	enum policy_state state;
	const char *action; /* or the error */
	const char *rest;
} cases[] = {
    {"an answer", STR("action=DUNNO\n\n"), POLICY_DONE, "DUNNO", ""},
    {"text", STR("action=REJECT 5.7.1 a = b\n\n"), POLICY_DONE, "REJECT 5.7.1 a = b", ""},
    {"empty action", STR("action=\n\n"), POLICY_DONE, "", ""},
    {"the first action counts", STR("action=A\naction=B\n\n"), POLICY_DONE, "A", ""},
    {"other attributes", STR("a=b\naction=A\nc=\n=\n\n"), POLICY_DONE, "A", ""},
    {"a long name", STR("actionactionactionactionactionaction=B\naction=A\n\n"), POLICY_DONE, "A",
	""},
    {"names in other case", STR("Action=A\n\n"), POLICY_BAD,
	"missing attribute action in its answer", ""},
    {"two answers", STR("action=A\n\naction=B\n\n"), POLICY_DONE, "A", "action=B\n\n"},
    {"only an empty line", STR("\n"), POLICY_BAD, "missing attribute action in its answer", ""},
    {"no action", STR("result=OK\n\n"), POLICY_BAD, "missing attribute action in its answer", ""},
    {"no value", STR("action\n\n"), POLICY_BAD,
	"missing value of attribute \"action\" in its answer", "\n"},
    {"CRLF", STR("action=A\r\n\r\n"), POLICY_BAD,
	"missing value of attribute \"\\r\" in its answer", ""},
    {"garbage", STR("HTTP/1.1 400 Bad\n\n"), POLICY_BAD,
	"missing value of attribute \"HTTP/1.1 400 Bad\" in its answer", "\n"},
    {"NUL in a value", STR("action=A\0B\n\n"), POLICY_BAD, "NUL in its answer", NULL},
    {"NUL in a name", STR("act\0ion=B\n\n"), POLICY_BAD,
	"missing value of attribute \"act\" in its answer", "ion=B\n\n"},
    {"not complete", STR("action=A\n"), POLICY_MORE, "A", ""},
    {"nothing", STR(""), POLICY_MORE, "", ""},
};

static void answers(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t n = 1; n <= cases[i].data.n + 1; n++) {
			struct policy_answer a = {0};
			struct err err = {0};
			str rest = {0};

			if (feed(&a, cases[i].data, n, &rest, &err) != cases[i].state)
				ok(false, cases[i].what);
			else if (cases[i].state == POLICY_BAD)
				is_cstr(err.text, cases[i].action, cases[i].what);
			else
				is_cstr(buf_text(&a.action), cases[i].action, cases[i].what);
			if (cases[i].rest)
				is_str(str_head(rest, rest.n), str_of(cases[i].rest), "the rest");
			buf_free(&a.action);
		}
}

/* A server that never comes to an end. */
static void endless(const char *start, const char *more, const char *what)
{
	struct policy_answer a = {0};
	struct err err = {0};
	enum policy_state state;
	size_t used, total = 0;

	state = policy_answer_feed(&a, str_of(start), &used, &err);
	while (state == POLICY_MORE && total < 4 * POLICY_ANSWER_MAX) {
		state = policy_answer_feed(&a, str_of(more), &used, &err);
		total += used;
	}
	is_int(state, POLICY_BAD, what);
	is_cstr(err.text, "its answer has more than 131072 bytes", "the reason");
	ok(a.action.n < POLICY_ANSWER_MAX, "what is kept is bounded");
	buf_free(&a.action);
}

static void limits(void)
{
	struct policy_answer a = {0};
	struct buf b = {0};
	struct err err;
	size_t used;

	endless("action=", "xxxxxxxxxxxxxxx", "an endless action");
	endless("other=", "xxxxxxxxxxxxxxx", "an endless value");
	endless("", "xxxxxxxxxxxxxxx", "an endless name");
	endless("action=A\n", "a=b\n", "endless attributes");
	buf_cstr(&b, "action=PREPEND X: ");
	while (b.n < POLICY_ANSWER_MAX - 2)
		buf_char(&b, 'x');
	buf_cstr(&b, "\n\n");
	is_int(
	    policy_answer_feed(&a, buf_view(&b), &used, &err), POLICY_DONE, "the longest answer");
	is_int((long long)used, POLICY_ANSWER_MAX, "all of it");
	buf_free(&a.action);
	buf_free(&b);
}

int main(void)
{
	requests();
	answers();
	limits();
	return done();
}
