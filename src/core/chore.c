/* chore.c - what a node does for itself: booting, and the small records of the meta family.
 *
 *   identity  [1, node id, previous start nonce, start nonce]     written at every start
 *   clock     [hlc]            no value of the clock above it was used; written ahead of use
 *   vote      a layout         the layout 1 that this node voted for, once
 *   layout    a layout         in force
 *   suspect   [partition ...]  whose memory this node does not vouch for
 *   reap      [horizon, promised]  what has been proven, and promised, for reaping (reap.c)
 *   memory    [beat, (id, beat) ...]  its own newest beat, and what it heard of others (memory.c)
 *   props/K   bucket properties of K (props.c) */
#include "core/core.h"

enum { IDENTITY_VERSION = 1, IDENTITY_FIELDS = 4 };

struct chore *chore_take(struct node *n, enum chore_kind kind)
{
	struct chore *ch = slot_take(n, &n->chores);
	if (ch != NULL) ch->kind = kind;
	return ch;
}

bool chore_write_meta(struct chore *ch, struct bytes key, struct bytes value, struct effects *fx)
{
	bool ok = true;
	struct bytes kept = arena_copy(&ch->slot.arena, value, &ok);
	struct write *w = write_new(&ch->slot, 1);
	if (!ok || w == NULL) return false;
	write_add(w, STORE_META, key, kept);
	emit_write(fx, &ch->slot, w);
	return true;
}

/* ---- booting ------------------------------------------------------------------------------------- */

static enum err boot_identity(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	cursor_array_exact(&c, IDENTITY_FIELDS);
	cursor_uint(&c, IDENTITY_VERSION);
	n->self.v = cursor_uint(&c, UINT64_MAX);
	cursor_uint(&c, UINT64_MAX);
	n->previous_nonce = cursor_uint(&c, UINT64_MAX);
	return cursor_finished(&c) && n->self.v != 0 ? ERR_OK : ERR_BAD_BYTES;
}

static enum err boot_clock(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	cursor_array_exact(&c, 1);
	n->boot_reserved.v = cursor_uint(&c, UINT64_MAX);
	return cursor_finished(&c) ? ERR_OK : ERR_BAD_BYTES;
}

static enum err keep_layout(struct node *n, struct bytes value, struct bytes *to)
{
	struct arena scratch;
	struct layout l;
	arena_init(&scratch, &n->pool);
	enum err e = layout_decode(value, &scratch, &l);
	arena_free(&scratch);
	bool ok = true;
	if (e == ERR_OK) *to = arena_copy(&n->arena, value, &ok);
	return ok ? e : ERR_BUSY;
}

enum err node_boot_record(struct node *n, struct bytes key, struct bytes value)
{
	assert(n->phase == NODE_BOOTING && n->clock.actor.v == 0);
	if (bytes_equal(key, META_IDENTITY)) return boot_identity(n, value);
	if (bytes_equal(key, META_CLOCK)) return boot_clock(n, value);
	if (bytes_equal(key, META_LAYOUT)) return keep_layout(n, value, &n->layout_bytes);
	if (bytes_equal(key, META_SUSPECT)) return suspect_boot(n, value);
	if (bytes_equal(key, META_MEMORY)) return memory_boot(n, value);
	if (bytes_equal(key, META_REAP)) return reap_boot(n, value);
	if (bytes_start_with(key, META_PROPS)) return props_boot(n, key, value);
	if (!bytes_equal(key, META_VOTE)) return ERR_BAD_BYTES;
	enum err e = keep_layout(n, value, &n->vote);
	n->vote_durable = e == ERR_OK;
	if (e == ERR_OK) layout_hash(n->vote, n->vote_hash);
	return e;
}

static void write_identity(struct node *n, struct effects *fx)
{
	uint8_t record[64];
	struct packer p = {.to = record, .capacity = sizeof record};
	pack_array(&p, IDENTITY_FIELDS);
	pack_uint(&p, IDENTITY_VERSION);
	pack_uint(&p, n->self.v);
	pack_uint(&p, n->previous_nonce);
	pack_uint(&p, n->start_nonce);
	struct chore *ch = chore_take(n, CHORE_BOOT);
	bool begun = ch != NULL && pack_fits(&p) &&
	             chore_write_meta(ch, META_IDENTITY, bytes_of(record, p.len), fx);
	assert(begun); /* the first thing that takes a chore or memory */
}

void node_start(struct node *n, struct instant now, struct wall wall, struct effects *fx)
{
	fx->count = 0;
	n->now = n->last_step = now;
	n->wall_ahead_ms = (int64_t)wall.ms - (int64_t)(now.us / 1000);
	n->wall = wall;
	while (n->self.v == 0) n->self.v = prng_next(&n->prng);
	n->start_nonce = prng_next(&n->prng);
	clock_start(&n->clock, &n->prng, n->boot_reserved);
	clock_raise(&n->clock, n->reap.promised);
	n->reap.mortal = true; /* until it has looked */
	n->boot_chores = 2;
	write_identity(n, fx);
	struct chore *ch = chore_take(n, CHORE_COUNT_HINTS);
	assert(ch != NULL);
	emit_scan(fx, &ch->slot, STORE_HINTS, BYTES_EMPTY, BYTES_EMPTY, UINT32_MAX, HINT_PAGE_BYTES);
}

static void boot_chore_done(struct node *n)
{
	assert(n->phase == NODE_BOOTING && n->boot_chores > 0);
	if (--n->boot_chores > 0) return;
	n->phase = NODE_FORMING;
	if (n->layout_bytes.len == 0) return;
	enum err e = form_adopt(n, n->layout_bytes);
	if (e != ERR_OK) n->foreign_layout = true;
}

/* ---- answers of the store -------------------------------------------------------------------------- */

void clock_reserve_if_wanted(struct node *n, struct effects *fx)
{
	struct hlc until;
	if (!clock_wants_reservation(&n->clock, n->wall, &until)) return;
	uint8_t record[16];
	struct packer p = {.to = record, .capacity = sizeof record};
	pack_array(&p, 1);
	pack_uint(&p, until.v);
	struct chore *ch = chore_take(n, CHORE_RESERVE);
	if (ch != NULL && chore_write_meta(ch, META_CLOCK, bytes_of(record, p.len), fx)) return;
	if (ch != NULL) slot_end(n, &ch->slot);
	clock_reserved(&n->clock, false);
	n->clock_err = ERR_BUSY;
	member_peers_changed(n); /* whoever waits for it is refused */
}

void chore_on_written(struct node *n, struct chore *ch, enum err e, struct effects *fx)
{
	switch (ch->kind) {
	case CHORE_BOOT:
		/* With a full disk a node that has an identity serves what it holds; a new one cannot start. */
		if (e == ERR_OK || n->previous_nonce != 0)
			boot_chore_done(n);
		else
			n->boot_failed = true;
		break;
	case CHORE_RESERVE:
		clock_reserved(&n->clock, e == ERR_OK);
		n->clock_err = e;
		member_peers_changed(n); /* puts that wait for it look again */
		break;
	case CHORE_VOTE:
	case CHORE_LAYOUT: form_on_stored(n, ch, e, fx); break;
	case CHORE_SUSPECT:
		break; /* if it failed, the next change or the next damaged read writes it */
	case CHORE_MEMORY: memory_on_stored(n, ch, e); break;
	case CHORE_REAP: reap_on_stored(n, ch, e); break;
	case CHORE_PROPS: props_on_stored(n, ch, e, fx); break;
	case CHORE_COUNT_HINTS:
	case CHORE_HINT_PAGE:
	case CHORE_VERIFY: unreachable();
	}
	slot_end(n, &ch->slot);
}

void chore_on_scanned(struct node *n, struct chore *ch, const struct event *ev, struct effects *fx)
{
	switch (ch->kind) {
	case CHORE_COUNT_HINTS:
		if (hint_count_page(n, ch, ev, fx))
			boot_chore_done(n);
		else
			return; /* the next page is asked for */
		break;
	case CHORE_HINT_PAGE: hint_on_page(n, ev, fx); break;
	case CHORE_VERIFY: verify_on_scanned(n, ev, fx); break;
	default: unreachable();
	}
	slot_end(n, &ch->slot);
}
