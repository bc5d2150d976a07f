/* counts.c - see counts.h. */
#include "tests/sim/counts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

static void *grow(void *items, uint32_t count, uint32_t *room, size_t item_bytes)
{
	if (count < *room) return items;
	*room = *room == 0 ? 64 : *room * 2;
	void *grown = realloc(items, *room * item_bytes);
	assert(grown != NULL);
	return grown;
}

void counts_free(struct counts *c)
{
	free(c->ops);
	free(c->reads);
	c->ops = NULL;
	c->reads = NULL;
}

uint32_t counts_add(struct counts *c, uint32_t key, uint64_t now_us)
{
	uint32_t id = c->op_count;
	assert(key < COUNTS_KEYS && c->in_key[key] < COUNTS_PER_KEY);
	c->ops = grow(c->ops, id, &c->op_room, sizeof *c->ops);
	c->ops[id] = (struct count_op){.key = key, .place = c->in_key[key], .began_us = now_us};
	c->op_count++;
	c->of_key[key][c->in_key[key]++] = id;
	return id;
}

int64_t counts_delta(const struct counts *c, uint32_t id)
{
	int64_t size = 1;
	assert(id < c->op_count);
	for (uint32_t i = 0; i < c->ops[id].place; i++) size *= 3;
	return c->ops[id].key % 2 == 0 ? size : -size;
}

void counts_answer(struct counts *c, uint32_t id, enum hist_outcome outcome, uint64_t now_us)
{
	assert(id < c->op_count && outcome != HIST_OPEN);
	if (c->ops[id].outcome != HIST_OPEN) return;
	c->ops[id].outcome = outcome;
	c->ops[id].ended_us = now_us;
}

void counts_read(struct counts *c, const struct count_read *read)
{
	assert(read->key < COUNTS_KEYS);
	c->reads = grow(c->reads, c->read_count, &c->read_room, sizeof *c->reads);
	c->reads[c->read_count++] = *read;
}

/* ---- the check ------------------------------------------------------------------------------ */

static bool fail(struct check_failure *out, const char *promise, const struct count_read *r,
                 uint32_t id, const char *format, ...) __attribute__((format(printf, 5, 6)));

static bool fail(struct check_failure *out, const char *promise, const struct count_read *r,
                 uint32_t id, const char *format, ...)
{
	*out = (struct check_failure){.promise = promise, .key = HIST_NOBODY, .write = HIST_NOBODY};
	int len = snprintf(out->text, sizeof out->text,
	                   "counter %u, read as %s from %.6f s to %.6f s, increment %u: ", r->key,
	                   r->number[0] == '\0' ? "not found" : r->number, (double)r->began_us / 1e6,
	                   (double)r->ended_us / 1e6, id);
	va_list args;
	va_start(args, format);
	vsnprintf(out->text + len, sizeof out->text - (size_t)len, format, args);
	va_end(args);
	return false;
}

static bool check_one(const struct counts *c, const struct count_read *r, uint32_t id, int times,
                      struct check_failure *out)
{
	const struct count_op *op = &c->ops[id];
	bool acked = op->outcome == HIST_ACKED && op->ended_us < r->began_us;
	double at = (double)op->ended_us / 1e6;
	if (times > 1) return fail(out, "P2", r, id, "it is counted twice");
	if (times == 1 && op->outcome == HIST_NONE)
		return fail(out, "P7", r, id, "answered at %.6f s that nothing was stored, yet counted",
		            at);
	if (times == 1 && op->began_us > r->ended_us)
		return fail(out, "P7", r, id, "counted before it was asked for");
	if (times == 1) return true;
	if (r->of == id) return fail(out, "P7", r, id, "its own answer does not count it");
	if (acked && r->view != HIST_READ && !op->fragile)
		return fail(out, "P2", r, id, "acknowledged at %.6f s, and at the end it is not counted",
		            at);
	if (acked && r->pr + op->pw > c->replicas_n)
		return fail(out, "P5", r, id,
		            "acknowledged with pw=%u at %.6f s; a read with pr=%u does not count it",
		            op->pw, at, r->pr);
	return true;
}

static bool check_read(const struct counts *c, const struct count_read *r,
                       struct check_failure *out)
{
	char *end;
	long long number = strtoll(r->number, &end, 10);
	if (*end != '\0') return fail(out, "P2", r, COUNTS_NOBODY, "that is no number");
	if (r->key % 2 != 0) number = -number;
	if (number < 0) return fail(out, "P2", r, COUNTS_NOBODY, "nobody counted in that direction");
	for (uint32_t i = 0; i < c->in_key[r->key]; i++, number /= 3)
		if (!check_one(c, r, c->of_key[r->key][i], (int)(number % 3), out)) return false;
	return number == 0 || fail(out, "P2", r, COUNTS_NOBODY, "it counts what nobody asked for");
}

bool check_counts(const struct counts *c, struct check_failure *out)
{
	for (uint32_t i = 0; i < c->read_count; i++)
		if (!check_read(c, &c->reads[i], out)) return false;
	return true;
}
