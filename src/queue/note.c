#include "queue/note.h"

#include "base/crc32c.h"
#include "ipc/deliver.h"
#include "queue/le.h"

#define NOTE_HEAD 12
#define NOTE_KEY  20

void note_put(struct buf *out, const struct note *n)
{
	size_t key = n->lane == LANE_LOG ? NOTE_KEY : n->id.n;
	size_t total = NOTE_HEAD + key + n->payload.n;
	unsigned char *p = (unsigned char *)buf_room(out, total);

	le32_put(p + 4, (uint32_t)n->payload.n);
	p[8] = (unsigned char)n->type;
	p[9] = (unsigned char)n->lane;
	p[10] = n->lane == LANE_LOG ? 0 : (unsigned char)n->id.n;
	p[11] = 0;
	if (n->lane == LANE_LOG) {
		le32_put(p + 12, (uint32_t)n->segment);
		le64_put(p + 16, n->generation);
		le64_put(p + 24, n->offset);
	} else if (n->id.n) {
		memcpy(p + NOTE_HEAD, n->id.p, n->id.n);
	}
	if (n->payload.n)
		memcpy(p + NOTE_HEAD + key, n->payload.p, n->payload.n);
	le32_put(p, crc32c(0, p + 4, total - 4));
	buf_added(out, total);
}

bool note_take(str *in, struct note *n)
{
	const unsigned char *p = (const unsigned char *)in->p;
	size_t payload, key;

	if (in->n < NOTE_HEAD)
		return false;
	payload = le32_get(p + 4);
	key = p[9] == LANE_LOG ? NOTE_KEY : p[10];
	if (payload > NOTE_PAYLOAD_MAX || in->n < NOTE_HEAD + key + payload ||
	    le32_get(p) != crc32c(0, p + 4, NOTE_HEAD - 4 + key + payload) || p[8] < NOTE_STATUS ||
	    p[8] > NOTE_FINISHED || (p[9] != LANE_LOG && p[9] != LANE_FILE))
		return false;
	*n = (struct note){.type = p[8], .lane = p[9]};
	if (n->lane == LANE_LOG) {
		n->segment = le32_get(p + 12);
		n->generation = le64_get(p + 16);
		n->offset = le64_get(p + 24);
	} else {
		n->id = str_mem(p + NOTE_HEAD, key);
	}
	n->payload = str_mem(p + NOTE_HEAD + key, payload);
	*in = str_from(*in, NOTE_HEAD + key + payload);
	return true;
}

struct note note_of(const struct queue_ref *ref, enum note_type type, str payload)
{
	struct note n = {.type = type, .lane = ref->lane, .payload = payload};

	if (ref->lane == LANE_LOG) {
		n.segment = ref->segment;
		n.generation = ref->generation;
		n.offset = ref->offset;
	} else {
		n.id = str_of(ref->id);
	}
	return n;
}

void note_put_own(struct buf *out, enum note_type type, str payload)
{
	note_put(out, &(struct note){.type = type, .lane = LANE_FILE, .payload = payload});
}

void note_merge(const struct note *n, struct envelope *e, struct arena *a)
{
	struct ipc_msg m;
	str rest = n->payload;

	if (n->type == NOTE_FLAGS && rest.n == 4)
		e->message.flags |= le32_get(rest.p);
	else if (n->type == NOTE_STATUS && ipc_take(&rest, &m, NULL) == 0 &&
		 m.type == MSG_RCPT_STATUS)
		envelope_merge_status(e, a, &m.rcpt_status);
}

void note_put_statuses(struct buf *out, const struct envelope *e)
{
	struct buf frame = {0};

	for (size_t i = 0; e->status && i < e->nrcpts; i++) {
		if (e->status[i].kind == RCPT_PENDING)
			continue;
		buf_clear(&frame);
		ipc_put(&frame, MSG_RCPT_STATUS, &e->status[i]);
		note_put_own(out, NOTE_STATUS, buf_view(&frame));
	}
	buf_free(&frame);
}
