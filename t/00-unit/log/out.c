/* Destinations: postlogd's socket, batches, a server that does not read, the file when it is gone.
 */
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "log/postlog.h"
#include "loop/co.h"
#include "loop/loop.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static int server = -1;
static unsigned packets, records;
static struct buf texts;

static void server_start(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "public/postlog"};

	unlink(sa.sun_path);
	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(server, (struct sockaddr *)&sa, sizeof sa) < 0)
		abort();
}

static void server_read(void)
{
	static char packet[65536];
	ssize_t n;

	packets = records = 0;
	buf_clear(&texts);
	while ((n = recv(server, packet, sizeof packet, 0)) >= 0) {
		struct postlog_record r;
		str rest = str_mem(packet, (size_t)n);

		packets++;
		while (postlog_take(&rest, &r) > 0) {
			records++;
			buf_str(&texts, r.tag);
			buf_char(&texts, '|');
			buf_str(&texts, r.text);
			buf_char(&texts, '\n');
		}
	}
}

static void one_by_one(void)
{
	log_open("/usr/libexec/prog", false);
	log_info("one %d", 1);
	log_warn("two");
	log_error("three\n");
	server_read();
	is_int(packets, 3, "a line, a packet");
	is_str(buf_view(&texts),
	    STR("postfix/prog|one 1\npostfix/prog|warning: two\npostfix/prog|error: three?\n"),
	    "tags, severities");
}

static void batched(void *arg)
{
	(void)arg;
	log_batch(true);
	for (int i = 0; i < 10; i++)
		log_info("line %d", i);
	server_read();
	is_int(packets, 0, "nothing is sent at once");
	co_sleep(20);
	server_read();
	is_int(packets, 1, "one packet at the next turn");
	is_int(records, 10, "all lines in it");
	log_info("end");
	log_flush();
	server_read();
	is_int(records, 1, "log_flush sends");
	co_sleep(20);
	log_batch(false);
}

/* Reads until nothing more comes; told: of lost lines. */
static unsigned read_all(bool *told)
{
	unsigned got = 0;

	*told = false;
	do {
		server_read();
		got += records;
		*told |= str_find(buf_view(&texts), STR(" log lines were lost")) >= 0;
		log_flush();
	} while (records > 0);
	return got;
}

static void slow_server(void)
{
	char *text = mem_alloc(4001);
	unsigned got;
	bool told;

	memset(text, 'x', 4000);
	text[4000] = 0;
	for (int i = 0; i < 600; i++) /* more than a socket takes */
		log_info("%s", text);
	got = read_all(&told);
	ok(got > 0 && got < 600, "a server that does not read loses lines, not our time");
	log_info("after");
	read_all(&told);
	ok(told, "and it is told");
	for (int i = 0; i < 60; i++) /* as much again, but it fits our memory */
		log_info("%s", text);
	is_int(read_all(&told), 60, "lines that it has no room for yet are kept");
	free(text);
}

static void server_gone(void)
{
	struct buf file = {0};
	struct stat st;
	struct err err;

	close(server);
	log_info("to the file");
	if (file_read("mail.log", 100000, &file, &err) < 0)
		puts(err.text);
	ok(str_find(buf_view(&file), STR(" mx postfix/prog[")) >= 0, "the file gets whole lines");
	ok(str_ends(buf_view(&file), STR("]: to the file\n")),
	    "the file is written when postlogd is away");
	ok(stat("mail.log", &st) == 0 && (st.st_mode & 0777) == 0640,
	    "with maillog_file_permissions");
	server_start();
	usleep(1100000);
	log_info("back");
	server_read();
	is_str(buf_view(&texts), STR("postfix/prog|back\n"), "postlogd is used again");
	buf_free(&file);
}

static void forbidden_file(void)
{
	struct stat st;
	int status = 0;
	pid_t pid;

	close(server);
	unlink("public/postlog");
	tmpconf("maillog_file = other.log\nmaillog_file_prefixes = /var\n");
	pid = fork();
	if (pid == 0) {
		log_open("prog", false);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "maillog_file_prefixes is obeyed");
	ok(stat("other.log", &st) < 0, "there is no such file");
}

static void nobody_yet(void)
{
	tmpconf("maillog_file = /tmp/no/such/folder\nmaillog_file_prefixes = /tmp\n");
	log_open("prog", false);
	log_info("nowhere");
	server_start();
	log_flush();
	server_read();
	is_str(buf_view(&texts), STR("postfix/prog|nowhere\n"), "lines wait for postlogd to come");
}

int main(void)
{
	char settings[256];

	tmpconf("");
	mkdir("public", 0755);
	snprintf(settings, sizeof settings,
	    "maillog_file = %s/mail.log\nmaillog_file_prefixes = /var /tmp\n"
	    "maillog_file_permissions = 0640\n",
	    tmpconf_dir);
	tmpconf(settings);
	umask(0);
	server_start();
	one_by_one();
	loop_init();
	loop_run(batched, NULL);
	slow_server();
	server_gone();
	forbidden_file();
	nobody_yet();
	buf_free(&texts);
	return done();
}
