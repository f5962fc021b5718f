/* Milters and the complete message: those of the client's session (handed over by smtpd), or
 * non_smtpd_milters for mail that has no session. */
#include "cleanup/message.h"

#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "milter/handover.h"
#include "param/param.h"

#include <unistd.h>

static struct milters *non_smtpd;

void milter_setup(void)
{
	non_smtpd = milters_parse("non_smtpd_milters", conf.non_smtpd_milters);
}

void milter_forget(struct message *m)
{
	for (size_t i = 0; i < m->milters.nfds; i++)
		close(m->milters.fds[i]);
	m->milters.nfds = 0;
}

/* Everything else that is of interest came with the chain. */
static str queue_id(void *ctx, str name)
{
	struct message *m = ctx;

	return str_eq(name, STR("i")) || str_eq(name, STR("{i}")) ? str_of(m->id) : (str){NULL, 0};
}

struct judge {
	struct message *m;
	struct milter_session *session; /* of ours, or */
	struct milter_chain *chain;	/* handed over */
	const char *stage;
	str from, to; /* for the log: before milters change them */
};

/* --- the log */

static const char *attr(struct message *m, const char *name)
{
	str value = envelope_attr(&m->env, name);

	return value.n ? arena_cstr(&m->arena, value) : NULL;
}

static void put_log(struct judge *j, const char *verb, str text, str reason)
{
	struct message *m = j->m;
	const char *name = attr(m, "client_name"), *addr = attr(m, "client_address");
	struct buf client = {0}, line = {0};
	str to = strcmp(j->stage, "END-OF-MESSAGE") == 0 ? recipient_shown(m) : j->to;

	buf_printf(&client, "%s[%s]", name ? name : "localhost", addr ? addr : "127.0.0.1");
	for (size_t i = 0; i < text.n; i++)
		buf_char(&line, text.p[i] == '\n' ? ' ' : text.p[i]);
	log_cleanup_milter(m->id, verb, j->stage, buf_text(&client), buf_view(&line), j->from, to,
	    attr(m, "log_protocol_name"), attr(m, "log_helo_name"), reason);
	buf_free(&client);
	buf_free(&line);
}

/* --- what they say */

/* The client gets the milter's reply; mail that nobody waits for is returned with its text. */
static void refuse(struct judge *j, str reply)
{
	struct message *m = j->m;
	bool soft = reply.n > 0 && reply.p[0] == '4';
	str text = str_trim(str_from(reply, 3));

	put_log(j, "milter-reject", text, LOG_NONE);
	if (!soft && (m->flags & CLEANUP_FLAG_BOUNCE_ON_ERROR))
		message_fail(m, CLEANUP_CONTENT,
		    arena_printf(
			&m->arena, "%s%.*s", dsn_valid(text) ? "" : "5.0.0 ", STR_FMT(text)));
	else
		message_fail(
		    m, soft ? CLEANUP_DEFER : CLEANUP_CONTENT, arena_cstr(&m->arena, reply));
}

/* A client would have been refused this one recipient; here all or none must be kept. */
static void refuse_rcpt(struct judge *j, str reply)
{
	struct message *m = j->m;

	put_log(j, "milter-reject", str_trim(str_from(reply, 3)), LOG_NONE);
	log_warn("%s: milter configuration error: can't reject recipient in non-smtpd(8) "
		 "submission",
	    m->id);
	log_warn("%s: message not accepted, try again later", m->id);
	message_fail(m, CLEANUP_DEFER, "4.3.5 Server configuration error");
}

static void obey(struct judge *j, const struct milter_answer *a)
{
	struct message *m = j->m;

	switch (a->verdict) {
	case MILTER_DISCARD:
		put_log(j, "milter-discard", STR("milter triggers DISCARD action"), LOG_NONE);
		m->discard = true;
		return;
	case MILTER_REPLY:
	case MILTER_DISCONNECT:
		if (j->session && strcmp(j->stage, "RCPT") == 0)
			refuse_rcpt(j, a->reply);
		else
			refuse(j, a->reply);
		return;
	case MILTER_CONTINUE:
		break;
	}
	if (a->hold && m->status == CLEANUP_OK) {
		put_log(j, "milter-hold", STR("milter triggers HOLD action"), a->hold_reason);
		m->queue_name = "hold";
	}
}

/* --- showing it to them */

static struct milter_message *open_content(struct message *m)
{
	str all = queue_message_memory(m->queue);
	uint64_t offset, length = queue_message_length(m->queue);
	struct milter_message *content = NULL;
	struct err err;
	struct buf head = {0};
	int file;

	if (all.p)
		return milter_message_new(
		    str_head(all, m->head_length), m->own, str_from(all, m->head_length), -1, 0, 0);
	file = queue_message_file(m->queue, &offset, &err);
	if (file >= 0 && pread(file, buf_room(&head, m->head_length), m->head_length,
			     (off_t)offset) == (ssize_t)m->head_length) {
		buf_added(&head, m->head_length);
		content = milter_message_new(buf_view(&head), m->own, STR(""), file,
		    offset + m->head_length, length - m->head_length);
	} else {
		log_warn("%s: %s", m->id, file < 0 ? err.text : "cannot read the header");
		message_fail(m, CLEANUP_WRITE, NULL);
	}
	buf_free(&head);
	return content;
}

static void show(struct judge *j, struct milter_chain *chain)
{
	struct message *m = j->m;
	struct milter_message *content = open_content(m);
	struct milter_answer a;

	if (!content)
		return;
	j->stage = "END-OF-MESSAGE";
	m->checking = true; /* milter_header_checks */
	a = milter_message_run(chain, content, &milter_env_ops, m);
	obey(j, &a);
	if (m->status == CLEANUP_OK && !m->discard && milter_message_changed(content))
		changed_store(m, content);
	milter_message_free(content);
}

static void play(struct judge *j)
{
	struct milter_answer a = session_play(j->session, &j->stage, &j->to);

	if (j->m->status != CLEANUP_OK)
		return; /* addresses could not be completed */
	if (a.verdict == MILTER_CONTINUE)
		show(j, session_chain(j->session));
	else
		obey(j, &a);
}

/* --- whose they are */

static void judge_handed_over(struct judge *j)
{
	struct message *m = j->m;
	struct milter_chain *chain;
	struct err err;
	size_t n = m->milters.nfds;

	m->milters.nfds = 0;
	chain = milter_chain_unpack(m->milters.chain, m->milters.fds, n, queue_id, m, &err);
	if (!chain) {
		log_warn("%s: %s", m->id, err.text);
		message_fail(m, CLEANUP_WRITE, NULL);
		return;
	}
	if (m->status == CLEANUP_OK && !m->discard)
		show(j, chain);
	milter_chain_release(chain, &m->milters.state);
}

void milter_judge(struct message *m)
{
	struct judge j = {.m = m, .from = m->env.sender.address, .to = LOG_NONE};

	if (m->ngiven)
		j.to = m->given[m->ngiven - 1].address;
	if (m->milters.chain.p) {
		judge_handed_over(&j);
	} else if ((m->flags & CLEANUP_FLAG_MILTER) && !milters_empty(non_smtpd) &&
		   m->status == CLEANUP_OK && !m->discard) {
		j.session = session_new(m, non_smtpd);
		play(&j);
		session_free(j.session);
	}
}
