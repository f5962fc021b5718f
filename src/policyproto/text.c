/* Requests and answers as bytes (SMTPD_POLICY_README, Protocol description):
 *     request = 1*( name "=" value LF ) LF
 *     answer  = 1*( name "=" value LF ) LF        ; one of the names is "action"
 * No "=", NUL or LF in a name; no NUL or LF in a value. */
#include "policyproto/policy.h"

#include <stdio.h>

void policy_put(struct buf *request, const char *name, str value)
{
	size_t n = strlen(name);
	char *p = buf_room(request, n + value.n + 2);

	memcpy(p, name, n);
	p += n;
	*p++ = '=';
	memcpy(p, value.p, value.n);
	for (size_t i = 0; i < value.n; i++)
		if (p[i] == '\n' || p[i] == 0)
			p[i] = '?';
	p[value.n] = '\n';
	buf_added(request, n + value.n + 2);
}

void policy_put_number(struct buf *request, const char *name, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%llu", (unsigned long long)value);

	policy_put(request, name, str_mem(text, (size_t)n));
}

void policy_put_end(struct buf *request)
{
	buf_char(request, '\n');
}

/* --- answers */

static bool is_action(const struct policy_answer *a)
{
	return str_eq(str_mem(a->name, a->nname), STR("action"));
}

static enum policy_state end_of_answer(const struct policy_answer *a, struct err *err)
{
	if (a->have_action)
		return POLICY_DONE;
	err_set(err, "missing attribute action in its answer");
	return POLICY_BAD;
}

/* A byte of a name, its '=', or the line end that makes an empty line. */
static enum policy_state feed_name(struct policy_answer *a, char c, struct err *err)
{
	if (c == '\n' && a->nname == 0)
		return end_of_answer(a, err);
	if (c == '\n' || c == 0) {
		struct buf shown = {0};

		buf_escape(&shown, str_mem(a->name, a->nname), sizeof a->name);
		err_set(err, "missing value of attribute \"%s\" in its answer", buf_text(&shown));
		buf_free(&shown);
		return POLICY_BAD;
	}
	if (c == '=') {
		a->at = is_action(a) && !a->have_action ? POLICY_IN_ACTION : POLICY_IN_OTHER;
		a->have_action |= a->at == POLICY_IN_ACTION;
	} else if (a->nname < sizeof a->name) {
		a->name[a->nname++] = c;
	}
	return POLICY_MORE;
}

/* A value up to its line end, or as much of it as is there. */
static enum policy_state feed_value(struct policy_answer *a, str data, size_t *n, struct err *err)
{
	ptrdiff_t lf = str_chr(data, '\n');
	str value = lf < 0 ? data : str_head(data, (size_t)lf);

	*n = value.n;
	if (str_chr(value, 0) >= 0) {
		err_set(err, "NUL in its answer");
		return POLICY_BAD;
	}
	if (a->at == POLICY_IN_ACTION)
		buf_str(&a->action, value);
	if (lf >= 0) {
		++*n;
		a->at = POLICY_IN_NAME;
		a->nname = 0;
	}
	return POLICY_MORE;
}

enum policy_state policy_answer_feed(
    struct policy_answer *a, str data, size_t *used, struct err *err)
{
	enum policy_state state = POLICY_MORE;
	size_t room = POLICY_ANSWER_MAX - a->total;
	str rest = str_head(data, room);

	while (state == POLICY_MORE && rest.n > 0) {
		size_t n = 1;

		if (a->at == POLICY_IN_NAME)
			state = feed_name(a, rest.p[0], err);
		else
			state = feed_value(a, rest, &n, err);
		rest = str_from(rest, n);
	}
	*used = (data.n < room ? data.n : room) - rest.n;
	a->total += *used;
	if (state == POLICY_MORE && a->total == POLICY_ANSWER_MAX) {
		err_set(err, "its answer has more than %d bytes", POLICY_ANSWER_MAX);
		state = POLICY_BAD;
	}
	return state;
}
