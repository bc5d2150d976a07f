/* panic.h - assertions that stay on in release, and the one way to crash.
 *
 * An assertion states what only a bug of ours can break. Bytes from outside never reach one. */
#ifndef DUNLIN_PANIC_H
#define DUNLIN_PANIC_H

/* Print one line to stderr and abort. Whoever links the core provides it: the server and the
 * simulator from src/base/panic_print.c, tests their own. */
_Noreturn void dunlin_panic(const char *file, int line, const char *what);

#undef assert
#define assert(condition)                                                                          \
	((condition) ? (void)0 : dunlin_panic(__FILE__, __LINE__, "assertion failed: " #condition))
#define implies(a, b) (!(a) || (b))
#define unreachable() dunlin_panic(__FILE__, __LINE__, "unreachable")

#endif
