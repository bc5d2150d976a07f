/* slots.h - a fixed pool of slots with generation-stamped tickets.
 *
 * A ticket names one life of one slot. When the slot is freed its generation moves on, so that a late
 * answer, which bears the old ticket, finds nothing. Generations begin at a random number, so that
 * answers to an earlier start of the process find nothing either. */
#ifndef DUNLIN_SLOTS_H
#define DUNLIN_SLOTS_H

#include "dunlin/types.h"

struct slots {
	uint8_t *items;      /* count * item_bytes, caller's */
	uint64_t *tickets;   /* of the life that the slot has, or will have next */
	uint32_t *next_free; /* also marks: SLOT_TAKEN */
	size_t item_bytes;
	uint32_t count, used, first_free;
};

/* Memory for `count` slots of `item_bytes` each. */
size_t slots_bytes(uint32_t count, size_t item_bytes);
/* `pool` (0-15) goes into the tickets and tells the pools of one node apart. */
void slots_init(struct slots *s, void *memory, uint32_t count, size_t item_bytes, unsigned pool,
                uint64_t first_generation);
/* A zeroed slot, or NULL when all are taken. */
void *slots_take(struct slots *s, struct ticket *ticket);
void slots_give(struct slots *s, struct ticket ticket);
/* The slot, or NULL if that life is over (or never was). */
void *slots_find(const struct slots *s, struct ticket ticket);
/* Walk: the taken slot at `index`, or NULL. */
void *slots_at(const struct slots *s, uint32_t index);

static inline unsigned ticket_pool(struct ticket t)
{
	return (unsigned)(t.v >> 16) & 15U;
}

#endif
