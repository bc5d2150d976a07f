/* slot.c - the life that all slots share: taken, timed, ended, released.
 *
 *   taken --slot_end--> ended --next step, no store effect open--> released
 * An ended slot is looked at by nobody but the store's answers. */
#include "core/core.h"

void *slot_take(struct node *n, struct slots *pool)
{
	struct ticket t;
	struct slot *s = slots_take(pool, &t);
	if (s == NULL) return NULL;
	s->self = t;
	s->timer.ticket = t;
	s->born = ++n->births;
	arena_init(&s->arena, &n->pool);
	return s;
}

void slot_set_timer(struct node *n, struct slot *s, struct instant at)
{
	assert(!s->ended);
	if (s->timer.place == 0 || s->timer.at.us != at.us) heap_set(&n->timers, &s->timer, at);
}

void slot_end(struct node *n, struct slot *s)
{
	assert(!s->ended);
	s->ended = true;
	heap_remove(&n->timers, &s->timer);
	n->doomed[n->doomed_count++] = s->self;
}

static struct slots *pool_of(struct node *n, struct ticket t)
{
	switch (ticket_pool(t)) {
	case SLOT_COORD: return &n->coords;
	case SLOT_REPLICA: return &n->replicas;
	case SLOT_HINT: return &n->hints;
	case SLOT_CHORE: return &n->chores;
	default: unreachable();
	}
}

void slots_release_doomed(struct node *n)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n->doomed_count; i++) {
		struct ticket t = n->doomed[i];
		struct slots *pool = pool_of(n, t);
		struct slot *s = slots_find(pool, t);
		assert(s != NULL && s->ended);
		if (s->store_open > 0) {
			n->doomed[kept++] = t;
			continue;
		}
		arena_free(&s->arena);
		slots_give(pool, t);
	}
	n->doomed_count = kept;
}

bool store_key_make(struct arena *a, struct key_hash hash, struct bytes full_key, struct bytes *out)
{
	uint8_t *to = arena_take(a, 8 + full_key.len);
	if (to == NULL) return false;
	put_u64be(to, hash.v);
	memcpy(to + 8, full_key.data, full_key.len);
	*out = bytes_of(to, 8 + full_key.len);
	return true;
}
