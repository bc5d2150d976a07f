/* test_http_util.h - what the tests of the HTTP side share: bytes that end at a page which must not
 * be touched, and requests out of text. */
#ifndef TEST_HTTP_UTIL_H
#define TEST_HTTP_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/http.h"
#include "wire/http_scratch.h"

#include <cmocka.h>

#define GUARD_PAGE 4096UL
#define GUARD_BYTES (1UL << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Memory whose last byte stands before a page that cannot be read. */
struct guard {
	uint8_t *map, *end;
};

static inline struct guard guard_open(void)
{
	size_t all = GUARD_BYTES + GUARD_PAGE;
	uint8_t *map = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + GUARD_BYTES, GUARD_PAGE, PROT_NONE), 0);
	return (struct guard){map, map + GUARD_BYTES};
}

static inline uint8_t *guard_place(struct guard *g, struct bytes b)
{
	assert_true(b.len <= GUARD_BYTES);
	if (b.len > 0) memcpy(g->end - b.len, b.data, b.len);
	return g->end - b.len;
}

static inline void guard_close(struct guard *g)
{
	munmap(g->map, GUARD_BYTES + GUARD_PAGE);
}

static inline bool is_text(struct bytes b, const char *text)
{
	return bytes_equal(b, bytes_of_string(text));
}

static inline struct http_scratch scratch_of(uint8_t room[HTTP_SCRATCH_BYTES])
{
	return (struct http_scratch){room, HTTP_SCRATCH_BYTES, 0};
}

#endif
