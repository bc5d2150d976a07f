/* panic_as_failure.h - in a test, an assertion of ours that fires is a failed test, or the thing that
 * expect_assert_failure() waits for. Included after <cmocka.h>, by one file of a test binary. */
#ifndef DUNLIN_PANIC_AS_FAILURE_H
#define DUNLIN_PANIC_AS_FAILURE_H

#include <stdlib.h>

#include "base/panic.h"

_Noreturn void dunlin_panic(const char *file, int line, const char *what)
{
	mock_assert(0, what, file, line); /* jumps back into the test */
	abort();
}

#endif
