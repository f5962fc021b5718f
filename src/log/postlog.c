#include "log/postlog.h"
#include "log/log_int.h"
#include "param/param.h"

static void put_le(char *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (char)(v >> 8 * i);
}

static uint64_t get_le(const char *p, int bytes)
{
	uint64_t v = 0;

	for (int i = bytes; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

void postlog_put(struct buf *out, const struct postlog_record *r)
{
	str tag = str_head(r->tag, 255);
	str text = str_head(r->text, POSTLOG_RECORD_MAX - POSTLOG_HEAD - tag.n);
	char *p = buf_room(out, POSTLOG_HEAD);

	p[0] = 'P';
	p[1] = 'L';
	put_le(p + 2, POSTLOG_HEAD + tag.n + text.n, 2);
	put_le(p + 4, (uint64_t)r->time, 8);
	put_le(p + 12, r->pid, 4);
	put_le(p + 16, tag.n, 1);
	buf_added(out, POSTLOG_HEAD);
	buf_str(out, tag);
	buf_str(out, text);
}

int postlog_take(str *packet, struct postlog_record *r)
{
	size_t length, tag;

	if (packet->n == 0)
		return 0;
	if (packet->n < POSTLOG_HEAD || packet->p[0] != 'P' || packet->p[1] != 'L')
		return -1;
	length = get_le(packet->p + 2, 2);
	tag = get_le(packet->p + 16, 1);
	if (length > packet->n || length < POSTLOG_HEAD + tag)
		return -1;
	r->time = (int64_t)get_le(packet->p + 4, 8);
	r->pid = (uint32_t)get_le(packet->p + 12, 4);
	r->tag = str_mem(packet->p + POSTLOG_HEAD, tag);
	r->text = str_mem(packet->p + POSTLOG_HEAD + tag, length - POSTLOG_HEAD - tag);
	*packet = str_from(*packet, length);
	return 1;
}

/* The first label of myhostname. */
static str host_label(void)
{
	str host = str_of(conf.myhostname);
	ptrdiff_t dot = str_chr(host, '.');

	return dot < 0 ? host : str_head(host, (size_t)dot);
}

void postlog_format(struct buf *out, const struct postlog_record *r)
{
	str host = host_label();

	buf_cstr(out, log_stamp((time_t)r->time));
	buf_char(out, ' ');
	buf_str(out, host);
	buf_char(out, ' ');
	log_clean(out, r->tag);
	buf_printf(out, "[%u]: ", r->pid);
	log_clean(out, r->text);
	buf_char(out, '\n');
}
