/* member.c - who is there: connections, heartbeats, silence, and the members' clocks.
 *
 *   down --we can send to it, and it is heard--> up --silent for SILENCE_US, or cut off--> down
 *
 * A simple detector: every node tells every other that it lives. What it believes steers routing
 * only; it never decides what data exists. */
#include "core/core.h"

struct peer *member_find(const struct node *n, struct node_id id)
{
	if (n->formed) {
		int i = layout_find(&n->layout, id);
		return i < 0 ? NULL : &n->peers[i];
	}
	for (uint32_t i = 0; i < n->peer_count; i++)
		if (n->peers[i].id.v == id.v) return &n->peers[i];
	return NULL;
}

static struct peer *meet(struct node *n, struct node_id id)
{
	struct peer *p = member_find(n, id);
	if (p != NULL || n->formed || n->peer_count == MEMBERS_MAX || id.v == n->self.v) return p;
	p = &n->peers[n->peer_count++];
	*p = (struct peer){.id = id};
	return p;
}

/* Peers in the order of a layout's members, keeping what is known of each. */
void member_reindex(struct node *n, const struct layout *l)
{
	struct arena scratch;
	arena_init(&scratch, &n->pool);
	struct peer *old = arena_take(&scratch, n->peer_count * sizeof *old);
	assert(old != NULL); /* at a boot or at forming, when the pool is empty */
	uint32_t old_count = n->peer_count;
	memcpy(old, n->peers, old_count * sizeof *old);
	n->up = (struct member_set){0};
	n->peer_count = l->member_count;
	for (uint32_t i = 0; i < l->member_count; i++) {
		n->peers[i] = (struct peer){.id = l->members[i].id};
		for (uint32_t j = 0; j < old_count; j++)
			if (old[j].id.v == n->peers[i].id.v) n->peers[i] = old[j];
		if (n->peers[i].id.v == n->self.v) n->peers[i].up = true;
		if (n->peers[i].up) member_set_add(&n->up, i);
	}
	arena_free(&scratch);
}

void member_peers_changed(struct node *n)
{
	n->sweep_at = 0;
}

static void set_up(struct node *n, struct peer *p, bool up)
{
	if (p->up == up) return;
	p->up = up;
	if (!up) n->counters.peers_down_events++;
	if (n->formed) {
		uint32_t member = (uint32_t)(p - n->peers);
		if (up)
			member_set_add(&n->up, member);
		else
			member_set_remove(&n->up, member);
	}
	member_peers_changed(n);
	if (up) hint_wake(n);
}

static void send_heartbeat(struct node *n, struct peer *p, bool answer, struct effects *fx)
{
	struct msg *m = emit_msg(n, fx, p->id, MSG_HEARTBEAT, (struct ticket){0});
	struct msg_heartbeat *h = &m->heartbeat;
	*h = (struct msg_heartbeat){
		.wall_ms = n->wall.ms,
		.start_nonce = n->start_nonce,
		.epoch = n->layout.epoch,
		.answer = answer,
		.expect = (uint16_t)n->config.expect,
		.join_count = (uint16_t)n->config.join_count,
		.weight = n->config.weight,
	};
	memory_tell(n, p, h);
	reap_tell(n, h);
	if (n->formed) props_hash(n, h->props_hash);
	if (n->formed) return;
	h->name = n->config.name;
	h->address = n->config.address;
	h->zone = n->config.zone;
}

static bool is_heard(const struct node *n, const struct peer *p)
{
	return p->heard.us != 0 && n->now.us <= p->heard.us + SILENCE_US;
}

void member_on_up(struct node *n, struct node_id id, struct effects *fx)
{
	struct peer *p = meet(n, id);
	if (p == NULL || n->phase == NODE_BOOTING) {
		if (p != NULL) p->connected = true;
		return;
	}
	p->connected = true;
	/* Its answers come on its own connection to us: it is up once that is seen to stand too. */
	if (is_heard(n, p)) set_up(n, p, true);
	send_heartbeat(n, p, true, fx);
}

void member_on_down(struct node *n, struct node_id id, struct effects *fx)
{
	(void)fx;
	struct peer *p = member_find(n, id);
	if (p == NULL || id.v == n->self.v) return;
	p->connected = false;
	p->heard = (struct instant){0};
	set_up(n, p, false);
}

struct peer *member_heard(struct node *n, struct node_id id, const struct msg *m)
{
	if (n->phase == NODE_BOOTING) return NULL;
	struct peer *p = m->type == MSG_HEARTBEAT ? meet(n, id) : member_find(n, id);
	if (p == NULL) return NULL;
	p->heard = n->now;
	if (p->connected) set_up(n, p, true);
	return p;
}

static uint8_t keep(uint8_t *to, size_t max, struct bytes b)
{
	size_t len = b.len < max ? b.len : max;
	if (len > 0) memcpy(to, b.data, len);
	return (uint8_t)len;
}

static int64_t magnitude(int64_t v)
{
	return v < 0 ? -v : v;
}

/* How far our clock is from the median of all members' clocks we know, our own among them. */
static int64_t median_offset(const struct node *n)
{
	/* The median has as many below as above: find the value by counting, no sorting. */
	int64_t best = 0;
	uint32_t known = 1;
	for (uint32_t i = 0; i < n->peer_count; i++) known += n->peers[i].offset_known;
	bool found = false;
	for (uint32_t i = 0; i <= n->peer_count; i++) {
		const struct peer *p = i < n->peer_count ? &n->peers[i] : NULL;
		if (p != NULL && !p->offset_known) continue;
		int64_t mine = p == NULL ? 0 : p->offset_ms;
		uint32_t below = mine > 0, same = mine == 0;
		for (uint32_t j = 0; j < n->peer_count; j++) {
			if (!n->peers[j].offset_known) continue;
			below += n->peers[j].offset_ms < mine;
			same += n->peers[j].offset_ms == mine;
		}
		bool is_lower = below <= (known - 1) / 2 && below + same > (known - 1) / 2;
		bool is_upper = below <= known / 2 && below + same > known / 2;
		if (!is_lower && !is_upper) continue;
		/* Of the two middle ones of an even number, believe the one nearer to us. */
		if (!found || magnitude(mine) < magnitude(best)) best = mine;
		found = true;
	}
	return best;
}

void member_on_heartbeat(struct node *n, struct peer *p, const struct msg *m, struct effects *fx)
{
	const struct msg_heartbeat *h = &m->heartbeat;
	p->start_nonce = h->start_nonce;
	p->offset_ms = (int64_t)h->wall_ms - (int64_t)n->wall.ms;
	p->offset_known = true;
	p->unformed = h->epoch.v == 0;
	memory_on_heartbeat(n, p, h);
	reap_on_heartbeat(n, p, h, fx);
	if (!n->formed) {
		p->expect = h->expect;
		p->weight = h->weight;
		p->name_len = keep(p->name, sizeof p->name, h->name);
		p->address_len = keep(p->address, sizeof p->address, h->address);
		p->zone_len = keep(p->zone, sizeof p->zone, h->zone);
	} else if (p->unformed) {
		struct msg *answer = emit_msg(n, fx, p->id, MSG_LAYOUT, (struct ticket){0});
		answer->layout.layout = n->layout_bytes;
	}
	if (n->formed && !p->unformed && p->connected) props_on_hash(n, p->id, h->props_hash, fx);
	if (h->answer && p->connected) send_heartbeat(n, p, false, fx);
}

void member_forgive_own_pause(struct node *n)
{
	if (n->last_step.us == 0 || n->now.us - n->last_step.us < SILENCE_US / 2) return;
	uint64_t gap = n->now.us - n->last_step.us;
	for (uint32_t i = 0; i < n->peer_count; i++)
		if (n->peers[i].heard.us != 0) n->peers[i].heard.us += gap;
}

static void check_clock(struct node *n)
{
	int64_t off = magnitude(median_offset(n));
	n->counters.clock_offset_ms = (uint64_t)off;
	n->clock_off = off > (int64_t)CLOCK_SKEW_MAX_MS;
}

/* What is known of the others' clocks was measured against our own before it jumped. */
void member_watch_clock(struct node *n)
{
	int64_t ahead = (int64_t)n->wall.ms - (int64_t)(n->now.us / 1000);
	int64_t jump = ahead - n->wall_ahead_ms;
	if (magnitude(jump) < CLOCK_JUMP_MS) return;
	n->wall_ahead_ms = ahead;
	for (uint32_t i = 0; i < n->peer_count; i++) n->peers[i].offset_ms -= jump;
	check_clock(n);
}

/* A hybrid clock never goes back: after a wall clock that was far ahead for a while it stays there. What
 * lives for a time must not die of that, so it is believed as far as it would follow others. */
uint64_t member_time_ms(const struct node *n)
{
	uint64_t now = hlc_ms(clock_now(&n->clock, n->wall)), most = n->wall.ms + CLOCK_SKEW_MAX_MS;
	return now < most ? now : most;
}

/* Who knows the clocks of less than half of the members (it has just started, and reaches nobody) cannot
 * know that its own is right. */
static bool clocks_are_known(const struct node *n)
{
	uint32_t known = 1;
	for (uint32_t i = 0; i < n->peer_count; i++) known += n->peers[i].offset_known;
	return 2 * known > n->peer_count;
}

uint64_t member_now_ms(const struct node *n)
{
	return n->clock_off || !clocks_are_known(n) ? 0 : member_time_ms(n);
}

/* After a start (or after forming) the first requests would find everybody down: a node says that it
 * is ready once it has heard all others, or has waited for as long as silence takes to mean something;
 * and once it has the bucket properties that one of them has. */
static void settle(struct node *n)
{
	if (n->settled || n->phase != NODE_SERVING) return;
	if (n->serving_since.us == 0) n->serving_since = n->now;
	bool silence = n->now.us >= n->serving_since.us + SILENCE_US;
	bool pulling = n->props.pull.v != 0 && n->now.us < n->props.pull_give_up.us;
	bool props = n->props.caught_up || n->peer_count == 1 || (silence && !pulling);
	n->settled = props && (member_set_count(&n->up) == n->peer_count || silence);
}

/* Heartbeats to all whom we can send to, and a look at who is silent. With many members it takes
 * several steps: `beat_at` is the next one to look at. */
void member_tick(struct node *n, struct effects *fx)
{
	if (n->phase == NODE_BOOTING || n->now.us < n->next_heartbeat.us) return;
	for (; n->beat_at < n->peer_count; n->beat_at++) {
		struct peer *p = &n->peers[n->beat_at];
		if (p->id.v == n->self.v) continue;
		if (!effects_have_room(fx)) return;
		if (p->up && !is_heard(n, p)) set_up(n, p, false);
		if (p->connected) send_heartbeat(n, p, !p->up, fx);
	}
	settle(n);
	n->beat_at = 0;
	n->next_heartbeat = instant_after(n->now, HEARTBEAT_US);
	check_clock(n);
	n->form_due = true;
}
