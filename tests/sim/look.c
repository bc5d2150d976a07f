/* look.c - see look.h. */
#include "tests/sim/look.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "core/core.h"
#include "ring/ring.h"
#include "tests/sim/fault.h"
#include "tests/sim/workload.h"

/* For decoding; what is not used costs nothing. */
#define LOOK_POOL_BYTES MIB(64)
/* A tombstone that has been one for so long is to have been reaped: three of the longest periods. */
#define DEAD_FOR_MS 30000

struct look {
	struct pool pool;
	struct arena arena;
	void *region, *state;
	struct hlc horizon; /* of reaping, the latest that any node knows */
};

void look_init(struct world *w)
{
	struct look *k = calloc(1, sizeof *k);
	assert(k != NULL);
	w->look = k;
	k->region =
		mmap(NULL, LOOK_POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	k->state = calloc(1, pool_state_bytes(LOOK_POOL_BYTES));
	assert(k->region != MAP_FAILED && k->state != NULL);
	pool_init(&k->pool, k->region, LOOK_POOL_BYTES, k->state);
	arena_init(&k->arena, &k->pool);
}

void look_free(struct world *w)
{
	munmap(w->look->region, LOOK_POOL_BYTES);
	free(w->look->state);
	free(w->look);
}

/* ---- at rest -------------------------------------------------------------------------------- */

static uint64_t digest_of(const struct object *o)
{
	uint64_t sum = 0x9e3779b97f4a7c15U;
	for (uint32_t i = 0; i < o->sibling_count; i++) {
		const struct sibling *s = &o->siblings[i];
		sum = (sum ^ s->dot.actor.v) * 0x100000001b3U;
		sum = (sum ^ s->dot.at.v ^ (uint64_t)s->tombstone << 63) * 0x100000001b3U;
		sum = (sum ^ s->expires_ms) * 0x100000001b3U;
		for (size_t k = 0; k < s->value.len; k++) sum = (sum ^ s->value.data[k]) * 0x100000001b3U;
	}
	return sum;
}

static bool holds(const struct world *w, uint16_t proc, struct bytes full_key)
{
	const struct layout *l = node_layout(w->procs[proc].node);
	int member = layout_find(l, w->procs[proc].id);
	struct partition_id p = partition_of(l, key_hash_of(full_key));
	return member >= 0 && ring_is_primary(l, p, l->replicas, (uint32_t)member);
}

static void look_at(struct world *w, uint16_t proc, uint32_t key, bool before_reads,
                    const struct store_record *record)
{
	struct object object = {.sibling_count = 0};
	struct hist_stored stored = {
		.key = key, .replica = proc, .before_reads = before_reads, .at_us = w->now_us};
	if (record != NULL && record->damaged)
		world_fail(w, "P4", key, HIST_NOBODY, "%s still holds a damaged record",
		           w->procs[proc].name);
	else if (record != NULL && object_decode(&w->look->arena, record->value, &object) != ERR_OK)
		world_fail(w, "P4", key, HIST_NOBODY, "%s stores what is no object", w->procs[proc].name);
	/* A round of reaping may be half way through its sweep. */
	if (!object_reap(&w->look->arena, &object, w->look->horizon, &object)) unreachable();
	if (w->failed) return;
	stored.shown = history_shown_new(&w->history, key);
	for (uint32_t i = 0; i < object.sibling_count; i++)
		if (!workload_note_sibling(w, key, &object.siblings[i])) return;
	stored.digest = object.sibling_count == 0 ? 0 : digest_of(&object);
	history_stored(&w->history, &stored);
}

static void look_for(struct world *w, uint16_t proc, uint32_t key, bool before_reads)
{
	struct bytes store_key, value = BYTES_EMPTY;
	struct bytes full_key = workload_key(w, key);
	void *handle = NULL;
	struct arena_mark mark = arena_mark(&w->look->arena);
	bool ok = store_key_make(&w->look->arena, key_hash_of(full_key), full_key, &store_key);
	assert(ok);
	enum err err =
		store_read(w->procs[proc].disk.store, STORE_OBJECTS, store_key, false, &value, &handle);
	struct store_record record = {.key = store_key, .value = value, .damaged = err == ERR_CORRUPT};
	assert(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_CORRUPT);
	look_at(w, proc, key, before_reads, err == ERR_NOT_FOUND ? NULL : &record);
	if (handle != NULL) store_release(handle);
	arena_release(&w->look->arena, mark);
}

void look_into_all(struct world *w, bool before_reads)
{
	w->look->horizon.v = 0;
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		struct node_reaping r;
		if (world_is_gone(w, i)) continue;
		node_reaping(w->procs[i].node, &r);
		w->look->horizon = hlc_max(w->look->horizon, r.horizon);
	}
	for (uint16_t i = 0; i < w->options.nodes; i++)
		for (uint32_t key = 0; key < SIM_KEYS && !w->failed; key++)
			if (!world_is_gone(w, i) && holds(w, i, workload_key(w, key)))
				look_for(w, i, key, before_reads);
}

struct dead {
	struct arena *arena;
	struct hlc horizon;
	uint32_t count;
};

static bool count_dead(void *context, const struct store_record *record)
{
	struct dead *d = context;
	struct object o, rest;
	struct arena_mark mark = arena_mark(d->arena);
	bool read = object_decode(d->arena, record->value, &o) == ERR_OK &&
	            object_reap(d->arena, &o, d->horizon, &rest);
	d->count += read && rest.sibling_count < o.sibling_count;
	arena_release(d->arena, mark);
	return true;
}

uint32_t look_for_dead(struct world *w, uint16_t proc)
{
	struct dead d = {.arena = &w->look->arena,
	                 .horizon = hlc_at_ms(world_wall(w, proc).ms - DEAD_FOR_MS)};
	bool done = false;
	enum err err = store_scan(w->procs[proc].disk.store, STORE_OBJECTS, BYTES_EMPTY, BYTES_EMPTY,
	                          count_dead, &d, &done);
	assert(err == ERR_OK);
	return d.count;
}

/* ---- at the moment of an answer ------------------------------------------------------------- */

static bool has_seen(struct world *w, uint16_t proc, struct bytes store_key, struct dot dot)
{
	struct bytes value;
	struct object object;
	void *handle;
	if (proc == w->bad_disk && fault_spoils_a_disk(w)) return true;
	if (store_read(w->procs[proc].disk.store, STORE_OBJECTS, store_key, false, &value, &handle) !=
	    ERR_OK)
		return false;
	struct arena_mark mark = arena_mark(&w->look->arena);
	bool seen =
		object_decode(&w->look->arena, value, &object) == ERR_OK && dvv_covers(&object.seen, dot);
	arena_release(&w->look->arena, mark);
	store_release(handle);
	return seen;
}

uint8_t look_for_durable(struct world *w, struct bytes full_key, struct dot dot, uint8_t enough)
{
	uint8_t found = 0;
	struct bytes store_key;
	struct arena_mark mark = arena_mark(&w->look->arena);
	bool ok = store_key_make(&w->look->arena, key_hash_of(full_key), full_key, &store_key);
	assert(ok);
	for (uint16_t i = 0; i < w->options.nodes && found < enough; i++)
		found += has_seen(w, i, store_key, dot);
	arena_release(&w->look->arena, mark);
	return found;
}
