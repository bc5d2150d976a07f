/* slots.c - see slots.h. Ticket: index 16 | pool 4 | generation 44, low to high. */
#include "base/slots.h"

#include "base/bytes.h"
#include "base/panic.h"

#define SLOT_TAKEN UINT32_MAX
#define GENERATION_ONE (1UL << 20)

static uint32_t ticket_index(struct ticket t)
{
	return (uint32_t)(t.v & 0xffff);
}

size_t slots_bytes(uint32_t count, size_t item_bytes)
{
	return count * (item_bytes + sizeof(uint64_t) + sizeof(uint32_t)) + 64;
}

void slots_init(struct slots *s, void *memory, uint32_t count, size_t item_bytes, unsigned pool,
                uint64_t first_generation)
{
	assert(count > 0 && count <= 65536 && pool < 16 && item_bytes % 8 == 0);
	*s = (struct slots){.item_bytes = item_bytes, .count = count};
	s->items = memory;
	s->tickets = (uint64_t *)(void *)(s->items + (size_t)count * item_bytes);
	s->next_free = (uint32_t *)(void *)(s->tickets + count);
	for (uint32_t i = 0; i < count; i++) {
		s->tickets[i] = (first_generation | 1) * GENERATION_ONE | (uint64_t)pool << 16 | i;
		s->next_free[i] = i + 1;
	}
}

void *slots_take(struct slots *s, struct ticket *ticket)
{
	if (s->first_free == s->count) return NULL;
	uint32_t i = s->first_free;
	s->first_free = s->next_free[i];
	s->next_free[i] = SLOT_TAKEN;
	s->used++;
	ticket->v = s->tickets[i];
	void *item = s->items + (size_t)i * s->item_bytes;
	memset(item, 0, s->item_bytes);
	return item;
}

void *slots_find(const struct slots *s, struct ticket ticket)
{
	uint32_t i = ticket_index(ticket);
	if (i >= s->count || s->tickets[i] != ticket.v || s->next_free[i] != SLOT_TAKEN) return NULL;
	return s->items + (size_t)i * s->item_bytes;
}

void slots_give(struct slots *s, struct ticket ticket)
{
	assert(slots_find(s, ticket) != NULL);
	uint32_t i = ticket_index(ticket);
	s->tickets[i] += GENERATION_ONE;
	if (s->tickets[i] == 0) s->tickets[i] = GENERATION_ONE; /* wrapped; 0 is no ticket */
	s->next_free[i] = s->first_free;
	s->first_free = i;
	s->used--;
}

void *slots_at(const struct slots *s, uint32_t index)
{
	if (index >= s->count || s->next_free[index] != SLOT_TAKEN) return NULL;
	return s->items + (size_t)index * s->item_bytes;
}
