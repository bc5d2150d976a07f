/* keys.c - see keys.h.
 *
 * Always true: an entry exists while an op waits, rides or writes on its key, or its read is under
 * way; `state.object` is what the last op handed to the store and lives in that op's slot (or, as
 * loaded, in the entry); the store answers writes in order, so an entry's writes end in theirs. */
#include "core/keys.h"

#include "core/core.h"

struct key_entry {
	struct slot slot; /* the arena holds the store key, then what was loaded */
	uint64_t hash;
	struct bytes store_key;
	struct arena_mark after_key;
	bool loaded, ready;
	bool stale; /* `state` may not be believed any more: read it again once no write is open */
	enum err load_err; /* of a read that failed: for all who wait */
	struct key_state state;
	uint32_t writes;                 /* handed to the store and not answered */
	uint64_t last_write, done_write; /* numbers */
	struct ticket waiting_first, waiting_last;
	struct ticket riding;
	struct ticket next_ready;
	uint32_t next_in_chain; /* index + 1 */
};

size_t key_entry_bytes(void)
{
	return sizeof(struct key_entry);
}

static struct key_entry *entry_find(const struct node *n, struct ticket t)
{
	return slots_find(&n->keys, t);
}

static uint32_t *chain_of(const struct node *n, uint64_t hash)
{
	return &n->key_chains[hash & (n->key_chain_count - 1)];
}

static uint32_t chain_index(const struct key_entry *e)
{
	return (uint32_t)(e->slot.self.v & 0xffff) + 1;
}

static struct key_entry *entry_lookup(const struct node *n, struct key_hash hash,
                                      struct bytes full_key)
{
	for (uint32_t i = *chain_of(n, hash.v); i != 0;) {
		struct key_entry *e = slots_at(&n->keys, i - 1);
		assert(e != NULL);
		if (e->hash == hash.v && bytes_equal(store_key_full(e->store_key), full_key)) return e;
		i = e->next_in_chain;
	}
	return NULL;
}

static void entry_load(struct key_entry *e, struct effects *fx)
{
	assert(e->writes == 0);
	arena_release(&e->slot.arena, e->after_key);
	e->loaded = e->stale = false;
	e->load_err = ERR_OK;
	e->state = (struct key_state){0};
	struct effect *f = emit(fx, FX_STORE_READ, e->slot.self);
	f->read.family = STORE_OBJECTS;
	f->read.key = e->store_key;
}

static struct key_entry *entry_new(struct node *n, struct key_hash hash, struct bytes full_key,
                                   struct effects *fx)
{
	struct key_entry *e = slot_take(n, &n->keys);
	if (e == NULL) return NULL;
	e->hash = hash.v;
	if (!store_key_make(&e->slot.arena, hash, full_key, &e->store_key)) {
		arena_free(&e->slot.arena);
		slots_give(&n->keys, e->slot.self);
		return NULL;
	}
	e->after_key = arena_mark(&e->slot.arena);
	e->next_in_chain = *chain_of(n, hash.v);
	*chain_of(n, hash.v) = chain_index(e);
	entry_load(e, fx);
	return e;
}

/* The entry goes when nothing is left to do on its key. */
static void entry_free_if_idle(struct node *n, struct key_entry *e)
{
	if (!e->loaded || e->writes > 0 || e->waiting_first.v != 0 || e->riding.v != 0) return;
	assert(!e->ready);
	uint32_t *link = chain_of(n, e->hash);
	while (*link != chain_index(e)) {
		struct key_entry *other = slots_at(&n->keys, *link - 1);
		assert(other != NULL);
		link = &other->next_in_chain;
	}
	*link = e->next_in_chain;
	arena_free(&e->slot.arena);
	slots_give(&n->keys, e->slot.self);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void wait_push(struct node *n, struct key_entry *e, struct key_op *op)
{
	op->state = KEY_OP_WAITING;
	op->next = (struct ticket){0};
	if (e->waiting_first.v == 0)
		e->waiting_first = op->slot;
	else
		key_op_of(n, e->waiting_last)->next = op->slot;
	e->waiting_last = op->slot;
}

static struct key_op *wait_pop(struct node *n, struct key_entry *e)
{
	struct key_op *op = key_op_of(n, e->waiting_first);
	assert(op != NULL && op->state == KEY_OP_WAITING);
	e->waiting_first = op->next;
	if (op->next.v == 0) e->waiting_last = op->next;
	op->next = (struct ticket){0};
	return op;
}

static void op_finish(struct node *n, struct key_op *op, enum err err, struct effects *fx)
{
	op->state = KEY_OP_IDLE;
	op->entry = op->next = (struct ticket){0};
	key_finished(n, op, err, fx);
}

static void ride(struct key_entry *e, struct key_op *op)
{
	op->state = KEY_OP_RIDING;
	op->write = e->last_write;
	op->next = e->riding;
	e->riding = op->slot;
}

static void run_one(struct node *n, struct key_entry *e, struct effects *fx)
{
	struct key_op *op = wait_pop(n, e);
	struct bytes object = BYTES_EMPTY;
	e->state.pending = e->writes > 0;
	op->state = KEY_OP_IDLE; /* so that its owner may end */
	switch (key_apply(n, op, &e->state, &object, fx)) {
	case KEY_WRITE:
		op->state = KEY_OP_WRITING;
		op->write = ++e->last_write;
		e->writes++;
		e->state = (struct key_state){.object = object};
		break;
	case KEY_UNCHANGED:
		if (e->writes > 0)
			ride(e, op);
		else
			op_finish(n, op, ERR_OK, fx);
		break;
	case KEY_ENDED: op->entry = (struct ticket){0}; break;
	}
}

/* More turns than this step has room for go on in the next. */
static void make_ready(struct node *n, struct key_entry *e)
{
	if (e->ready) return;
	e->ready = true;
	e->next_ready = (struct ticket){0};
	if (n->ready_first.v == 0)
		n->ready_first = e->slot.self;
	else
		entry_find(n, n->ready_last)->next_ready = e->slot.self;
	n->ready_last = e->slot.self;
}

/* A rider whose write was answered, or NULL. */
static struct key_op *due_rider(struct node *n, struct key_entry *e)
{
	struct ticket *link = &e->riding;
	while (link->v != 0) {
		struct key_op *op = key_op_of(n, *link);
		assert(op != NULL && op->state == KEY_OP_RIDING);
		if (op->write <= e->done_write) {
			*link = op->next;
			return op;
		}
		link = &op->next;
	}
	return NULL;
}

/* One thing that can be done for the key now; false: there is none. */
static bool run_next(struct node *n, struct key_entry *e, struct effects *fx)
{
	struct key_op *rider = due_rider(n, e);
	if (rider != NULL) {
		op_finish(n, rider, e->stale ? ERR_STORE : ERR_OK, fx);
		return true;
	}
	if (!e->loaded || e->waiting_first.v == 0) return false;
	if (e->stale && e->writes == 0) entry_load(e, fx);
	if (e->stale || !e->loaded) return false;
	if (e->load_err != ERR_OK)
		op_finish(n, wait_pop(n, e), e->load_err, fx);
	else
		run_one(n, e, fx);
	return true;
}

static void entry_run(struct node *n, struct key_entry *e, struct effects *fx)
{
	if (e->ready) return;
	while (effects_have_room(fx)) {
		if (run_next(n, e, fx)) continue;
		entry_free_if_idle(n, e);
		return;
	}
	make_ready(n, e);
}

bool key_is_ready(const struct node *n)
{
	return n->ready_first.v != 0;
}

void key_run_ready(struct node *n, struct effects *fx)
{
	while (n->ready_first.v != 0 && effects_have_room(fx)) {
		struct key_entry *e = entry_find(n, n->ready_first);
		assert(e != NULL && e->ready);
		n->ready_first = e->next_ready;
		e->ready = false;
		entry_run(n, e, fx);
	}
}

/* ---- what happens ------------------------------------------------------------------------------ */

bool key_begin(struct node *n, struct key_op *op, struct bytes full_key, struct effects *fx)
{
	assert(op->state == KEY_OP_IDLE);
	struct key_hash hash = key_hash_of(full_key);
	struct key_entry *e = entry_lookup(n, hash, full_key);
	if (e == NULL) e = entry_new(n, hash, full_key, fx);
	if (e == NULL) return false;
	op->entry = e->slot.self;
	wait_push(n, e, op);
	entry_run(n, e, fx);
	return true;
}

void key_on_read(struct node *n, const struct event *ev, struct effects *fx)
{
	struct key_entry *e = entry_find(n, ev->read.ticket);
	assert(e != NULL && !e->loaded && e->writes == 0);
	enum err err = ev->read.err;
	bool ok = true;
	e->state = (struct key_state){.damaged = err == ERR_CORRUPT};
	if (err == ERR_OK) e->state.object = arena_copy(&e->slot.arena, ev->read.value, &ok);
	if (!ok) err = ERR_BUSY;
	if (err != ERR_NOT_FOUND && err != ERR_CORRUPT) e->load_err = err;
	e->loaded = true;
	if (e->state.damaged)
		suspect_partition(n, partition_of(&n->layout, (struct key_hash){e->hash}), fx);
	entry_run(n, e, fx);
}

void key_on_written(struct node *n, struct key_op *op, enum err err, struct effects *fx)
{
	struct key_entry *e = entry_find(n, op->entry);
	assert(e != NULL && op->state == KEY_OP_WRITING && e->writes > 0 && op->write > e->done_write);
	op->state = KEY_OP_IDLE;
	op->entry = (struct ticket){0};
	e->done_write = op->write;
	e->writes--;
	/* What was built on a failed write may be anything now. And the owner of the newest state may go
	 * once its write is answered: whoever still waits has to read it back. */
	if (err != ERR_OK || (e->writes == 0 && e->waiting_first.v != 0)) e->stale = true;
	entry_run(n, e, fx);
}
