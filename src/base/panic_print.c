/* panic_print.c - the crash printer. */
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void dunlin_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "level=fatal msg=\"%s\" at=%s:%d\n", what, file, line);
	abort();
}
