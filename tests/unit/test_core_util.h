/* test_core_util.h - memory for tests of the core's pure parts, and causal states written as text.
 *
 * "A3 B1 | A5 C2" is a state: actor A seen up to 3, B up to 1, and the single dots A5 and C2. Actors
 * are the letters A to Z (1 to 26); entries are written in order, by the reader's care. */
#ifndef DUNLIN_TEST_CORE_UTIL_H
#define DUNLIN_TEST_CORE_UTIL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/panic.h"
#include "base/prng.h"
#include "core/dvv.h"
#include "core/object.h"

/* An arena over a pool of its own, from the heap. */
struct room {
	struct pool pool;
	struct arena arena;
	void *region, *state;
};

static inline void room_open(struct room *r, size_t bytes)
{
	r->region = aligned_alloc(4096, bytes);
	r->state = calloc(1, pool_state_bytes(bytes));
	assert(r->region != NULL && r->state != NULL);
	pool_init(&r->pool, r->region, bytes, r->state);
	arena_init(&r->arena, &r->pool);
}

static inline void room_close(struct room *r)
{
	arena_free(&r->arena);
	assert(r->pool.used == 0);
	free(r->region);
	free(r->state);
}

/* Take from the pool until nothing of `len` bytes or more is left. */
static inline void room_exhaust(struct room *r, size_t len)
{
	size_t got;
	while (pool_take(&r->pool, len, &got) != NULL) {
	}
}

static inline struct dot dot_of(char actor, uint64_t at)
{
	return (struct dot){{(uint64_t)(actor - 'A') + 1}, {at}};
}

/* The dots of one side of the bar. *text is left behind them. */
static inline uint32_t dots_of_text(const char **text, struct dot *to)
{
	uint32_t count = 0;
	while (**text != '\0' && **text != '|') {
		char *end;
		if (**text == ' ') {
			(*text)++;
			continue;
		}
		to[count++] = dot_of(**text, strtoull(*text + 1, &end, 10));
		*text = end;
	}
	return count;
}

static inline struct dvv dvv_of(struct arena *a, const char *text)
{
	struct dot *to = arena_take(a, 64 * sizeof *to);
	assert(to != NULL);
	struct dvv v = {.vector = to};
	v.vector_count = dots_of_text(&text, to);
	v.dots = to + v.vector_count;
	if (*text == '|') text++;
	v.dot_count = dots_of_text(&text, to + v.vector_count);
	return v;
}

static inline char *dot_text(char *to, struct dot d)
{
	return to + sprintf(to, "%c%llu", (char)('A' + d.actor.v - 1), (unsigned long long)d.at.v);
}

/* Back to text; in static memory, good until the next call. */
static inline const char *dvv_text(const struct dvv *v)
{
	static char text[4096];
	char *to = text;
	for (uint32_t i = 0; i < v->vector_count; i++) {
		if (i > 0) *to++ = ' ';
		to = dot_text(to, v->vector[i]);
	}
	if (v->dot_count > 0) to += sprintf(to, v->vector_count > 0 ? " |" : "|");
	for (uint32_t i = 0; i < v->dot_count; i++) {
		*to++ = ' ';
		to = dot_text(to, v->dots[i]);
	}
	*to = '\0';
	return text;
}

/* Are all lists of two states the same, entry for entry? */
static inline bool dvv_identical(const struct dvv *x, const struct dvv *y)
{
	if (x->vector_count != y->vector_count || x->dot_count != y->dot_count) return false;
	for (uint32_t i = 0; i < x->vector_count; i++)
		if (!dot_equal(x->vector[i], y->vector[i])) return false;
	for (uint32_t i = 0; i < x->dot_count; i++)
		if (!dot_equal(x->dots[i], y->dots[i])) return false;
	return true;
}

static inline struct bytes dvv_packed(struct arena *a, const struct dvv *v)
{
	struct packer measure = {0};
	dvv_pack(&measure, v);
	struct packer p = {.to = arena_take(a, measure.len), .capacity = measure.len};
	assert(p.to != NULL);
	dvv_pack(&p, v);
	return bytes_of(p.to, p.len);
}

#endif
