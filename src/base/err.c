/* err.c - the rows of err.h as functions. */
#include "dunlin/err.h"

struct row {
	const char *name, *text;
	int status, retryable;
};

static const struct row rows[ERR_COUNT] = {
#define X(name, status, retry, text) {#name, text, status, retry},
	ERR_TABLE(X)
#undef X
};

static const struct row *row(enum err e)
{
	return &rows[(unsigned)e < ERR_COUNT ? e : ERR_BAD_BYTES];
}

const char *err_name(enum err e)
{
	return row(e)->name;
}

const char *err_text(enum err e)
{
	return row(e)->text;
}

int err_http_status(enum err e)
{
	return row(e)->status;
}

int err_retryable(enum err e)
{
	return row(e)->retryable;
}
