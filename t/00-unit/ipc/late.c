/* Results that a queue manager may not have recorded are told to the next one. */
#include "ipc/late.h"
#include "../../lib/fakeservice.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "ipc/msg.h"
#include <sys/stat.h>

static char told[2000];
static int hang_ups;

static void serve(struct stream *s)
{
	struct ipc_qmgr_answer a = {.text = STR("")};
	struct ipc_msg m;
	struct err err;

	if (hang_ups > 0) {
		hang_ups--;
		return;
	}
	while (ipc_recv(s, &m, FOREVER, &err) == WAIT_OK && m.type == MSG_QMGR_LATE) {
		size_t n = strlen(told);

		snprintf(told + n, sizeof told - n, "%.*s:%zu ", STR_FMT(m.qmgr_late.queue_id),
		    m.qmgr_late.statuses.n);
		ipc_send_now(s, MSG_QMGR_ANSWER, &a, FOREVER);
	}
}

static struct fakeservice service = {.path = "public/qmgr", .serve = serve};

static void tests(void *arg)
{
	struct late l = {0};

	(void)arg;
	late_report(&l);
	is_cstr(told, "", "nothing to tell");
	late_keep(&l, STR("A"), STR("12345"));
	late_keep(&l, STR("B"), STR("1"));
	hang_ups = 2;
	late_report(&l);
	is_cstr(told, "A:5 B:1 ", "all is told, when there is somebody to tell");
	late_report(&l);
	is_cstr(told, "A:5 B:1 ", "once");
	late_keep(&l, STR("C"), STR(""));
	co_sleep(600);
	late_keep(&l, STR("D"), STR(""));
	*told = 0;
	late_report(&l);
	is_cstr(told, "C:0 D:0 ", "what is not long ago is kept");
	late_keep(&l, STR("E"), STR(""));
	co_sleep(1100);
	*told = 0;
	late_report(&l);
	is_cstr(told, "", "what was recorded long ago is not told");
	late_free(&l);
	fakeservice_stop(&service);
	exit(done());
}

static void start(void *arg)
{
	fakeservice_start(&service);
	tests(arg);
}

int main(void)
{
	tmpconf("");
	mkdir("public", 0700);
	loop_init();
	loop_run(start, NULL);
	return 1;
}
