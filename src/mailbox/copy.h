/* A message as commands and mailboxes get it: plain lines, with header lines of the final delivery
 * on top. */
#ifndef POSTERN_MAILBOX_COPY_H
#define POSTERN_MAILBOX_COPY_H

#include "ipc/deliver.h"

enum {
	COPY_FROM = 1 << 0,	    /* "From sender date" */
	COPY_RETURN_PATH = 1 << 1,  /* Return-Path: */
	COPY_ORIG_TO = 1 << 2,	    /* X-Original-To:, unless enable_original_recipient is off */
	COPY_DELIVERED_TO = 1 << 3, /* Delivered-To: */
	COPY_QUOTE_FROM = 1 << 4,   /* '>' in front of lines that begin with "From " */
	COPY_QUOTE_DOT = 1 << 5,    /* '.' in front of lines that begin with one */
	COPY_BLANK = 1 << 6,	    /* an empty line at the end */
};
struct copy {
	const struct delivery *d;
	const struct delivery_rcpt *rcpt; /* of X-Original-To and Delivered-To */
	unsigned flags;
	str sender; /* internal form */
	str eol;    /* line end */
};
/* Hands the copy to put, in pieces of about 64 KiB; put clears the buffer. 0; -1 with errno: the
 * content could not be read; 1: put returned something else than 0. Waits only in put. */
int copy_message(const struct copy *c, int (*put)(struct buf *piece, void *arg), void *arg);

/* The recipient as it was before rewriting, as far as that is known. */
str copy_original(const struct delivery_rcpt *r);

/* Whether a Delivered-To: field of the message's header has this address, case ignored: it has been
 * here before. -1 with errno: the content could not be read. */
int copy_delivered_before(const struct delivery *d, str address);

#endif
