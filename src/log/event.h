/* The events of event.tbl as functions: log_delivery(id, to, ...), log_smtpd_connect(client), ...
 *
 * Arguments are in the order of the row; NULL (for slices: p NULL, LOG_NONE) leaves an optional
 * part out. Nothing is kept, nothing waits. To add a line, add a row to event.tbl. */
#ifndef POSTERN_LOG_EVENT_H
#define POSTERN_LOG_EVENT_H

#include "base/buf.h"
#include "log/log.h"

#define LOG_NONE ((str){NULL, 0})

enum event_type {
	EVENT_FIELD_TEXT,    /* C, S, Q */
	EVENT_FIELD_ADDRESS, /* A */
	EVENT_FIELD_INPUT,   /* E */
	EVENT_FIELD_UNSIGNED,
	EVENT_FIELD_SIGNED,
};
struct event_value {
	union {
		str s;
		uint64_t u;
		int64_t i;
	};
};
struct event_field {
	const char *name;
	enum event_type type;
};
#define EVENT_FIELDS_MAX 16
struct event_info {
	const char *name;
	enum log_level level;
	const char *text;
	struct event_field fields[EVENT_FIELDS_MAX + 1]; /* the last has no name */
};

enum event {
#define EVENT(name, level, text, ...) EVENT_##name,
#include "log/event.tbl"
#undef EVENT
	EVENT_COUNT
};
extern const struct event_info event_table[EVENT_COUNT];

/* Writes an event to the log; v has as many values as the row has fields. */
void log_event(enum event e, const struct event_value *v);
/* Appends the classic text of an event, without prefix and not yet printable-ised. */
void event_text(struct buf *out, enum event e, const struct event_value *v);
/* Appends an address of internal form as the log shows it: quoted where RFC 5321 4.1.2 wants it,
 * unless info_log_address_format is internal. */
void log_address(struct buf *out, str address);

/* EVENT_MAP(macro, a, b, c) -> macro_a, macro_b, macro_c : a field C(x) becomes macro_C(x). */
#define EVENT_CAT_(a, b)						  a##b
#define EVENT_CAT(a, b)							  EVENT_CAT_(a, b)
#define EVENT_M1(m, a)							  m##a
#define EVENT_M2(m, a, ...)						  m##a, EVENT_M1(m, __VA_ARGS__)
#define EVENT_M3(m, a, ...)						  m##a, EVENT_M2(m, __VA_ARGS__)
#define EVENT_M4(m, a, ...)						  m##a, EVENT_M3(m, __VA_ARGS__)
#define EVENT_M5(m, a, ...)						  m##a, EVENT_M4(m, __VA_ARGS__)
#define EVENT_M6(m, a, ...)						  m##a, EVENT_M5(m, __VA_ARGS__)
#define EVENT_M7(m, a, ...)						  m##a, EVENT_M6(m, __VA_ARGS__)
#define EVENT_M8(m, a, ...)						  m##a, EVENT_M7(m, __VA_ARGS__)
#define EVENT_M9(m, a, ...)						  m##a, EVENT_M8(m, __VA_ARGS__)
#define EVENT_M10(m, a, ...)						  m##a, EVENT_M9(m, __VA_ARGS__)
#define EVENT_M11(m, a, ...)						  m##a, EVENT_M10(m, __VA_ARGS__)
#define EVENT_M12(m, a, ...)						  m##a, EVENT_M11(m, __VA_ARGS__)
#define EVENT_M13(m, a, ...)						  m##a, EVENT_M12(m, __VA_ARGS__)
#define EVENT_M14(m, a, ...)						  m##a, EVENT_M13(m, __VA_ARGS__)
#define EVENT_M15(m, a, ...)						  m##a, EVENT_M14(m, __VA_ARGS__)
#define EVENT_M16(m, a, ...)						  m##a, EVENT_M15(m, __VA_ARGS__)
#define EVENT_NTH(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, N, ...) N
#define EVENT_N(...)                                                                               \
	EVENT_NTH(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define EVENT_MAP(m, ...) EVENT_CAT(EVENT_M, EVENT_N(__VA_ARGS__))(m, __VA_ARGS__)

static inline struct event_value event_str(str s)
{
	return (struct event_value){.s = s};
}
static inline struct event_value event_cstr(const char *s)
{
	return (struct event_value){.s = {s, s ? strlen(s) : 0}};
}
static inline struct event_value event_id(const char *s)
{
	return (struct event_value){.s = s && *s ? str_of(s) : STR("NOQUEUE")};
}
static inline struct event_value event_unsigned(uint64_t u)
{
	return (struct event_value){.u = u};
}
static inline struct event_value event_signed(int64_t i)
{
	return (struct event_value){.i = i};
}

#define EVENT_ARG_C(x)	 const char *x
#define EVENT_ARG_S(x)	 str x
#define EVENT_ARG_A(x)	 str x
#define EVENT_ARG_E(x)	 str x
#define EVENT_ARG_U(x)	 uint64_t x
#define EVENT_ARG_I(x)	 int64_t x
#define EVENT_ARG_Q(x)	 const char *x
#define EVENT_VALUE_C(x) event_cstr(x)
#define EVENT_VALUE_S(x) event_str(x)
#define EVENT_VALUE_A(x) event_str(x)
#define EVENT_VALUE_E(x) event_str(x)
#define EVENT_VALUE_U(x) event_unsigned(x)
#define EVENT_VALUE_I(x) event_signed(x)
#define EVENT_VALUE_Q(x) event_id(x)

#define EVENT(name, level, text, ...)                                                              \
	static inline void log_##name(EVENT_MAP(EVENT_ARG_, __VA_ARGS__))                          \
	{                                                                                          \
		const struct event_value v[] = {EVENT_MAP(EVENT_VALUE_, __VA_ARGS__)};             \
		log_event(EVENT_##name, v);                                                        \
	}
#include "log/event.tbl"
#undef EVENT

#endif
