/* shelf.c - what nodes hold: the part of lab.h that calls the core's objects. Everything that changes
 * what a node holds goes through `shelve`, so the gauges and the policy hear of it. */
#include <stdlib.h>

#include "tests/lab/policy.h"

/* Any will do: nobody attacks here. */
static const uint8_t secret[16] = "laboratory lab!";

struct object lab_object(struct lab *l, struct bytes encoded)
{
	struct object o;
	enum err e = object_decode(&l->arena, encoded, &o);
	assert(e == ERR_OK);
	return o;
}

/* Digest and age of an object. */
static void describe(struct arena *a, struct bytes full, const struct object *o, struct held *to)
{
	uint8_t digest[16];
	bool room = object_digest(a, secret, full, o, digest);
	assert(room);
	to->x = get_u64be(digest);
	to->y = get_u64be(digest + 8);
	to->newest = (struct dot){0};
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (dot_compare_age(o->siblings[i].dot, to->newest) > 0) to->newest = o->siblings[i].dot;
}

static void shelve(struct lab *l, uint16_t node, uint32_t key, const struct held *held)
{
	struct held before = l->node[node].held[key];
	l->node[node].held[key] = *held;
	gauge_on_change(l, node, key, &before);
	if (l->policy != NULL && l->policy->on_changed != NULL)
		l->policy->on_changed(l, node, key, &before);
	if (before.own) free((void *)(uintptr_t)before.data);
}

void lab_put(struct lab *l, uint16_t node, uint32_t key, const struct held *held)
{
	shelve(l, node, key, held);
}

static void shelve_object(struct lab *l, uint16_t node, uint32_t key, const struct object *o)
{
	uint8_t full[LAB_KEY_BYTES];
	struct packer measure = {0};
	object_pack(&measure, o);
	uint8_t *data = malloc(measure.len);
	assert(data != NULL);
	struct packer p = {.to = data, .capacity = measure.len};
	object_pack(&p, o);
	struct held held = {.data = data, .len = (uint32_t)p.len, .own = true};
	describe(&l->arena, keys_full(&l->ground->keys, key, full), o, &held);
	shelve(l, node, key, &held);
}

/* One more sibling, over all that the node holds. */
static void write_over(struct lab *l, uint16_t node, uint32_t key, struct dot dot)
{
	struct object state = lab_object(l, lab_held(l, node, key)), after;
	struct sibling s = {.dot = dot,
	                    .origin = l->node[node].id,
	                    .value = bytes_of(l->ground->value, l->ground->value_bytes)};
	bool ok = object_write(&l->arena, &state, &state.seen, &s, &after);
	assert(ok);
	shelve_object(l, node, key, &after);
}

void lab_write(struct lab *l, uint16_t node, uint32_t key)
{
	struct arena_mark mark = arena_mark(&l->arena);
	struct dot dot;
	struct hlc above = l->node[node].held[key].newest.at;
	enum clock_verdict v = clock_mint(&l->node[node].clock, lab_wall(l, node), above, &dot);
	assert(v == CLOCK_OK);
	write_over(l, node, key, dot);
	gauge_on_ack(l, key, dot);
	arena_release(&l->arena, mark);
}

void lab_write_at(struct lab *l, uint16_t node, uint32_t key, uint64_t unix_ms)
{
	struct arena_mark mark = arena_mark(&l->arena);
	write_over(l, node, key, (struct dot){l->node[node].clock.actor, hlc_at_ms(unix_ms)});
	arena_release(&l->arena, mark);
}

bool lab_merge(struct lab *l, uint16_t node, uint32_t key, struct bytes object)
{
	struct arena_mark mark = arena_mark(&l->arena);
	struct object mine = lab_object(l, lab_held(l, node, key)), theirs = lab_object(l, object),
				  both;
	bool room = object_merge(&l->arena, &mine, &theirs, &both);
	assert(room);
	bool news = !dvv_includes(&mine.seen, &theirs.seen);
	if (news) shelve_object(l, node, key, &both);
	arena_release(&l->arena, mark);
	return news;
}

/* ---- the beginning -------------------------------------------------------------------------- */

#define GROUND_OBJECT_BYTES 128 /* beside the value */
#define HOUR_MS 3600000UL
#define OLDEST_MS (30 * 24 * HOUR_MS)

static void ground_object(struct arena *a, const struct ground *g, struct prng *p, uint32_t key,
                          uint8_t *to, struct held *out)
{
	uint8_t full[LAB_KEY_BYTES];
	/* A few actors of past days, as a cluster has them. */
	struct dot dot = {{0x8000000000000000ULL | (1 + prng_below(p, 4))},
	                  hlc_at_ms(LAB_EPOCH_MS - HOUR_MS - prng_below(p, OLDEST_MS - HOUR_MS))};
	struct sibling s = {
		.dot = dot, .origin = {0x9000000000000000ULL}, .value = bytes_of(g->value, g->value_bytes)};
	struct object o = {
		.seen = {.vector = &dot, .vector_count = 1}, .siblings = &s, .sibling_count = 1};
	struct packer pack = {.to = to, .capacity = g->value_bytes + GROUND_OBJECT_BYTES};
	object_pack(&pack, &o);
	assert(pack_fits(&pack));
	*out = (struct held){.data = to, .len = (uint32_t)pack.len};
	describe(a, keys_full(&g->keys, key, full), &o, out);
}

void ground_init(struct ground *g, uint32_t count, uint32_t value_bytes)
{
	struct prng random;
	struct pool pool;
	struct arena a;
	size_t each = value_bytes + GROUND_OBJECT_BYTES;
	void *region = aligned_alloc(64, LAB_POOL_BYTES);
	void *state = calloc(1, pool_state_bytes(LAB_POOL_BYTES));
	*g = (struct ground){.value_bytes = value_bytes,
	                     .value = malloc(value_bytes + 1),
	                     .held = malloc(count * sizeof *g->held),
	                     .memory = malloc(count * each)};
	assert(region != NULL && state != NULL && g->value != NULL && g->held != NULL);
	assert(g->memory != NULL);
	memset(g->value, 'v', value_bytes);
	pool_init(&pool, region, LAB_POOL_BYTES, state);
	arena_init(&a, &pool);
	prng_seed(&random, 3);
	keys_init(&g->keys, count);
	uint8_t *to = g->memory;
	for (uint32_t i = 0; i < count; i++) {
		ground_object(&a, g, &random, i, to, &g->held[i]);
		to += g->held[i].len;
	}
	arena_free(&a);
	free(region);
	free(state);
}

void ground_free(struct ground *g)
{
	keys_free(&g->keys);
	free(g->value);
	free(g->held);
	free(g->memory);
}
