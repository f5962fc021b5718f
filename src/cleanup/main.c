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

/* No conversation is left: qmgr may have the segment. */
static void end(void)
{
	queue_writer_free(message_writer);
	message_writer = NULL;
	qmgr_clnt_finish();
}

int main(int argc, char **argv)
{
	static const struct service cleanup = {
	    .program = "cleanup",
	    .setup = finish_setup,
	    .start = start,
	    .serve = receive_serve,
	    .finish = end,
	};

	return service_main(argc, argv, &cleanup);
}
