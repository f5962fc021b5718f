/* Message content in wire form: CRLF ends every line, lines that begin with a dot have it doubled,
 * the final "." line is not part of it, a stray LF never is. */
#ifndef POSTERN_SMTPWIRE_WIRE_H
#define POSTERN_SMTPWIRE_WIRE_H

#include "base/buf.h"

/* --- What content is like, counted while it passes in pieces of any size (wire form). {0} at
 * first. */
struct wire_facts {
	uint64_t size; /* bytes with CRLF ends, not stuffed: size= in the log, the size of a policy
			  request */
	uint64_t lines;
	size_t max_line; /* longest line without its end */
	bool eight_bit;	 /* a byte over 127 */
	bool nul;	 /* a zero byte */
	bool stray_cr;	 /* a CR that no LF follows */
	size_t column_;	 /* private: wire bytes of the open line */
	bool inside_, cr_;
};
void wire_facts_feed(struct wire_facts *f, str wire);
/* The same for a piece that has neither 8-bit nor zero bytes. */
void wire_facts_feed_plain(struct wire_facts *f, str wire);
/* Adds the facts of another stretch of the same content; both end at a line end. */
void wire_facts_add(struct wire_facts *f, const struct wire_facts *more);

/* What is unusual in a piece, found in one quick pass. */
struct wire_scan {
	bool eight_bit, nul;
	bool stray_cr; /* a CR that no LF follows; one at the end counts */
};
struct wire_scan wire_scan(str wire);

/* --- DATA as it comes from the client. */
enum wire_newline {	       /* smtpd_forbid_bare_newline, for this client */
	WIRE_BARE_LF_ENDS = 0, /* "no", or an excluded client: LF.LF, LF.CRLF, ... end it too */
	WIRE_STRICT_END,       /* normalize, note, reject: only CRLF.CRLF ends it */
};
enum wire_state { WIRE_MORE = 0, WIRE_END };
/* mbox "From " lines (also ">From ") at the very start become "X-Mailbox-Line: From ...". An empty
 * line goes before white space at the very start. */
struct wire_lead {
	bool on;
	unsigned char n_; /* private */
	char head_[14];
};
struct wire_in {
	enum wire_newline newline;
	bool bare_lf;	/* a line ended in LF without CR: reject or note it */
	uint64_t size;	/* as wire_facts.size, of what was emitted */
	uint64_t limit; /* message_size_limit: beyond it nothing more is emitted; 0: none */
	bool too_big;
	unsigned char at_, crs_; /* private */
	bool lf_before_;
	struct wire_lead lead_;
};
/* Starts at the beginning of a line, behind the DATA command. */
void wire_in_start(struct wire_in *w, enum wire_newline newline, uint64_t limit);
/* Takes input, cut anywhere: appends wire form to *out, sets *used to the bytes that were taken
 * (all of them unless WIRE_END, then those up to and with the end of data; the rest is the next
 * command). At WIRE_END *out is complete: it ends in CRLF or is empty. Lone CRs stay as they are
 * (see wire_clean). *out grows by at most in.n * 4 + 300. */
enum wire_state wire_in_feed(struct wire_in *w, str in, struct buf *out, size_t *used);

/* --- Content that is not stuffed: BDAT chunks (CRLF or LF ends), local text (LF ends). */
struct wire_stuff {
	uint64_t size; /* as wire_facts.size */
	bool bare_lf;
	struct wire_lead lead; /* set lead.on where such lines may come */
	unsigned char at_;     /* private */
	bool cr_;
};
/* {0} at first; cut anywhere. *out grows by at most in.n * 4 + 40. */
void wire_stuff_feed(struct wire_stuff *s, str in, struct buf *out);
/* The end: adds the missing end of the last line. */
void wire_stuff_end(struct wire_stuff *s, struct buf *out);
/* One whole line without its end, as wire form. */
void wire_line(struct buf *out, str line);

/* --- cleanup's message_strip_characters and cleanup_replace_stray_cr_lf, on wire form cut
 * anywhere. Appends to *out; a CR at the end of a piece waits for the next one. Needed only when
 * facts or configuration say so. What remains is stuffed anew: a dot cannot come to the start of a
 * line by losing what stood before it. */
struct wire_clean {
	bool strays;	   /* replace stray CRs by spaces */
	const bool *strip; /* 256 entries: drop these bytes (never CR LF of line ends); or NULL */
	bool cr_, inside_, begun_; /* private */
};
void wire_clean_feed(struct wire_clean *c, str wire, struct buf *out);
void wire_clean_end(struct wire_clean *c, struct buf *out);
/* message_strip_characters, message_reject_characters: C escapes (\0 \r \n \ooo \t ...) as a set.
 * False for bad syntax. */
bool wire_char_set(const char *text, bool set[256]);

/* --- Sending. */
/* smtp_line_length_limit: breaks lines longer than limit with CRLF and a space. Only needed when
 * max_line says that there is one. Wire form cut anywhere in, wire form out. */
struct wire_fold {
	size_t limit;
	bool folded; /* some line was too long */
	size_t column_;
	bool cr_, inside_; /* private */
};
void wire_fold_feed(struct wire_fold *f, str wire, struct buf *out);
void wire_fold_end(struct wire_fold *f, struct buf *out);
/* Takes the stuffing out (BDAT output, pipes, files): wire form cut anywhere in, CRLF lines or,
 * with lf, LF lines out. */
struct wire_unstuff {
	bool lf;
	bool cr_, inside_;
};
void wire_unstuff_feed(struct wire_unstuff *u, str wire, struct buf *out);

#endif
