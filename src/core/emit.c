/* emit.c - the only way to append an effect. */
#include "core/core.h"

struct effect *emit(struct effects *fx, enum effect_type type, struct ticket ticket)
{
	assert(fx->count < EFFECTS_PER_STEP_MAX);
	struct effect *f = &fx->list[fx->count++];
	*f = (struct effect){.type = type, .ticket = ticket};
	return f;
}

bool effects_have_room(const struct effects *fx)
{
	/* Twice: what is under way may take one request's worth, and what it starts another. */
	return fx->count + 2 * EFFECTS_PER_REQUEST_MAX <= EFFECTS_PER_STEP_MAX;
}

struct msg *emit_msg(struct node *n, struct effects *fx, struct node_id to, enum msg_type type,
                     struct ticket id)
{
	assert(to.v != n->self.v);
	struct effect *f = emit(fx, FX_SEND, (struct ticket){0});
	f->send.to = to;
	f->send.msg.type = type;
	f->send.msg.id = id;
	f->send.msg.epoch = n->layout.epoch;
	f->send.msg.hlc = clock_now(&n->clock, n->wall);
	return &f->send.msg;
}

struct write *write_new(struct slot *s, uint32_t room)
{
	assert(room > 0 && room <= STORE_BATCH_OPS_MAX);
	struct write *w = arena_take(&s->arena, sizeof *w + room * sizeof w->ops[0]);
	if (w != NULL) *w = (struct write){.room = room};
	return w;
}

void write_add(struct write *w, enum store_family family, struct bytes key, struct bytes value)
{
	assert(w->count < w->room && key.len > 0);
	w->ops[w->count++] = (struct store_op){family, key, value};
}

void emit_write(struct effects *fx, struct slot *s, struct write *w)
{
	assert(w->count > 0 && w->next == NULL);
	struct effect *f = emit(fx, FX_STORE_WRITE, s->self);
	f->write.ops = w->ops;
	f->write.count = w->count;
	s->store_open++;
	struct write **last = &s->writes;
	while (*last != NULL) last = &(*last)->next;
	*last = w;
}

void emit_read(struct effects *fx, struct slot *s, enum store_family family, struct bytes key)
{
	struct effect *f = emit(fx, FX_STORE_READ, s->self);
	f->read.family = family;
	f->read.key = key;
	s->store_open++;
}

void emit_scan(struct effects *fx, struct slot *s, enum store_family family, struct bytes after,
               struct bytes until, uint32_t records_max, size_t bytes_max)
{
	struct effect *f = emit(fx, FX_STORE_SCAN, s->self);
	f->scan.family = family;
	f->scan.after = after;
	f->scan.until = until;
	f->scan.records_max = records_max;
	f->scan.bytes_max = bytes_max;
	s->store_open++;
}
