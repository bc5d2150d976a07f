/* http_failure.c - see http_failure.h. */
#include "wire/http_failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/panic.h"

bool http_failure_set(struct http_failure *why, int status, const char *format, ...)
{
	assert(status >= 400 && status <= 599);
	va_list args;
	va_start(args, format);
	/* Room for the LF is kept back; what a client sent may be cut short. */
	int n = vsnprintf(why->text, sizeof(why->text) - 1, format, args);
	va_end(args);
	assert(n >= 0);
	size_t len = strlen(why->text);
	/* Some texts hold a client's own bytes: nothing in them may look like a second line. */
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)why->text[i] < 0x20 || why->text[i] == 0x7f) why->text[i] = '?';
	}
	memcpy(why->text + len, "\n", 2);
	why->status = status;
	why->allow = NULL;
	return false;
}
