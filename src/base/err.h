/* Errors are values: a function that can fail returns -1 (or NULL) and fills a struct err. */
#ifndef POSTERN_BASE_ERR_H
#define POSTERN_BASE_ERR_H

#define ERR_TEXT_SIZE 480

struct err {
	int code;		  /* an errno value, or 0 when none applies */
	char text[ERR_TEXT_SIZE]; /* one line, names the culprit, no newline */
};

/* Fills err (which may be NULL) with errno 0 and the formatted text; always returns -1. */
int err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with an errno value; ": strerror(code)" is appended to the text. Returns -1. */
int err_errno(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the text of an error that is passed up. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
