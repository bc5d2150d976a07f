/* props_change.c - a client's change of bucket properties.
 *
 *   [ASKING --all members hold nothing-->] QUEUED --nobody else writes--> WRITING --durable-->
 *       \__one holds data, or is silent: 409, nothing is changed__/
 *   [TELLING --every member that is up has it-->] replied
 *
 * Only a change of n_val asks, and waits to be known, so that who writes after its answer finds no
 * node that still takes no writes. A member that is asked takes no more writes of the bucket, then looks
 * through its store; it takes them again when it is told so, when the new n_val reaches it, or after
 * PROPS_CLOSED_US. So no write of the old n_val is under way, or is found nowhere, when the new one is
 * in force.
 * Always true: of several changes to one property the last is in force, since a change's stamp is above
 * all stamps of its entry that this node has seen. */
#include "core/core.h"

static void reply(struct node *n, struct coord *c, enum err e, struct node_id member,
                  struct effects *fx)
{
	struct effect *f = emit(fx, FX_REPLY_PROPS, (struct ticket){0});
	assert(!c->replied);
	f->props.client = c->client;
	f->props.result = (struct props_result){.err = e, .member = member, .n = n->layout.replicas};
	c->replied = true;
	coord_end(n, c);
}

static struct bytes prefix_of(const struct props_change *ch)
{
	bool of_type = ch->key.len == 4 + ch->type.len;
	return of_type ? bytes_of(ch->key.data, ch->key.len - 2) : ch->key;
}

/* ---- the entry as it will be ---------------------------------------------------------------------- */

static void change_entry(struct node *n, const struct props_change *ch, struct props_entry *e)
{
	const struct props_entry *held = props_find(n, ch->key);
	*e = held != NULL ? *held : (struct props_entry){0};
	e->key = ch->key;
	struct dot stamp = {n->clock.actor, clock_now(&n->clock, n->wall)};
	for (uint32_t i = 0; i < PROP_COUNT; i++)
		if (e->cells[i].stamp.at.v >= stamp.at.v) stamp.at.v = e->cells[i].stamp.at.v + 1;
	for (uint32_t i = 0; ch->reset && i < PROP_COUNT; i++)
		if (e->cells[i].set) e->cells[i] = (struct prop_cell){.stamp = stamp};
	for (uint32_t i = 0; i < ch->count; i++)
		e->cells[ch->changes[i].prop] = (struct prop_cell){
			.stamp = stamp, .set = !ch->changes[i].unset, .value = ch->changes[i].value};
}

static bool same_cells(const struct props_entry *x, const struct props_entry *y)
{
	for (uint32_t i = 0; i < PROP_COUNT; i++)
		if (x->cells[i].set != y->cells[i].set ||
		    (x->cells[i].set && x->cells[i].value != y->cells[i].value))
			return false;
	return true;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static void try_write(struct node *n, struct coord *c, struct effects *fx)
{
	c->phase = PROPS_QUEUED;
	if (n->props.writing) return; /* its end wakes whoever waits */
	struct chore *ch = chore_take(n, CHORE_PROPS);
	if (ch != NULL) ch->entries = arena_take(&ch->slot.arena, sizeof *ch->entries);
	bool ok = ch != NULL && ch->entries != NULL;
	if (ok) {
		change_entry(n, c->change, ch->entries);
		ch->entries->key = arena_copy(&ch->slot.arena, c->change->key, &ok);
		ch->entry_count = 1;
	}
	if (ok && props_write(n, ch, fx)) {
		n->props.client = c->slot.self;
		n->counters.props_changes++;
		c->phase = PROPS_WRITING;
		return;
	}
	if (ch != NULL) slot_end(n, &ch->slot);
	reply(n, c, ERR_BUSY, (struct node_id){0}, fx);
}

/* A member that does not say so soon is told by gossip, and takes writes again by itself. */
static void tell(struct node *n, struct coord *c, struct effects *fx)
{
	c->phase = PROPS_TELLING;
	for (uint32_t i = 0; i < n->peer_count; i++) {
		const struct peer *p = &n->peers[i];
		if (p->up && !p->props_met && p->id.v != n->self.v) return;
	}
	reply(n, c, ERR_OK, (struct node_id){0}, fx);
}

void props_on_written(struct node *n, struct coord *c, enum err e, struct effects *fx)
{
	if (c->phase != PROPS_WRITING) return;
	if (e != ERR_OK || member_set_count(&c->change->asked) == 0) {
		reply(n, c, e, (struct node_id){0}, fx);
		return;
	}
	slot_set_timer(n, &c->slot, instant_after(n->now, SILENCE_US));
	tell(n, c, fx);
}

/* ---- asking every member ------------------------------------------------------------------------------ */

/* Those who were asked take writes again. One that does not hear it does so after a while. */
static void refuse(struct node *n, struct coord *c, enum err e, struct node_id member,
                   struct effects *fx)
{
	struct bytes prefix = prefix_of(c->change);
	for (uint32_t i = 0; i < n->layout.member_count && effects_have_room(fx); i++) {
		if (i == n->self_member || !member_set_has(&c->change->asked, i)) continue;
		struct msg *m = emit_msg(n, fx, n->layout.members[i].id, MSG_HELD_ASK, (struct ticket){0});
		m->held_ask = (struct msg_held_ask){prefix, true};
	}
	props_open(n, prefix);
	reply(n, c, e, member, fx);
}

static bool ask(struct node *n, struct coord *c, uint32_t member, struct effects *fx)
{
	struct msg question = {.type = MSG_HELD_ASK, .id = c->slot.self};
	question.held_ask.prefix = prefix_of(c->change);
	member_set_add(&c->change->asked, member);
	if (member == n->self_member) return browse_own(n, &question, fx);
	struct node_id to = n->layout.members[member].id;
	emit_msg(n, fx, to, MSG_HELD_ASK, c->slot.self)->held_ask = question.held_ask;
	return true;
}

static void ask_on(struct node *n, struct coord *c, struct effects *fx)
{
	struct props_change *ch = c->change;
	for (; ch->next_to_ask < n->layout.member_count && effects_have_room(fx); ch->next_to_ask++) {
		struct node_id id = n->layout.members[ch->next_to_ask].id;
		if (!member_set_has(&n->up, ch->next_to_ask)) {
			refuse(n, c, ERR_SILENT, id, fx);
			return;
		}
		bool asked = ask(n, c, ch->next_to_ask, fx);
		if (c->slot.ended) return; /* our own answer came at once */
		if (asked) continue;
		refuse(n, c, ERR_BUSY, id, fx);
		return;
	}
	if (member_set_count(&ch->empty) == n->layout.member_count) try_write(n, c, fx);
}

void props_on_held(struct node *n, struct coord *c, uint16_t member, const struct msg_held *h,
                   struct effects *fx)
{
	struct node_id id = n->layout.members[member].id;
	if (c->phase != PROPS_ASKING) return;
	if (h->err != ERR_OK)
		refuse(n, c, h->err == ERR_BUSY ? ERR_BUSY : ERR_SILENT, id, fx);
	else if (h->held)
		refuse(n, c, ERR_HOLDS_DATA, id, fx);
	else {
		member_set_add(&c->change->empty, member);
		ask_on(n, c, fx);
	}
}

void props_on_peers_changed(struct node *n, struct coord *c, struct effects *fx)
{
	if (c->phase == PROPS_QUEUED) {
		try_write(n, c, fx);
		return;
	}
	if (c->phase == PROPS_TELLING) {
		tell(n, c, fx);
		return;
	}
	if (c->phase != PROPS_ASKING) return;
	for (uint32_t i = 0; i < n->layout.member_count; i++) {
		if (member_set_has(&n->up, i) || member_set_has(&c->change->empty, i)) continue;
		refuse(n, c, ERR_SILENT, n->layout.members[i].id, fx);
		return;
	}
	ask_on(n, c, fx);
}

void props_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	struct node_id silent = {0};
	if (c->phase != PROPS_ASKING) {
		reply(n, c, c->phase == PROPS_TELLING ? ERR_OK : ERR_TIMEOUT, silent, fx);
		return;
	}
	for (uint32_t i = 0; i < n->layout.member_count && silent.v == 0; i++)
		if (!member_set_has(&c->change->empty, i)) silent = n->layout.members[i].id;
	refuse(n, c, ERR_SILENT, silent, fx);
}

/* ---- beginning ------------------------------------------------------------------------------------------ */

static struct props_change *copy_change(struct coord *c, const struct event *ev)
{
	struct arena *a = &c->slot.arena;
	struct props_change *ch = arena_take(a, sizeof *ch);
	bool ok = ch != NULL;
	if (!ok) return NULL;
	*ch = (struct props_change){.reset = ev->props.reset, .count = ev->props.change_count};
	struct prop_change *changes = arena_take(a, (ch->count + 1) * sizeof *changes);
	ch->type = arena_copy(a, ev->props.type, &ok);
	if (!ok || changes == NULL || !props_key(a, ev->props.type, ev->props.bucket, &ch->key))
		return NULL;
	if (ch->count > 0) memcpy(changes, ev->props.changes, ch->count * sizeof *changes);
	ch->changes = changes;
	return ch;
}

static void begin(struct node *n, struct coord *c, struct effects *fx)
{
	struct props_entry will;
	struct props before, after;
	const struct props_change *ch = c->change;
	const struct props_entry *held = props_find(n, ch->key);
	struct props_entry none = {.key = ch->key};
	change_entry(n, ch, &will);
	props_resolve(n, ch->type, held != NULL ? held : &none, &before);
	props_resolve(n, ch->type, &will, &after);
	if (after.v[PROP_n_val] > n->layout.replicas) {
		reply(n, c, ERR_ABOVE_N, (struct node_id){0}, fx);
	} else if (same_cells(held != NULL ? held : &none, &will)) {
		reply(n, c, ERR_OK, (struct node_id){0}, fx);
	} else if (props_n(n, &before) == props_n(n, &after)) {
		try_write(n, c, fx);
	} else {
		c->phase = PROPS_ASKING;
		ask_on(n, c, fx);
	}
}

void props_on_request(struct node *n, const struct event *ev, struct effects *fx)
{
	struct coord *c = slot_take(n, &n->coords);
	if (c == NULL) {
		struct effect *f = emit(fx, FX_REPLY_PROPS, (struct ticket){0});
		f->props.client = ev->props.client;
		f->props.result.err = ERR_BUSY;
		n->counters.requests_busy++;
		return;
	}
	c->op.slot = c->slot.self;
	c->client = ev->props.client;
	c->phase = PROPS_QUEUED;
	c->change = copy_change(c, ev);
	uint64_t timeout = ev->props.timeout_us == 0 ? REQUEST_TIMEOUT_US : ev->props.timeout_us;
	if (timeout > REQUEST_TIMEOUT_US_MAX) timeout = REQUEST_TIMEOUT_US_MAX;
	enum err e = ERR_OK;
	if (c->change == NULL) e = ERR_BUSY;
	if (!n->formed) e = ERR_NOT_READY;
	if (e == ERR_OK && props_type_find(n, c->change->type) < 0) e = ERR_NO_TYPE;
	if (e != ERR_OK) {
		reply(n, c, e, (struct node_id){0}, fx);
		return;
	}
	slot_set_timer(n, &c->slot, instant_after(n->now, timeout));
	begin(n, c, fx);
}
