/* coord_count.c - what is a counter's own of a request: which sibling an increment writes, and the number
 * that is answered. All else is a PUT (coord_put.c) or a GET (coord_get.c). The rules: counter.h. */
#include "core/core.h"
#include "core/counter.h"

enum err count_make(struct node *n, struct coord *c, const struct object *state,
                    struct sibling *added)
{
	struct object now;
	assert(c->request.value.len == INCREMENT_BYTES);
	int64_t delta = (int64_t)get_u64be(c->request.value.data);
	if (!object_as_of(&c->slot.arena, state, member_now_ms(n), &now)) return ERR_BUSY;
	added->meta = counter_meta;
	return counter_increment(&c->slot.arena, &now, added->dot, delta, &added->value, &c->context);
}

/* A read that finds none finds nothing. A write that has no room to say the number says only that it was
 * done. */
void count_answer(struct coord *c, struct reply *r)
{
	struct counter sum;
	const struct request *q = &c->request;
	bool read = q->op == REQUEST_GET && q->as_counter;
	bool wanted = read || (q->op == REQUEST_INCREMENT && q->options.return_body);
	if (!wanted || r->err != ERR_OK) return;
	enum err e = counter_of(&c->slot.arena, r->siblings, r->sibling_count, &sum);
	if (e == ERR_OK && sum.count > 0)
		counter_text(counter_value(&sum), r->number);
	else if (read)
		*r = (struct reply){.err = e == ERR_OK ? ERR_NOT_FOUND : e, .n = r->n};
}
