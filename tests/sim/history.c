/* history.c - see history.h.
 *
 *   shown 3 = { put 5, tombstone of dot d }      put 9 sent with the context of 3:
 *   past(9) = { 5 } + past(5) + { delete that bears d } + its past
 *
 * A write can only have been shown what began before it, so pasts are filled in order of beginning,
 * and bit i of a past is the i'th write of that key. */
#include "tests/sim/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

/* Room for one more; the new part is not set. */
static void *grow(void *items, uint32_t count, uint32_t *room, size_t item_bytes)
{
	if (count < *room) return items;
	*room = *room == 0 ? 64 : *room * 2;
	void *grown = realloc(items, *room * item_bytes);
	assert(grown != NULL);
	return grown;
}

void history_init(struct history *h, uint32_t keys, uint32_t n)
{
	assert(keys > 0 && n > 0);
	*h = (struct history){.keys = keys, .replicas_n = n};
	h->by_key = calloc(keys, sizeof *h->by_key);
	h->by_key_count = calloc(keys, sizeof *h->by_key_count);
	h->by_key_room = calloc(keys, sizeof *h->by_key_room);
	assert(h->by_key != NULL && h->by_key_count != NULL && h->by_key_room != NULL);
	uint32_t nothing = history_shown_new(h, 0);
	assert(nothing == HIST_NOTHING);
	(void)nothing;
}

void history_free(struct history *h)
{
	for (uint32_t i = 0; i < h->write_count; i++) free(h->writes[i].past);
	for (uint32_t k = 0; k < h->keys; k++) free(h->by_key[k]);
	free(h->by_key);
	free(h->by_key_count);
	free(h->by_key_room);
	free(h->writes);
	free(h->shown);
	free(h->refs);
	free(h->reads);
	free(h->stored);
	free(h->dots);
	*h = (struct history){0};
}

/* ---- dots --------------------------------------------------------------------------------- */

static uint64_t dot_hash(uint32_t key, struct dot dot)
{
	uint64_t x = dot.actor.v ^ dot.at.v * 0x9e3779b97f4a7c15U ^ key;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93U;
	return x ^ x >> 32;
}

static bool dots_same(struct dot a, struct dot b)
{
	return a.actor.v == b.actor.v && a.at.v == b.at.v;
}

/* Where it is in the open-addressed table, or the free place where it belongs. */
static uint32_t dot_place(const struct hist_dot *table, uint32_t room, uint32_t key, struct dot dot)
{
	uint32_t at = (uint32_t)dot_hash(key, dot) & (room - 1);
	while (table[at].write != HIST_NOBODY &&
	       !(table[at].key == key && dots_same(table[at].dot, dot)))
		at = (at + 1) & (room - 1);
	return at;
}

static void dots_grow(struct history *h)
{
	if (h->dot_room > 0 && h->dot_count < h->dot_room / 2) return;
	uint32_t room = h->dot_room == 0 ? 1024 : h->dot_room * 2;
	struct hist_dot *table = malloc(room * sizeof *table);
	assert(table != NULL);
	for (uint32_t i = 0; i < room; i++) table[i].write = HIST_NOBODY;
	for (uint32_t i = 0; i < h->dot_room; i++) {
		const struct hist_dot *d = &h->dots[i];
		if (d->write != HIST_NOBODY) table[dot_place(table, room, d->key, d->dot)] = *d;
	}
	free(h->dots);
	h->dots = table;
	h->dot_room = room;
}

/* This write bears this dot. Neither may be known with another. */
static void dot_note(struct history *h, uint32_t write, struct dot dot)
{
	struct hist_write *w = &h->writes[write];
	if (dot.actor.v == 0 && dot.at.v == 0) return;
	dots_grow(h);
	struct hist_dot *d = &h->dots[dot_place(h->dots, h->dot_room, w->key, dot)];
	uint32_t other = d->write != HIST_NOBODY ? d->write : write;
	bool clash = other != write || (w->dot.at.v != 0 && !dots_same(w->dot, dot));
	if (clash && !h->dot_clash) {
		h->dot_clash = true;
		h->dot_clash_a = write;
		h->dot_clash_b = other;
	}
	if (d->write == HIST_NOBODY) h->dot_count++;
	*d = (struct hist_dot){w->key, write, dot};
	if (w->dot.at.v == 0) w->dot = dot;
}

uint32_t history_find_dot(const struct history *h, uint32_t key, struct dot dot)
{
	if (h->dot_room == 0) return HIST_NOBODY;
	return h->dots[dot_place(h->dots, h->dot_room, key, dot)].write;
}

/* ---- shown sets --------------------------------------------------------------------------- */

uint32_t history_shown_new(struct history *h, uint32_t key)
{
	assert(key < h->keys);
	h->shown = grow(h->shown, h->shown_count, &h->shown_room, sizeof *h->shown);
	h->shown[h->shown_count] = (struct hist_shown){key, h->ref_count, 0};
	return h->shown_count++;
}

static void shown_add(struct history *h, struct hist_ref ref)
{
	struct hist_shown *s = &h->shown[h->shown_count - 1];
	assert(s->first + s->count == h->ref_count);
	h->refs = grow(h->refs, h->ref_count, &h->ref_room, sizeof *h->refs);
	h->refs[h->ref_count++] = ref;
	s->count++;
}

void history_shown_value(struct history *h, uint32_t write, struct dot dot)
{
	assert(write < h->write_count);
	assert(h->writes[write].key == h->shown[h->shown_count - 1].key);
	h->writes[write].appeared = true;
	dot_note(h, write, dot);
	shown_add(h, (struct hist_ref){write, dot});
}

void history_shown_tombstone(struct history *h, struct dot dot)
{
	shown_add(h, (struct hist_ref){HIST_NOBODY, dot});
}

/* ---- writes and reads --------------------------------------------------------------------- */

static void past_or(struct hist_write *w, const struct hist_write *of)
{
	assert(w->key == of->key);
	if (of->place >= w->place) return; /* only when dots clash, which is reported for itself */
	for (uint32_t i = 0; i <= of->place / 64; i++) w->past[i] |= of->past[i];
	w->past[of->place / 64] |= 1ULL << of->place % 64;
}

static void past_fill(struct history *h, struct hist_write *w)
{
	const struct hist_shown *s = &h->shown[w->shown];
	for (uint32_t i = 0; i < s->count; i++) {
		struct hist_ref ref = h->refs[s->first + i];
		uint32_t of = ref.write;
		if (of == HIST_NOBODY) of = history_find_dot(h, w->key, ref.dot);
		if (of != HIST_NOBODY) past_or(w, &h->writes[of]);
	}
}

uint32_t history_write(struct history *h, uint32_t key, enum hist_op op, uint32_t shown,
                       uint64_t now_us)
{
	assert(key < h->keys && shown < h->shown_count);
	assert(implies(shown != HIST_NOTHING, h->shown[shown].key == key));
	uint32_t id = h->write_count;
	h->writes = grow(h->writes, id, &h->write_room, sizeof *h->writes);
	h->write_count++;
	struct hist_write *w = &h->writes[id];
	*w = (struct hist_write){
		.key = key, .place = h->by_key_count[key], .op = op, .shown = shown, .began_us = now_us};
	w->past = calloc(w->place / 64 + 1, sizeof *w->past);
	assert(w->past != NULL);
	past_fill(h, w);
	h->by_key[key] = grow(h->by_key[key], w->place, &h->by_key_room[key], sizeof *h->by_key[key]);
	h->by_key[key][h->by_key_count[key]++] = id;
	return id;
}

void history_answer(struct history *h, uint32_t write, enum hist_outcome outcome, struct dot dot,
                    uint64_t now_us)
{
	assert(write < h->write_count && outcome != HIST_OPEN);
	struct hist_write *w = &h->writes[write];
	dot_note(h, write, dot);
	if (w->outcome != HIST_OPEN) return;
	w->outcome = outcome;
	w->ended_us = now_us;
}

void history_read(struct history *h, const struct hist_read *read)
{
	assert(read->key < h->keys && read->shown < h->shown_count);
	h->reads = grow(h->reads, h->read_count, &h->read_room, sizeof *h->reads);
	h->reads[h->read_count++] = *read;
}

void history_stored(struct history *h, const struct hist_stored *stored)
{
	assert(stored->key < h->keys && stored->shown < h->shown_count);
	h->stored = grow(h->stored, h->stored_count, &h->stored_room, sizeof *h->stored);
	h->stored[h->stored_count++] = *stored;
}

void history_settle(struct history *h)
{
	for (uint32_t i = 0; i < h->write_count; i++) {
		struct hist_write *w = &h->writes[i];
		if (w->outcome == HIST_OPEN) w->outcome = HIST_UNKNOWN;
		if (w->outcome == HIST_UNKNOWN) w->ended_us = UINT64_MAX;
		past_fill(h, w);
	}
}

bool history_is_before(const struct history *h, uint32_t earlier, uint32_t later)
{
	const struct hist_write *e = &h->writes[earlier], *l = &h->writes[later];
	assert(e->key == l->key);
	return e->place < l->place && (l->past[e->place / 64] >> e->place % 64 & 1) != 0;
}
