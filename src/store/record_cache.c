/* record_cache.c - see record_cache.h.
 *
 * Stripes of the hash, each with a lock, a table and its share of the bytes:
 *
 *   hash:  | tag, 32 | ... | guard, 6 | stripe, 4 |
 *   table: |  | a | b |  | c | d |  |  |       open addressing; home = the tag's low bits
 *                 ^ hand: a record that was used since it was here stays for another round (CLOCK)
 *
 * Each key has a guard, by its hash, which counts the operations on its keys: those under way (`open`)
 * and all that ever began (`version`). That is enough to refuse what a reader brings too late (C2), whether
 * or not the key is in the table; keys that share a guard refuse each other for nothing, which costs a
 * later read. A key that is in the table is closed while its group is written (C1).
 *
 * Always true, under a stripe's lock: at least a quarter of a table is empty; between a record and its
 * home there is no empty place, and no more than PROBES_MAX others. */
#include "store/record_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/mem_record.h"

#define STRIPES 16U
#define GUARDS 64U
#define ROOM_LEAST 16U
/* One that would be farther from home is not kept: keys may be chosen to collide. */
#define PROBES_MAX 128U
/* One that would take more than this part of its stripe is not kept: it would cost many others. */
#define RECORD_PART 8
/* What malloc takes besides. */
#define MALLOC_BYTES 16
/* Of the writer's list of keys, kept from one group to the next. */
#define GROUP_KEPT 4096

struct place {
	struct mem_record *record; /* bare; NULL: empty */
	uint32_t tag;
	bool used;   /* since the hand came by */
	bool closed; /* its group is being written */
};

struct guard {
	uint32_t version, open;
	uint32_t latest; /* while open: the latest of the group's changes; index + 1 */
};

struct stripe {
	pthread_mutex_t lock;
	struct place *places;
	uint32_t room, count, hand; /* room: 0 or a power of two */
	size_t bytes;
	bool on;
	uint64_t epoch; /* drops */
	uint64_t hits, misses, evictions;
	struct guard guards[GUARDS];
};

/* One operation of the group under way. */
struct change {
	const struct store_op *op;
	uint64_t hash;
	uint32_t before; /* the one before it with that guard; index + 1, 0: none */
	bool last;       /* of that key */
};

struct record_cache {
	size_t stripe_bytes;
	struct change *group;
	uint32_t group_count, group_room;
	struct stripe stripes[STRIPES];
};

/* ---- hashes -------------------------------------------------------------------------------- */

/* Of both ends of the key: a store key begins with a hash and ends with a name. */
static uint64_t hash_of(struct bytes key)
{
	uint64_t ends[2] = {0};
	size_t len = key.len < 8 ? key.len : 8;
	memcpy(&ends[0], key.data, len);
	memcpy(&ends[1], key.data + key.len - len, len);
	uint64_t h = ends[0] ^ ends[1] * 0x9e3779b97f4a7c15U ^ key.len;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdU;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53U;
	return h ^ h >> 33;
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static struct stripe *stripe_lock(struct record_cache *c, uint64_t hash)
{
	struct stripe *s = &c->stripes[hash % STRIPES];
	int failed = pthread_mutex_lock(&s->lock);
	assert(!failed);
	return s;
}

static void stripe_unlock(struct stripe *s)
{
	int failed = pthread_mutex_unlock(&s->lock);
	assert(!failed);
}

static struct guard *guard_of(struct stripe *s, uint64_t hash)
{
	return &s->guards[hash / STRIPES % GUARDS];
}

/* ---- a table ------------------------------------------------------------------------------- */

static size_t record_cost(size_t key_len, size_t value_len)
{
	return sizeof(struct mem_record) + key_len + value_len + MALLOC_BYTES;
}

static size_t cost_of(const struct mem_record *r)
{
	return record_cost(r->key_len, r->stored_len);
}

static struct place *find(const struct stripe *s, uint64_t hash, struct bytes key)
{
	uint32_t tag = tag_of(hash), mask = s->room - 1;
	for (uint32_t n = 0; n < PROBES_MAX && s->room > 0; n++) {
		struct place *p = &s->places[(tag + n) & mask];
		if (p->record == NULL) break;
		if (p->tag == tag && bytes_equal(mem_record_key(p->record), key)) return p;
	}
	return NULL;
}

/* Those behind it move up, so that no search ends in the hole. */
static void take_out(struct stripe *s, struct place *p)
{
	uint32_t mask = s->room - 1, hole = (uint32_t)(p - s->places);
	s->bytes -= cost_of(p->record);
	s->count--;
	mem_record_drop(p->record);
	for (uint32_t i = (hole + 1) & mask; s->places[i].record != NULL; i = (i + 1) & mask) {
		uint32_t from_home = (i - s->places[i].tag) & mask;
		if (from_home < ((i - hole) & mask)) continue;
		s->places[hole] = s->places[i];
		hole = i;
	}
	s->places[hole] = (struct place){0};
}

static void forget(struct stripe *s, uint64_t hash, struct bytes key)
{
	struct place *p = find(s, hash, key);
	if (p != NULL) take_out(s, p);
}

/* False: too far from home. */
static bool place_in(struct stripe *s, struct place new)
{
	for (uint32_t n = 0; n < PROBES_MAX; n++) {
		struct place *p = &s->places[(new.tag + n) & (s->room - 1)];
		if (p->record != NULL) continue;
		*p = new;
		return true;
	}
	return false;
}

static void grow(struct stripe *s)
{
	struct place *before = s->places;
	uint32_t room = s->room;
	s->room = room == 0 ? ROOM_LEAST : 2 * room;
	s->places = store_alloc(s->room * sizeof(*s->places));
	memset(s->places, 0, s->room * sizeof(*s->places));
	s->bytes += (s->room - room) * sizeof(*s->places);
	s->hand = 0;
	for (uint32_t i = 0; i < room; i++) {
		if (before[i].record == NULL || place_in(s, before[i])) continue;
		s->bytes -= cost_of(before[i].record);
		s->count--;
		mem_record_drop(before[i].record);
	}
	free(before);
}

/* The hand goes round until the rest fits. Not from neighbour to neighbour: what it is about to reach would
 * be twice as full as the rest, and what it left empty. In odd steps of the golden section it comes by
 * everywhere, and everywhere alike. */
static void evict(struct stripe *s, size_t bytes)
{
	uint32_t stride = (uint32_t)(s->room * UINT64_C(618) / 1000) | 1;
	for (uint32_t n = 0; s->bytes > bytes && s->count > 0 && n < 3 * s->room; n++) {
		struct place *p = &s->places[s->hand];
		if (p->record != NULL && !p->used && !p->closed) {
			take_out(s, p); /* and what moved here is next */
			s->evictions++;
			continue;
		}
		p->used = false;
		s->hand = (s->hand + stride) & (s->room - 1);
	}
}

/* Takes over one hold of `r`. */
static void put(struct record_cache *c, struct stripe *s, uint64_t hash, struct mem_record *r)
{
	struct place *p = find(s, hash, mem_record_key(r));
	if (p != NULL) {
		s->bytes = s->bytes - cost_of(p->record) + cost_of(r);
		mem_record_drop(p->record);
		p->record = r;
		p->closed = false;
	} else {
		if (s->count + 1 > s->room / 4 * 3) grow(s);
		if (!place_in(s, (struct place){.record = r, .tag = tag_of(hash)})) {
			mem_record_drop(r);
			return;
		}
		s->count++;
		s->bytes += cost_of(r);
	}
	evict(s, c->stripe_bytes);
}

static bool fits(const struct record_cache *c, struct bytes key, struct bytes value)
{
	return record_cost(key.len, value.len) <= c->stripe_bytes / RECORD_PART;
}

/* ---- reading ------------------------------------------------------------------------------- */

bool record_cache_get(struct record_cache *c, struct bytes key, struct bytes *value, void **handle,
                      struct record_cache_miss *miss)
{
	uint64_t hash = hash_of(key);
	struct stripe *s = stripe_lock(c, hash);
	struct place *p = find(s, hash, key);
	struct mem_record *r = p == NULL || p->closed ? NULL : mem_record_hold(p->record);
	if (r != NULL) {
		p->used = true;
		s->hits++;
	} else {
		const struct guard *guard = guard_of(s, hash);
		*miss =
			(struct record_cache_miss){hash, s->epoch, guard->version, s->on && guard->open == 0};
		s->misses++;
	}
	stripe_unlock(s);
	if (r == NULL) return false;
	*value = mem_record_stored(r);
	*handle = r;
	return true;
}

void record_cache_fill(struct record_cache *c, const struct record_cache_miss *miss,
                       struct bytes key, struct bytes value)
{
	if (!miss->fills || !fits(c, key, value)) return;
	struct mem_record *r = mem_record_bare(key, value);
	struct stripe *s = stripe_lock(c, miss->hash);
	bool same = s->epoch == miss->epoch && guard_of(s, miss->hash)->version == miss->version;
	if (same && find(s, miss->hash, key) == NULL)
		put(c, s, miss->hash, r);
	else
		mem_record_drop(r);
	stripe_unlock(s);
}

/* ---- writing ------------------------------------------------------------------------------- */

static struct change *add_change(struct record_cache *c, const struct store_op *op)
{
	if (c->group_count == c->group_room) {
		c->group_room = c->group_room == 0 ? 64 : 2 * c->group_room;
		c->group = realloc(c->group, c->group_room * sizeof(*c->group));
		if (c->group == NULL) dunlin_panic(__FILE__, __LINE__, "out of memory");
	}
	struct change *change = &c->group[c->group_count++];
	*change = (struct change){.op = op, .hash = hash_of(op->key), .last = true};
	return change;
}

/* The one before it on the same key, if there is one, is not the last any more. */
static void supersede(struct record_cache *c, const struct change *later)
{
	for (uint32_t i = later->before; i > 0; i = c->group[i - 1].before) {
		struct change *x = &c->group[i - 1];
		if (x->hash != later->hash || !bytes_equal(x->op->key, later->op->key)) continue;
		x->last = false;
		return;
	}
}

static void begin_change(struct record_cache *c, const struct store_op *op)
{
	if (op->family != STORE_OBJECTS) return;
	struct change *change = add_change(c, op);
	struct stripe *s = stripe_lock(c, change->hash);
	struct guard *guard = guard_of(s, change->hash);
	change->before = guard->open++ > 0 ? guard->latest : 0;
	guard->latest = c->group_count;
	guard->version++;
	struct place *p = find(s, change->hash, op->key);
	if (p != NULL) p->closed = true;
	stripe_unlock(s);
	supersede(c, change);
}

void record_cache_begin(struct record_cache *c, const struct store_batch *batches, uint32_t count)
{
	assert(c->group_count == 0);
	for (uint32_t b = 0; b < count; b++)
		for (uint32_t i = 0; i < batches[b].count; i++) begin_change(c, &batches[b].ops[i]);
}

static void end_change(struct record_cache *c, const struct change *change, bool written)
{
	const struct store_op *op = change->op;
	bool keep = written && change->last && op->value.data != NULL && fits(c, op->key, op->value);
	struct mem_record *r = keep ? mem_record_bare(op->key, op->value) : NULL;
	struct stripe *s = stripe_lock(c, change->hash);
	struct guard *guard = guard_of(s, change->hash);
	assert(guard->open > 0);
	guard->open--;
	if (r != NULL && s->on)
		put(c, s, change->hash, r);
	else if (r != NULL)
		mem_record_drop(r);
	else if (change->last)
		forget(s, change->hash, op->key);
	stripe_unlock(s);
}

void record_cache_end(struct record_cache *c, bool written)
{
	for (uint32_t i = 0; i < c->group_count; i++) end_change(c, &c->group[i], written);
	c->group_count = 0;
	if (c->group_room <= GROUP_KEPT) return;
	free(c->group);
	c->group = NULL;
	c->group_room = 0;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void empty(struct stripe *s)
{
	for (uint32_t i = 0; i < s->room; i++)
		if (s->places[i].record != NULL) mem_record_drop(s->places[i].record);
	free(s->places);
	s->places = NULL;
	s->room = s->count = s->hand = 0;
	s->bytes = 0;
}

void record_cache_drop(struct record_cache *c, bool on)
{
	for (uint32_t i = 0; i < STRIPES; i++) {
		struct stripe *s = stripe_lock(c, i);
		empty(s);
		s->epoch++;
		s->on = on;
		stripe_unlock(s);
	}
}

void record_cache_stats(struct record_cache *c, struct record_cache_stats *out)
{
	*out = (struct record_cache_stats){0};
	for (uint32_t i = 0; i < STRIPES; i++) {
		struct stripe *s = stripe_lock(c, i);
		out->hits += s->hits;
		out->misses += s->misses;
		out->evictions += s->evictions;
		out->drops = s->epoch;
		out->records += s->count;
		out->bytes += s->bytes;
		stripe_unlock(s);
	}
}

struct record_cache *record_cache_new(size_t bytes)
{
	struct record_cache *c = store_alloc(sizeof(*c));
	*c = (struct record_cache){.stripe_bytes = bytes / STRIPES};
	for (uint32_t i = 0; i < STRIPES; i++) {
		int failed = pthread_mutex_init(&c->stripes[i].lock, NULL);
		assert(!failed);
		c->stripes[i].on = true;
	}
	return c;
}

void record_cache_free(struct record_cache *c)
{
	if (c == NULL) return;
	for (uint32_t i = 0; i < STRIPES; i++) {
		empty(&c->stripes[i]);
		pthread_mutex_destroy(&c->stripes[i].lock);
	}
	free(c->group);
	free(c);
}
