/* Marks of deliveries in flight: locks of the open file, far behind its content, which the kernel
 * takes away when the agent ends. */
#include "queue/flight.h"

#include "base/buf.h"
#include "queue/io.h"

#include <fcntl.h>
#include <unistd.h>

/* One byte for each recipient of each message, wherever its content lies. */
#define MARKS	    ((off_t)1 << 61)
#define INDEX_BITS  20
#define OFFSET_MASK (((uint64_t)1 << 40) - 1)

static struct flock mark(uint64_t content_offset, uint32_t index, off_t n)
{
	off_t at = (off_t)((content_offset & OFFSET_MASK) << INDEX_BITS);

	at |= index & ((1u << INDEX_BITS) - 1);
	return (struct flock){
	    .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = MARKS + at, .l_len = n};
}

int queue_flight_begin(int fd, uint64_t content_offset, uint32_t index)
{
	struct flock l = mark(content_offset, index, 1);

	return fcntl(fd, F_OFD_SETLK, &l);
}

void queue_flight_end(int fd, uint64_t content_offset, uint32_t index)
{
	struct flock l = mark(content_offset, index, 1);

	l.l_type = F_UNLCK;
	fcntl(fd, F_OFD_SETLK, &l);
}

bool queue_in_flight(const struct queue_ref *ref)
{
	struct flock l = mark(ref->content_offset, 0, (off_t)1 << INDEX_BITS);
	struct buf path = {0};
	bool marked;
	int fd;

	queue_ref_path(&path, ref);
	fd = io_open(buf_text(&path), O_RDONLY, 0, "queue.file.open");
	buf_free(&path);
	if (fd < 0)
		return false;
	l.l_type = F_WRLCK;
	marked = fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
	close(fd);
	return marked;
}
