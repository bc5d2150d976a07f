/* agenda.c - see agenda.h. */
#include "tests/lab/agenda.h"

#include <stdlib.h>

#include "base/panic.h"

static bool is_before(const struct agenda_item *a, const struct agenda_item *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void agenda_put(struct agenda *a, struct agenda_item item)
{
	if (a->count == a->room) {
		a->room = a->room == 0 ? 64 : 2 * a->room;
		a->item = realloc(a->item, a->room * sizeof *a->item);
		assert(a->item != NULL);
	}
	item.order = ++a->order;
	uint32_t at = a->count++;
	for (; at > 0 && is_before(&item, &a->item[(at - 1) / 2]); at = (at - 1) / 2)
		a->item[at] = a->item[(at - 1) / 2];
	a->item[at] = item;
}

struct agenda_item agenda_take(struct agenda *a)
{
	assert(a->count > 0);
	struct agenda_item first = a->item[0], last = a->item[--a->count];
	uint32_t at = 0;
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= a->count) break;
		if (child + 1 < a->count && is_before(&a->item[child + 1], &a->item[child])) child++;
		if (!is_before(&a->item[child], &last)) break;
		a->item[at] = a->item[child];
		at = child;
	}
	a->item[at] = last;
	return first;
}

void agenda_free(struct agenda *a)
{
	free(a->item);
	*a = (struct agenda){0};
}
