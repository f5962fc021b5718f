/* Network addresses: parsing, printing, networks, endpoints as main.cf writes them. */
#ifndef POSTERN_BASE_HOSTADDR_H
#define POSTERN_BASE_HOSTADDR_H

#include "base/err.h"
#include "base/str.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct hostaddr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage ss;
	};
	socklen_t len;
};

#define HOSTADDR_TEXT 46 /* room for any printed address with its NUL */

/* Numeric address without brackets ("192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4"); port in host
 * order. */
int hostaddr_parse(struct hostaddr *a, str text, uint16_t port, struct err *err);
/* Address without port; IPv6 in canonical lower case; IPv4-mapped printed as IPv4. Returns out. */
char *hostaddr_text(const struct hostaddr *a, char out[HOSTADDR_TEXT]);
uint16_t hostaddr_port(const struct hostaddr *a);
void hostaddr_set_port(struct hostaddr *a, uint16_t port);
bool hostaddr_eq(const struct hostaddr *a, const struct hostaddr *b); /* without port */
bool hostaddr_is_numeric(str text); /* a valid IPv4 or IPv6 address */

/* A network: address and prefix length, "10.0.0.0/8", "[2001:db8::]/32", or one address. */
struct hostnet {
	unsigned char addr[16];
	int family, bits;
};
/* Host bits must be zero, as in Postfix; err says which network would be right. */
int hostnet_parse(struct hostnet *n, str text, struct err *err);
bool hostnet_has(const struct hostnet *n, const struct hostaddr *a);

/* Where to connect or listen, from "inet:host:port", "unix:path", "host:port", "[v6]:port", "port".
 */
struct endpoint {
	bool is_unix;
	str path;	/* unix */
	str host, port; /* inet; host "" for all; brackets removed; port a number or service name */
};
/* The slices point into text. A text without "inet:" or "unix:" is taken as inet. */
int endpoint_parse(struct endpoint *e, str text, struct err *err);
/* Names of ports that need no services file: "smtp=25, smtps=submissions=465", as known_tcp_ports
 * has them. Kept, not copied. */
void endpoint_set_known_ports(const char *list);
/* Number of a port or of a TCP service name; -1 and err. */
int endpoint_port(str port, struct err *err);

/* Valid host name syntax (RFC 1123 letters, digits, hyphen, underscore tolerated; no empty label;
 * labels to 63, whole to 255; not all numeric). err (may be NULL) says what is wrong. */
bool hostname_valid(str name, struct err *err);

#endif
