/* "The PROXY protocol, Versions 1 & 2" (haproxy.org) */
#include "smtpd/proxyproto.h"

#include "log/log.h"
#include "param/param.h"

#define V1_MAX	107 /* with its CRLF */
#define V2_HEAD 16
#define V2_MAX	(V2_HEAD + 2048) /* addresses and extensions; far more than any proxy sends */
static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static bool family_allowed(int family)
{
	str rest = str_of(conf.inet_protocols), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, STR("all")) ||
		    str_eq_nocase(word, family == AF_INET ? STR("ipv4") : STR("ipv6")))
			return true;
	return false;
}

static int endpoint(struct hostaddr *a, str addr, str port, int family, struct err *err)
{
	uint64_t n;

	if (!str_to_u64(port, &n) || n > 65535)
		return err_set(err, "bad port \"%.*s\"", STR_FMT(str_head(port, 20)));
	if (hostaddr_parse(a, addr, (uint16_t)n, NULL) < 0 || a->sa.sa_family != family)
		return err_set(err, "bad address \"%.*s\"", STR_FMT(str_head(addr, 50)));
	return 0;
}

/* "PROXY" SP ("TCP4" / "TCP6") SP from SP to SP port SP port CRLF; "PROXY UNKNOWN" anything CRLF */
static enum proxyproto_state parse_v1(str in, struct proxyproto *p, size_t *used, struct err *err)
{
	ptrdiff_t end = str_chr(str_head(in, V1_MAX), '\n');
	str words[6] = {{0}}, rest;
	size_t n = 0;
	int family;

	if (end < 0) {
		*used = in.n + 1;
		return in.n < V1_MAX ? PROXYPROTO_MORE
				     : (err_set(err, "line too long"), PROXYPROTO_BAD);
	}
	*used = (size_t)end + 1;
	rest = str_trim(str_head(in, (size_t)end));
	while (n < ARRAY_SIZE(words) && str_word(&rest, " ", &words[n]))
		n++;
	if (n >= 2 && str_eq(words[1], STR("UNKNOWN"))) {
		p->local = true;
		return PROXYPROTO_DONE;
	}
	family = str_eq(words[1], STR("TCP4"))	 ? AF_INET
		 : str_eq(words[1], STR("TCP6")) ? AF_INET6
						 : 0;
	if (n < 6 || str_trim(rest).n || !family || !family_allowed(family)) {
		err_set(err, "bad or missing protocol or address");
		return PROXYPROTO_BAD;
	}
	if (endpoint(&p->from, words[2], words[4], family, err) < 0 ||
	    endpoint(&p->to, words[3], words[5], family, err) < 0)
		return PROXYPROTO_BAD;
	return PROXYPROTO_DONE;
}

static void take_v4(struct hostaddr *a, const unsigned char *addr, const unsigned char *port)
{
	*a = (struct hostaddr){.len = sizeof(a->in)};
	a->in.sin_family = AF_INET;
	memcpy(&a->in.sin_addr, addr, 4);
	memcpy(&a->in.sin_port, port, 2);
}

static void take_v6(struct hostaddr *a, const unsigned char *addr, const unsigned char *port)
{
	*a = (struct hostaddr){.len = sizeof(a->in6)};
	a->in6.sin6_family = AF_INET6;
	memcpy(&a->in6.sin6_addr, addr, 16);
	memcpy(&a->in6.sin6_port, port, 2);
}

/* Signature, version and command, family and protocol, length (16 bit, network order), addresses.
 */
static enum proxyproto_state parse_v2(str in, struct proxyproto *p, size_t *used, struct err *err)
{
	const unsigned char *b = (const unsigned char *)in.p, *body = b + V2_HEAD;
	size_t length;

	*used = V2_HEAD;
	if (in.n < V2_HEAD)
		return PROXYPROTO_MORE;
	length = (size_t)b[14] << 8 | b[15];
	*used = V2_HEAD + length;
	if (b[12] >> 4 != 2 || *used > V2_MAX) {
		err_set(err, "bad version or length");
		return PROXYPROTO_BAD;
	}
	if (in.n < *used)
		return PROXYPROTO_MORE;
	if ((b[12] & 15) == 0) {
		p->local = true;
	} else if ((b[12] & 15) == 1 && b[13] == 0x11 && length >= 12 && family_allowed(AF_INET)) {
		take_v4(&p->from, body, body + 8);
		take_v4(&p->to, body + 4, body + 10);
	} else if ((b[12] & 15) == 1 && b[13] == 0x21 && length >= 36 && family_allowed(AF_INET6)) {
		take_v6(&p->from, body, body + 32);
		take_v6(&p->to, body + 16, body + 34);
	} else {
		err_set(err, "bad or unsupported command, protocol or address");
		return PROXYPROTO_BAD;
	}
	return PROXYPROTO_DONE;
}

enum proxyproto_state proxyproto_parse(str in, struct proxyproto *p, size_t *used, struct err *err)
{
	str v1 = STR("PROXY "), v2 = str_mem(v2_signature, sizeof(v2_signature));

	memset(p, 0, sizeof(*p));
	if (str_starts(in, v1))
		return parse_v1(in, p, used, err);
	if (str_starts(in, v2))
		return parse_v2(in, p, used, err);
	*used = in.n + 1;
	if (str_starts(v1, in) || str_starts(v2, in))
		return PROXYPROTO_MORE;
	err_set(err, "missing protocol header");
	return PROXYPROTO_BAD;
}

bool proxyproto_read(struct stream *io, struct proxyproto *p)
{
	int64_t deadline = deadline_in(conf.smtpd_upstream_proxy_timeout * 1000L);
	enum proxyproto_state state = PROXYPROTO_MORE;
	struct err err = {0};
	size_t want = 1;
	str in;

	while (state == PROXYPROTO_MORE) {
		enum wait w = stream_peek(io, want, &in, deadline);

		if (w != WAIT_OK) {
			log_warn("haproxy read: %s", wait_name(w));
			return false;
		}
		state = proxyproto_parse(in, p, &want, &err);
	}
	if (state == PROXYPROTO_BAD) {
		log_warn("haproxy:v1/v2: %s: %.*s", err.text, STR_FMT(str_head(in, 100)));
		return false;
	}
	stream_consume(io, want);
	return true;
}
