/* Look-ups over the network: a small server in a thread answers by the first label of the question.
 */
#include "../../lib/tap.h"
#include "base/file.h"
#include "dns/dns.h"
#include "loop/co.h"
#include "loop/loop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static int udp, tcp;
static int asked, asked_tcp; /* read by the test when nothing is under way */
static in_port_t port;	     /* that was asked from last */
static int ports;	     /* how often it was another one than before */
static int retry_count;

static void put16(struct buf *b, unsigned v)
{
	buf_char(b, (char)(v >> 8));
	buf_char(b, (char)v);
}

static void put_name(struct buf *b, const char *n)
{
	str rest = str_of(n), label;

	while (rest.n && str_split(&rest, '.', &label)) {
		buf_char(b, (char)label.n);
		buf_str(b, label);
	}
	buf_char(b, 0);
}

static void answer(struct buf *b, const char *owner, unsigned type, str data)
{
	put_name(b, owner);
	put16(b, type);
	put16(b, 1);
	put16(b, 0);
	put16(b, 77);
	put16(b, (unsigned)data.n);
	buf_str(b, data);
	b->p[7]++;
}

/* False: no answer at all. */
static bool reply_to(str q, bool over_tcp, struct buf *b)
{
	char name[256] = "";
	size_t at = 12, used = 0;
	unsigned type;

	while (at < q.n && q.p[at]) {
		size_t n = (unsigned char)q.p[at++];
		memcpy(name + used, q.p + at, n);
		used += n;
		name[used++] = '.';
		at += n;
	}
	name[used ? used - 1 : 0] = 0;
	type = (unsigned)(unsigned char)q.p[at + 2];
	asked++;
	asked_tcp += over_tcp;
	buf_str(b, str_head(q, at + 5));
	b->p[2] = (char)0x81;
	b->p[3] = (char)0x80;
	if (strncmp(name, "silent.", 7) == 0)
		return false;
	if (strncmp(name, "retry.", 6) == 0 && retry_count++ == 0)
		return false;
	if (strncmp(name, "nx.", 3) == 0)
		b->p[3] |= 3;
	else if (strncmp(name, "fail.", 5) == 0)
		b->p[3] |= 2;
	else if (strncmp(name, "refused.", 8) == 0)
		b->p[3] |= 5;
	else if (strncmp(name, "garbage.", 8) == 0)
		b->p[7] = 9;
	else if (strncmp(name, "big.", 4) == 0 && !over_tcp)
		b->p[2] |= 2;
	else if (strncmp(name, "big.", 4) == 0)
		for (int i = 0; i < 80; i++)
			answer(b, name, 1, str_mem((char[]){10, 0, 0, (char)i}, 4));
	else if (strncmp(name, "secure.", 7) == 0 && type == 1) {
		b->p[3] |= (q.p[3] & 0x20);
		answer(b, name, 1, STR("\12\0\0\1"));
	} else if (strncmp(name, "half.", 5) == 0)
		answer(b, name, 5, STR("\6target\4test\0"));
	else if (strcmp(name, "null.test") == 0 && type == 15)
		answer(b, name, 15, str_mem("\0\0\0", 3));
	else if (strcmp(name, "short.dom.test") == 0 && type == 1)
		answer(b, name, 1, STR("\12\0\0\7"));
	else if (strcmp(name, "short.other.test") == 0)
		return true;
	else if (strcmp(name, "short") == 0)
		b->p[3] |= 3;
	else if (strcmp(name, "9.2.0.192.in-addr.arpa") == 0 && type == 12)
		answer(b, name, 12, STR("\4mail\4test\0"));
	else if (strstr(name, "8.b.d.0.1.0.0.2.ip6.arpa") && type == 12)
		answer(b, name, 12, STR("\3six\4test\0"));
	else if (strstr(name, ".arpa"))
		b->p[3] |= 3;
	else if (type == 1 && strncmp(name, "v6", 2) != 0)
		answer(b, name, 1, STR("\300\0\2\11"));
	else if (type == 28 && strncmp(name, "v4", 2) != 0)
		answer(b, name, 28, str_mem(" \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1", 16));
	return true;
}

static void serve_tcp(void)
{
	unsigned char head[2];
	struct buf b = {0};
	char q[600];
	int c = accept(tcp, NULL, NULL);

	while (recv(c, head, 2, MSG_WAITALL) == 2) {
		size_t n = (size_t)head[0] << 8 | head[1];
		if (n > sizeof(q) || recv(c, q, n, MSG_WAITALL) != (ssize_t)n)
			break;
		buf_clear(&b);
		if (!reply_to(str_mem(q, n), true, &b))
			continue;
		head[0] = (unsigned char)(b.n >> 8);
		head[1] = (unsigned char)b.n;
		if (write(c, head, 2) != 2 || write(c, b.p, b.n) != (ssize_t)b.n)
			break;
	}
	buf_free(&b);
	close(c);
}

static void *serve(void *arg)
{
	struct pollfd p[2] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};

	while (poll(p, 2, -1) > 0) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		struct buf b = {0};
		char q[600];
		ssize_t n;
		if (p[1].revents)
			serve_tcp();
		if (!p[0].revents)
			continue;
		n = recvfrom(udp, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
		ports += port != ((struct sockaddr_in *)&from)->sin_port;
		port = ((struct sockaddr_in *)&from)->sin_port;
		if (n > 16 && reply_to(str_mem(q, (size_t)n), false, &b))
			sendto(udp, b.p, b.n, 0, (struct sockaddr *)&from, len);
		buf_free(&b);
	}
	return arg;
}

static struct arena arena;
static struct dns_rr *rr;
static size_t n;
static struct err why;

static enum dns_status look(const char *name, enum dns_type type, unsigned flags)
{
	asked = asked_tcp = 0;
	return dns_lookup(name, type, flags, &arena, &rr, &n, &why);
}

static void lookups(void *arg)
{
	struct dns_result result;

	(void)arg;
	is_int(look("good.test", DNS_A, 0), DNS_OK, "an address");
	ok(n == 1 && strcmp(rr[0].data, "192.0.2.9") == 0 && rr[0].ttl == 77, "is found");
	is_int(look("good.test.", DNS_AAAA, 0), DNS_OK, "with a dot behind");
	is_int(look("nx.test", DNS_MX, 0), DNS_NOTFOUND, "no such name");
	is_cstr(why.text,
	    "Host or domain name not found. Name service error for name=nx.test type=MX: Host not "
	    "found",
	    "in known words");
	is_int(look("good.test", DNS_MX, 0), DNS_NODATA, "no such record");
	ok(strstr(why.text, "type=MX: Host found but no data record of requested type"),
	    "in known words");
	is_int(look("fail.test", DNS_A, 0), DNS_RETRY, "a failing server");
	ok(strstr(why.text, "type=A: Host not found, try again"), "in known words");
	is_int(look("refused.test", DNS_A, 0), DNS_RETRY, "a refusing server");
	is_int(look("garbage.test", DNS_A, 0), DNS_INVALID, "nonsense");
	is_cstr(why.text,
	    "Name service error for name=garbage.test type=A: Malformed or unexpected name server "
	    "reply",
	    "in known words");
	is_int(look("bad name.test", DNS_A, 0), DNS_NOTFOUND, "no name at all");
	is_cstr(why.text, "Name service error for bad name.test: invalid host or domain name",
	    "is told");
	is_int(asked, 0, "and not asked for");
	is_int(look("silent.test", DNS_A, 0), DNS_RETRY, "no answer");
	is_int(asked, 2, "after two attempts");
	is_int(look("retry.test", DNS_A, 0), DNS_OK, "an answer to the second attempt");
	is_int(look("big.test", DNS_A, 0), DNS_OK, "a large answer");
	ok(n == 80 && asked_tcp == 1, "comes over TCP");
	is_int(look("null.test", DNS_MX, 0), DNS_OK, "null MX");
	ok(dns_is_null_mx(rr, n), "is recognised");
	is_int(look("half.test", DNS_A, 0), DNS_OK, "an alias that the resolver did not follow");
	ok(n == 1 && strcmp(rr[0].name, "target.test") == 0, "is followed");
	is_int(look("secure.test", DNS_A, 0), DNS_OK, "an answer the resolver vouches for");
	ok(rr[0].dnssec_valid, "says so");
	is_int(look("short", DNS_A, 0), DNS_NOTFOUND, "a short name");
	is_int(look("short", DNS_A, DNS_DEFNAMES), DNS_NODATA, "in the first search domain");
	is_int(look("short", DNS_A, DNS_DEFNAMES | DNS_DNSRCH), DNS_OK, "in all of them");
	is_cstr(rr[0].name, "short.dom.test", "has this name");
	is_int(dns_query("nx.test", DNS_A, 0, &arena, &result, NULL), DNS_NOTFOUND, "a query");
	is_cstr(result.name, "nx.test", "knows its name");
}

static void hosts(void *arg)
{
	struct hostaddr *list, a;
	char name[100];

	(void)arg;
	is_int(dns_host_lookup("good.test", AF_UNSPEC, &arena, &list, &n, &why), DNS_OK, "a host");
	is_int(n, 2, "of both families");
	is_int(dns_host_lookup("v4.test", AF_UNSPEC, &arena, &list, &n, &why), DNS_OK,
	    "of one family");
	ok(n == 1 && list[0].sa.sa_family == AF_INET, "IPv4");
	is_int(dns_host_lookup("v4.test", AF_INET6, &arena, &list, &n, &why), DNS_NODATA,
	    "not of the other");
	is_cstr(why.text, "No address associated with hostname", "in known words");
	is_int(dns_host_lookup("nx.test", AF_UNSPEC, &arena, &list, &n, &why), DNS_NOTFOUND,
	    "no host");
	is_cstr(why.text, "Name or service not known", "in known words");
	is_int(
	    dns_host_lookup("fail.test", AF_UNSPEC, &arena, &list, &n, &why), DNS_RETRY, "later");
	is_cstr(why.text, "Temporary failure in name resolution", "in known words");
	is_int(
	    dns_host_lookup("short", AF_INET, &arena, &list, &n, &why), DNS_OK, "search domains");
	is_int(dns_host_lookup("Filed.Test", AF_UNSPEC, &arena, &list, &n, &why), DNS_OK,
	    "hosts file");
	ok(n == 1 && hostaddr_port(&list[0]) == 0, "its address");
	is_int(
	    dns_host_lookup("localhost", AF_UNSPEC, &arena, &list, &n, &why), DNS_OK, "localhost");
	is_int(n, 2, "is known");
	is_int(
	    dns_host_lookup("192.0.2.1", AF_INET, &arena, &list, &n, &why), DNS_OK, "an address");
	is_int(dns_host_lookup("192.0.2.1", AF_INET6, &arena, &list, &n, &why), DNS_NODATA,
	    "of the other family");
	hostaddr_parse(&a, STR("192.0.2.9"), 0, NULL);
	is_int(dns_name_of(&a, name, sizeof(name), &why), DNS_OK, "the name of an address");
	is_cstr(name, "mail.test", "from DNS");
	is_int(dns_name_of(&a, name, 5, &why), DNS_NOTFOUND, "no room for it");
	hostaddr_parse(&a, STR("2001:db8::1"), 0, NULL);
	dns_name_of(&a, name, sizeof(name), &why);
	is_cstr(name, "six.test", "IPv6");
	hostaddr_parse(&a, STR("192.0.2.77"), 0, NULL);
	dns_name_of(&a, name, sizeof(name), &why);
	is_cstr(name, "filed.test", "from the hosts file");
	hostaddr_parse(&a, STR("192.0.2.78"), 0, NULL);
	is_int(dns_name_of(&a, name, sizeof(name), &why), DNS_NOTFOUND, "no name");
	is_cstr(why.text, "Name or service not known", "in known words");
}

static int found, cancelled;

static void one(void *arg)
{
	struct arena mine = {0};
	struct dns_rr *list;
	size_t count;
	char name[40];

	snprintf(name, sizeof(name), "n%d.test", *(int *)arg);
	if (dns_lookup(name, DNS_A, 0, &mine, &list, &count, NULL) == DNS_OK)
		found++;
	arena_free(&mine);
}

static void victim(void *arg)
{
	struct arena mine = {0};
	struct dns_rr *list;
	size_t count;

	(void)arg;
	if (dns_lookup("silent.test", DNS_A, 0, &mine, &list, &count, NULL) == DNS_RETRY)
		cancelled++;
	arena_free(&mine);
}

static char resolv_conf[] = "/tmp/t-dns-XXXXXX/resolv.conf",
	    hosts_file[] = "/tmp/t-dns-XXXXXX/hosts";

static void crowds(void *arg)
{
	static int numbers[100];
	struct scope s;
	int64_t start;

	(void)arg;
	scope_init(&s);
	for (int i = 0; i < 100; i++) {
		numbers[i] = i;
		co_start(&s, "one", one, &numbers[i]);
	}
	scope_join(&s);
	is_int(found, 100, "a hundred at once");
	co_start(&s, "victim", victim, NULL);
	co_sleep(20);
	start = loop_now();
	scope_end(&s);
	ok(cancelled == 1 && loop_now() - start < 900, "a look-up is cancelled");
	file_replace(
	    resolv_conf, "nameserver 127.0.0.1:9\noptions timeout:1 attempts:1\n", 52, 0644, NULL);
	co_sleep(1100);
	is_int(look("good.test", DNS_A, 0), DNS_RETRY, "a new resolv.conf counts");
	co_sleep(1500); /* what was cancelled ends */
}

static void open_question(void *arg)
{
	struct arena a = {0};
	struct dns_rr *list;
	size_t count;

	(void)arg;
	dns_lookup("silent.test", DNS_A, 0, &a, &list, &count, NULL);
	arena_free(&a);
}

/* Who wants to forge a reply has to find the port, also when there is always a question open. */
static void port_changes(void *arg)
{
	struct scope s;
	int good = 0;

	(void)arg;
	scope_init(&s);
	co_start(&s, "question", open_question, NULL);
	co_yield ();
	ports = 0;
	for (int i = 0; i < 400; i++)
		good += look("good.test", DNS_A, 0) == DNS_OK;
	is_int(good, 400, "many questions");
	ok(ports >= 3, "do not come from one port");
	scope_end(&s);
	arena_free(&arena);
}

static void own_sources(void *arg)
{
	struct hostaddr *list, a;
	char name[100];

	(void)arg;
	file_replace(hosts_file, "hosts: files nis\n", 17, 0644, NULL);
	dns_use_files(NULL, NULL, hosts_file);
	is_int(
	    dns_host_lookup("127.0.0.1", AF_INET, &arena, &list, &n, &why), DNS_OK, "an address");
	is_int(dns_host_lookup("localhost", AF_INET, &arena, &list, &n, &why), DNS_OK,
	    "getaddrinfo in the thread pool");
	hostaddr_parse(&a, STR("127.0.0.1"), 0, NULL);
	is_int(dns_name_of(&a, name, sizeof(name), &why), DNS_OK, "getnameinfo, too");
}

static void start_server(void)
{
	struct hostaddr at, here = {.len = sizeof(here.ss)};
	struct buf text = {0};
	pthread_t thread;
	char dir[] = "/tmp/t-dns-XXXXXX";

	hostaddr_parse(&at, STR("127.0.0.1"), 0, NULL);
	do {
		close(udp);
		close(tcp);
		udp = socket(AF_INET, SOCK_DGRAM, 0);
		tcp = socket(AF_INET, SOCK_STREAM, 0);
		bind(udp, &at.sa, at.len);
		getsockname(udp, &here.sa, &here.len);
	} while (bind(tcp, &here.sa, here.len) < 0);
	listen(tcp, 5);
	pthread_create(&thread, NULL, serve, NULL);
	pthread_detach(thread);
	if (!mkdtemp(dir))
		abort();
	memcpy(resolv_conf, dir, strlen(dir));
	memcpy(hosts_file, dir, strlen(dir));
	buf_printf(&text,
	    "nameserver 127.0.0.1:%d\noptions timeout:1 attempts:2\nsearch other.test dom.test\n",
	    hostaddr_port(&here));
	file_replace(resolv_conf, text.p, text.n, 0644, NULL);
	file_replace(hosts_file, "192.0.2.77 filed.test\n", 22, 0644, NULL);
	buf_free(&text);
	dns_use_files(resolv_conf, hosts_file, NULL);
}

int main(void)
{
	loop_init();
	udp = tcp = -1;
	start_server();
	loop_run(lookups, NULL);
	loop_run(hosts, NULL);
	loop_run(port_changes, NULL);
	loop_run(crowds, NULL);
	loop_run(own_sources, NULL);
	arena_free(&arena);
	unlink(resolv_conf);
	unlink(hosts_file);
	*strrchr(hosts_file, '/') = 0;
	rmdir(hosts_file);
	return done();
}
