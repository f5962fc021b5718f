/* cleanup: brings a message into its final form and into the queue. */
#include "cleanup/message.h"
#include "cleanup/qmgr_clnt.h"
#include "service/service.h"

struct queue_writer *message_writer;

static void start(void)
{
	qmgr_clnt_start();
	message_writer = queue_writer_new(qmgr_clnt_closed);
}

static void drain(void)
{
	/* Open conversations may still commit; the segment is closed when the process ends. */
	co_yield ();
}

int main(int argc, char **argv)
{
	static const struct service cleanup = {
	    .program = "cleanup",
	    .setup = finish_setup,
	    .start = start,
	    .serve = receive_serve,
	    .drain = drain,
	};

	return service_main(argc, argv, &cleanup);
}
