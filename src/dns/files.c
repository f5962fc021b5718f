/* resolv.conf(5), hosts(5), and the hosts line of nsswitch.conf(5). */
#include "base/file.h"
#include "base/mem.h"
#include "dns/dns_int.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS	  1000
#define CONF_MAX  ((size_t)64 * 1024)
#define HOSTS_MAX ((size_t)8 * 1024 * 1024)

struct watched {
	const char *path;
	struct stat seen;
	int64_t looked; /* loop time; 0: never */
};
static struct watched resolv = {.path = "/etc/resolv.conf"};
static struct watched hosts = {.path = "/etc/hosts"};
static struct watched nsswitch = {.path = "/etc/nsswitch.conf"};

static struct dns_conf conf;
static struct dns_hosts table;
static bool plain = true;

void dns_use_files(const char *resolv_conf, const char *hosts_file, const char *nsswitch_conf)
{
	if (resolv_conf)
		resolv = (struct watched){.path = resolv_conf};
	if (hosts_file)
		hosts = (struct watched){.path = hosts_file};
	if (nsswitch_conf)
		nsswitch = (struct watched){.path = nsswitch_conf};
}

const char *dns_conf_path(void)
{
	return resolv.path;
}

/* True with its text in *text when the file is to be read (again). A file that is not there, or may
 * not be read any more from within a sandbox, leaves what was read before. */
static bool changed(struct watched *w, size_t max, struct buf *text)
{
	int64_t now = loop_now();
	struct stat st;

	if (w->looked && now - w->looked < LOOK_MS)
		return false;
	w->looked = now ? now : 1;
	if (stat(w->path, &st) < 0)
		return false;
	if (st.st_ino == w->seen.st_ino && st.st_dev == w->seen.st_dev &&
	    st.st_size == w->seen.st_size && st.st_mtim.tv_sec == w->seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == w->seen.st_mtim.tv_nsec)
		return false;
	w->seen = st;
	return file_read(w->path, max, text, NULL) == 0;
}

/* resolv.conf */

static void set_search(struct dns_conf *c, str list)
{
	str word;

	while (c->nsearch)
		free(c->search[--c->nsearch]);
	while (c->nsearch < DNS_SEARCH_MAX && str_word(&list, " \t\r", &word)) {
		if (str_ends(word, STR(".")))
			word.n--;
		if (hostname_valid(word, NULL))
			c->search[c->nsearch++] = str_dup(word);
	}
}

static void set_number(str word, str name, int min, int max, int *out)
{
	uint64_t v;

	if (!str_starts(word, name) || !str_to_u64(str_from(word, name.n), &v))
		return;
	*out = v < (uint64_t)min ? min : v > (uint64_t)max ? max : (int)v;
}

static void set_options(struct dns_conf *c, str list)
{
	str word;

	while (str_word(&list, " \t\r", &word)) {
		set_number(word, STR("ndots:"), 0, 15, &c->ndots);
		set_number(word, STR("timeout:"), 1, 30, &c->timeout);
		set_number(word, STR("attempts:"), 1, 5, &c->attempts);
		if (str_eq(word, STR("rotate")))
			c->rotate = true;
	}
}

/* "nameserver 127.0.0.1:5353", "nameserver [::1]:5353": not resolver(5)'s, but there are resolvers
 * on other ports. What is without one is c-ares' to read. */
static void add_server(struct dns_conf *c, str line)
{
	struct endpoint e;
	str word;

	if (str_word(&line, " \t\r", &word) && endpoint_parse(&e, word, NULL) == 0 && !e.is_unix &&
	    hostaddr_is_numeric(e.host) && str_is_digits(e.port))
		buf_printf(&c->servers, "%s%.*s", c->servers.n ? "," : "", STR_FMT(word));
}

void dns_conf_free(struct dns_conf *c)
{
	buf_free(&c->servers);
	set_search(c, STR(""));
}

void dns_conf_parse(struct dns_conf *c, str text)
{
	str line, word;

	set_search(c, STR(""));
	buf_clear(&c->servers);
	c->ndots = 1;
	c->timeout = 5;
	c->attempts = 2;
	c->rotate = false;
	while (str_split(&text, '\n', &line)) {
		if (!str_word(&line, " \t\r", &word) || word.p[0] == '#' || word.p[0] == ';')
			continue;
		if (str_eq(word, STR("search")) || str_eq(word, STR("domain")))
			set_search(c, line); /* the last one counts */
		else if (str_eq(word, STR("options")))
			set_options(c, line);
		else if (str_eq(word, STR("nameserver")))
			add_server(c, line);
	}
}

/* Without a search list it is the domain this host is in. */
static void default_search(struct dns_conf *c)
{
	char name[256] = "";
	const char *dot;

	if (c->nsearch || gethostname(name, sizeof(name) - 1) < 0)
		return;
	dot = strchr(name, '.');
	if (dot)
		set_search(c, str_of(dot + 1));
}

const struct dns_conf *dns_conf_get(void)
{
	struct buf text = {0};

	if (changed(&resolv, CONF_MAX, &text) || conf.version == 0) {
		dns_conf_parse(&conf, buf_view(&text));
		default_search(&conf);
		if (getenv("RES_OPTIONS"))
			set_options(&conf, str_of(getenv("RES_OPTIONS")));
		conf.version++;
	}
	buf_free(&text);
	return &conf;
}

/* hosts */

static void add_host(struct dns_hosts *h, str name, const struct hostaddr *a)
{
	struct buf lower = {0};
	struct hosts_addr *node, *last;
	str key;

	buf_lower(&lower, name);
	key = buf_view(&lower);
	if (str_ends(key, STR(".")))
		key.n--;
	node = arena_zero(&h->arena, sizeof(*node));
	node->addr = *a;
	last = htab_get(&h->names, key);
	while (last && last->next)
		last = last->next;
	if (last)
		last->next = node;
	else
		htab_set(&h->names, key, node);
	buf_free(&lower);
}

void dns_hosts_parse(struct dns_hosts *h, str text)
{
	char printed[HOSTADDR_TEXT];
	struct hostaddr a;
	str line, word;
	ptrdiff_t at;
	bool first;

	while (str_split(&text, '\n', &line)) {
		at = str_chr(line, '#');
		if (at >= 0)
			line = str_head(line, (size_t)at);
		if (!str_word(&line, " \t\r", &word) || hostaddr_parse(&a, word, 0, NULL) < 0)
			continue;
		hostaddr_text(&a, printed);
		for (first = true; str_word(&line, " \t\r", &word); first = false) {
			if (first && !htab_get(&h->addrs, str_of(printed)))
				htab_set(&h->addrs, str_of(printed), arena_cstr(&h->arena, word));
			add_host(h, word, &a);
		}
	}
}

void dns_hosts_free(struct dns_hosts *h)
{
	htab_free(&h->names, NULL);
	htab_free(&h->addrs, NULL);
	arena_free(&h->arena);
}

const struct dns_hosts *dns_hosts_get(void)
{
	struct buf text = {0};

	if (changed(&hosts, HOSTS_MAX, &text)) {
		dns_hosts_free(&table);
		dns_hosts_parse(&table, buf_view(&text));
	}
	buf_free(&text);
	return &table;
}

/* nsswitch.conf */

static bool stands_for_plain(str source)
{
	/* These give what the hosts file and the servers of resolv.conf give, or names that mail is
	 * never sent to. */
	static const char *const known[] = {"files", "dns", "resolve", "myhostname", "mymachines",
	    "mdns", "mdns4", "mdns6", "mdns_minimal", "mdns4_minimal", "mdns6_minimal"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(source, str_of(known[i])))
			return true;
	return source.p[0] == '[' || str_ends(source, STR("]"));
}

bool dns_nsswitch_parse(str text)
{
	str line, word;
	ptrdiff_t at;

	while (str_split(&text, '\n', &line)) {
		at = str_chr(line, '#');
		if (at >= 0)
			line = str_head(line, (size_t)at);
		if (!str_starts(str_trim(line), STR("hosts:")))
			continue;
		str_word(&line, ":", &word);
		line = str_from(line, 1);
		while (str_word(&line, " \t\r", &word))
			if (!stands_for_plain(word))
				return false;
		return true;
	}
	return true;
}

bool dns_nsswitch_is_plain(void)
{
	struct buf text = {0};

	if (changed(&nsswitch, CONF_MAX, &text))
		plain = dns_nsswitch_parse(buf_view(&text));
	buf_free(&text);
	return plain;
}
