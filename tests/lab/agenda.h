/* agenda.h - what will happen, by time; at one instant in the order in which it was put in. */
#ifndef DUNLIN_LAB_AGENDA_H
#define DUNLIN_LAB_AGENDA_H

#include "dunlin/types.h"

struct agenda_item {
	uint64_t at_us, order;
	int kind; /* the owner's, as are the others */
	uint16_t node, from;
	uint32_t what;
	struct ticket ticket;
	void *p;
};

struct agenda {
	struct agenda_item *item; /* a binary heap */
	uint32_t count, room;
	uint64_t order;
};

/* `order` is filled in. */
void agenda_put(struct agenda *a, struct agenda_item item);
/* The earliest, which leaves it. It is not empty. */
struct agenda_item agenda_take(struct agenda *a);
/* When that is; UINT64_MAX: never. */
static inline uint64_t agenda_next_us(const struct agenda *a)
{
	return a->count == 0 ? UINT64_MAX : a->item[0].at_us;
}
/* The items that are left are not freed. */
void agenda_free(struct agenda *a);

#endif
