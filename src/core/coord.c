/* coord.c - what all client requests share: checking them, choosing whom to ask, answering.
 *
 *   GET           GET_WAITING -> GET_REPLIED -> free
 *   PUT           PUT_QUEUED [-> PUT_CLOCK] -> PUT_WAITING -> PUT_REPLIED -> free
 *   DELETE        with a context: as PUT; without: as GET until it knows what is there, then as PUT
 *   INCREMENT     as PUT; what it replaces it finds in its turn on the key (coord_count.c)
 *   PUT, DELETE, INCREMENT
 *                 on a node that is not on the key's preference list, or with conditions on one that
 *                 is not the first primary that can be reached: FORWARDED -> free
 *   with conditions: as GET, then as PUT (condition.c)
 *
 * Always true: exactly one reply per request; a target is a distinct node and is counted once; a
 * forwarded request is never forwarded again. */
#include "core/context.h"
#include "core/core.h"
#include "core/trace.h"

struct coord *coord_find(const struct node *n, struct ticket t)
{
	struct coord *c = ticket_pool(t) == SLOT_COORD ? slots_find(&n->coords, t) : NULL;
	return c == NULL || c->slot.ended ? NULL : c;
}

void coord_end(struct node *n, struct coord *c)
{
	assert(c->op.state == KEY_OP_IDLE || c->op.state == KEY_OP_WRITING);
	if (traced(c)) trace_ended(n, c);
	c->phase = COORD_FREE;
	slot_end(n, &c->slot);
}

/* ---- answering ----------------------------------------------------------------------------------- */

static void send_reply(struct node *n, struct coord *c, const struct reply *r, struct effects *fx)
{
	if (c->remote) {
		forward_send_reply(n, c, r, fx);
		return;
	}
	struct effect *f = emit(fx, FX_REPLY, (struct ticket){0});
	f->reply.client = c->client;
	f->reply.reply = *r;
}

void coord_reply(struct node *n, struct coord *c, struct reply *r, struct effects *fx)
{
	assert(!c->replied);
	c->replied = true;
	if (!c->remote) count_answer(c, r);
	if (r->err == ERR_OK || r->err == ERR_NOT_FOUND)
		foreground_note(&n->foreground, n->now.us - c->began.us);
	if (r->err != ERR_OK && r->err != ERR_NOT_FOUND) {
		if (r->err == ERR_BUSY)
			n->counters.requests_busy++;
		else if (err_http_status(r->err) >= 500)
			n->counters.requests_failed++;
	}
	for (uint32_t i = 0; i < c->target_count; i++)
		if (c->targets[i].fallback && (c->quorum.ok & 1U << i) != 0) r->fallbacks++;
	if (traced(c)) trace_replied(n, c, r);
	send_reply(n, c, r, fx);
}

void coord_fail(struct node *n, struct coord *c, enum err e, enum outcome o, struct effects *fx)
{
	coord_reply(n, c, &(struct reply){.err = e, .outcome = o, .n = c->needs.n}, fx);
}

bool coord_context(struct node *n, struct coord *c, const struct dvv *shown,
                   const struct sibling *siblings, uint32_t count, struct bytes *out)
{
	struct arena *a = &c->slot.arena;
	if (!context_seal(a, n->layout.secret, c->request.key, shown, out)) return false;
	if (out->len <= CONTEXT_BYTES_MAX) return true;
	/* Too long to carry: the dots of what is shown are enough to replace it. */
	struct dvv just = {0};
	for (uint32_t i = 0; i < count; i++)
		if (!dvv_add(a, &just, siblings[i].dot, &just)) return false;
	return context_seal(a, n->layout.secret, c->request.key, &just, out) &&
	       out->len <= CONTEXT_BYTES_MAX;
}

/* ---- whom to ask ------------------------------------------------------------------------------------ */

struct target *coord_target(struct coord *c, uint16_t member, uint32_t *index)
{
	for (uint32_t i = 0; i < c->target_count; i++) {
		if (c->targets[i].member != member) continue;
		*index = i;
		return &c->targets[i];
	}
	return NULL;
}

uint32_t coord_targets(struct node *n, struct coord *c)
{
	struct preference list[REPLICAS_MAX];
	uint32_t count = ring_preference(&n->layout, c->partition, c->needs.n, &n->up, list);
	uint32_t primaries_up = 0;
	c->quorum = (struct quorum){0};
	c->target_count = count;
	for (uint32_t i = 0; i < count; i++) {
		c->targets[i] = (struct target){
			.member = list[i].member, .place = (uint8_t)i, .fallback = list[i].fallback};
		quorum_ask(&c->quorum, i, !list[i].fallback);
		if (!list[i].up)
			quorum_note(&c->quorum, i, false);
		else if (!list[i].fallback)
			primaries_up++;
	}
	return primaries_up;
}

/* ---- what is asked ------------------------------------------------------------------------------------ */

/* A quorum value as a number. Above n: 255. */
static uint8_t resolve(int16_t asked, int16_t fallback, uint8_t n)
{
	if (asked == QUORUM_DEFAULT) asked = fallback;
	switch (asked) {
	case QUORUM_DEFAULT:
	case QUORUM_QUORUM: return (uint8_t)(n / 2 + 1);
	case QUORUM_ONE: return 1;
	case QUORUM_ALL: return n;
	default: return asked < 0 || asked > n ? UINT8_MAX : (uint8_t)asked;
	}
}

static bool choose_bool(int8_t asked, int64_t fallback)
{
	return asked == BOOL_DEFAULT ? fallback != 0 : asked != 0;
}

/* What the request says, else what the bucket says. */
static bool resolve_needs(const struct node *n, struct coord *c, const struct props *p)
{
	const struct request_options *o = &c->request.options;
	struct needs *k = &c->needs;
	bool plain = o->r == QUORUM_DEFAULT && o->w == QUORUM_DEFAULT;
	bool by_rw = c->request.op == REQUEST_DELETE && plain && o->rw != QUORUM_DEFAULT;
	int16_t dw = (int16_t)(o->w == QUORUM_DEFAULT ? p->v[PROP_dw] : 0);
	k->n = props_n(n, p);
	k->r = resolve(by_rw ? o->rw : o->r, (int16_t)p->v[PROP_r], k->n);
	k->w = resolve(by_rw ? o->rw : o->w, (int16_t)p->v[PROP_w], k->n);
	k->dw = resolve(o->dw, dw, k->n);
	k->pr = resolve(o->pr, (int16_t)p->v[PROP_pr], k->n);
	k->pw = resolve(o->pw, (int16_t)p->v[PROP_pw], k->n);
	k->confirms = resolve(o->node_confirms, (int16_t)p->v[PROP_node_confirms], k->n);
	k->notfound_ok = choose_bool(o->notfound_ok, p->v[PROP_notfound_ok]);
	k->basic_quorum = choose_bool(o->basic_quorum, p->v[PROP_basic_quorum]);
	return k->r != UINT8_MAX && k->w != UINT8_MAX && k->dw != UINT8_MAX && k->pr != UINT8_MAX &&
	       k->pw != UINT8_MAX && k->confirms != UINT8_MAX;
}

/* Everything that can be refused before anything is asked or stored. */
static enum err check_request(struct node *n, struct coord *c)
{
	const struct request *r = &c->request;
	struct bytes type, bucket, name;
	if (!full_key_split(r->key, &type, &bucket, &name)) return ERR_BAD_BYTES;
	if (props_type_find(n, type) < 0) return ERR_NO_TYPE;
	const struct props *p = props_of(n, r->key);
	if (!resolve_needs(n, c, p)) return ERR_ABOVE_N;
	c->mult = props_keep_siblings(p);
	c->ttl_s = r->ttl_s != 0 ? r->ttl_s : (uint64_t)p->v[PROP_ttl];
	if (r->op == REQUEST_INCREMENT && !c->mult) return ERR_COUNTER_MULT;
	c->conditional = condition_wanted(p, r, &c->bucket_asks);
	if (c->conditional) condition_needs(&c->needs);
	struct needs *k = &c->needs;
	k->replies = r->op == REQUEST_GET && k->confirms > k->r ? k->confirms : k->r;
	if (r->op != REQUEST_GET && props_are_closed(n, r->key)) return ERR_CLOSED;
	enum err e = context_open(&c->slot.arena, n->layout.secret, r->key, r->context, &c->context);
	if (e != ERR_OK || r->at_least.len == 0) return e;
	return context_open(&c->slot.arena, n->layout.secret, r->key, r->at_least, &c->at_least);
}

static bool copy_request(struct coord *c, const struct request *r)
{
	bool ok = true;
	struct arena *a = &c->slot.arena;
	c->request = *r;
	c->request.key = arena_copy(a, r->key, &ok);
	c->request.context = arena_copy(a, r->context, &ok);
	c->request.meta = arena_copy(a, r->meta, &ok);
	c->request.value = arena_copy(a, r->value, &ok);
	c->request.at_least = arena_copy(a, r->at_least, &ok);
	struct conditions *w = &c->request.conditions;
	w->match = arena_copy(a, r->conditions.match, &ok);
	w->none_match = arena_copy(a, r->conditions.none_match, &ok);
	w->context = arena_copy(a, r->conditions.context, &ok);
	return ok;
}

static void count_request(struct node *n, const struct coord *c)
{
	switch (c->request.op) {
	case REQUEST_GET:
		n->counters.client_gets++;
		if (c->request.as_counter) n->counters.client_counter_gets++;
		break;
	case REQUEST_PUT: n->counters.client_puts++; break;
	case REQUEST_DELETE: n->counters.client_deletes++; break;
	case REQUEST_INCREMENT: n->counters.client_increments++; break;
	case REQUEST_OP_COUNT: unreachable();
	}
}

/* Conditional writes of a key meet at its first primary that can be reached. The one they are
 * forwarded to may know less of who is up, and judges all the same. */
static bool is_judge(const struct node *n, const struct coord *c)
{
	if (!c->conditional || c->remote) return true;
	for (uint32_t i = 0; i < c->target_count; i++) {
		const struct target *t = &c->targets[i];
		if (!t->fallback && member_set_has(&n->up, t->member)) return t->member == n->self_member;
	}
	return true; /* no primary is up: it will be refused for want of them */
}

static void begin(struct node *n, struct coord *c, const struct request *r, struct effects *fx)
{
	enum err e = copy_request(c, r) ? ERR_OK : ERR_BUSY;
	if (e == ERR_OK && !n->formed) e = ERR_NOT_READY;
	if (e == ERR_OK) e = check_request(n, c);
	if (traced(c)) trace_admitted(n, c, r->key, e);
	if (e != ERR_OK) {
		coord_fail(n, c, e, OUTCOME_NONE, fx);
		coord_end(n, c);
		return;
	}
	uint64_t timeout = r->options.timeout_us == 0 ? REQUEST_TIMEOUT_US : r->options.timeout_us;
	if (timeout > REQUEST_TIMEOUT_US_MAX) timeout = REQUEST_TIMEOUT_US_MAX;
	c->began = n->now;
	c->deadline = instant_after(n->now, timeout);
	c->hash = key_hash_of(c->request.key);
	c->partition = partition_of(&n->layout, c->hash);
	count_request(n, c);
	if (c->request.op == REQUEST_GET) {
		get_begin(n, c, fx);
		return;
	}
	uint32_t index;
	coord_targets(n, c);
	c->blind_delete = c->request.op == REQUEST_DELETE && !c->request.options.has_context;
	if (coord_target(c, n->self_member, &index) == NULL || forward_reason(n, c) != ERR_OK ||
	    !is_judge(n, c))
		forward_begin(n, c, fx);
	else if (c->blind_delete || c->conditional)
		get_begin(n, c, fx);
	else
		put_begin(n, c, fx);
}

void coord_on_request(struct node *n, const struct event *ev, struct effects *fx)
{
	struct coord *c = n->draining ? NULL : slot_take(n, &n->coords);
	if (c == NULL) {
		enum err e = n->draining ? ERR_DRAINING : ERR_BUSY;
		n->counters.requests_busy += e == ERR_BUSY;
		struct effect *f = emit(fx, FX_REPLY, (struct ticket){0});
		f->reply.client = ev->request.client;
		f->reply.reply = (struct reply){.err = e, .outcome = OUTCOME_NONE};
		const struct request *r = &ev->request.request;
		if (r->trace.v != 0) trace_refused(n, r, (struct node_id){0}, e);
		return;
	}
	c->op.slot = c->slot.self;
	c->client = ev->request.client;
	begin(n, c, &ev->request.request, fx);
}

void coord_on_forward(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	if (forward_is_repeated(n, from, m->id)) return;
	/* Before it has the bucket properties of the others it coordinates nothing. */
	bool ours = n->formed && n->settled && m->epoch.v == n->layout.epoch.v &&
	            layout_find(&n->layout, from) >= 0;
	struct coord *c = ours && !n->draining ? slot_take(n, &n->coords) : NULL;
	if (c == NULL) {
		struct msg *answer = emit_msg(n, fx, from, MSG_FORWARD_REPLY, m->id);
		enum err e = n->draining ? ERR_DRAINING : ours ? ERR_BUSY : ERR_NOT_READY;
		answer->forward_reply = (struct msg_forward_reply){.err = e, .outcome = OUTCOME_NONE};
		const struct request *r = &m->forward.request;
		if (r->trace.v != 0) trace_refused(n, r, from, answer->forward_reply.err);
		return;
	}
	n->counters.forwards_taken++;
	c->op.slot = c->slot.self;
	c->remote = true;
	c->remote_node = from;
	c->remote_id = m->id;
	begin(n, c, &m->forward.request, fx);
}

/* ---- to whom an event goes ------------------------------------------------------------------------------ */

void coord_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	assert(c != NULL && !c->slot.ended);
	switch (c->phase) {
	case PUT_QUEUED:
	case PUT_CLOCK:
	case PUT_WAITING:
	case PUT_REPLIED: put_on_timer(n, c, fx); break;
	case GET_WAITING:
	case GET_REPLIED: get_on_timer(n, c, fx); break;
	case GET_REPAIRING: coord_end(n, c); break;
	case FORWARDED: forward_on_timer(n, c, fx); break;
	case COMPARING: compare_on_timer(n, c, fx); break;
	case PROPS_ASKING:
	case PROPS_QUEUED:
	case PROPS_WRITING:
	case PROPS_TELLING: props_on_timer(n, c, fx); break;
	case LISTING: list_on_timer(n, c, fx); break;
	case COORD_FREE: unreachable();
	}
}

void coord_on_peers_changed(struct node *n, struct coord *c, struct effects *fx)
{
	switch (c->phase) {
	case PUT_QUEUED: break; /* nothing was sent yet */
	case PUT_CLOCK: put_on_clock(n, c, fx); break;
	case PUT_WAITING:
	case PUT_REPLIED: put_on_peers_changed(n, c, fx); break;
	case GET_WAITING:
	case GET_REPLIED: get_on_peers_changed(n, c, fx); break;
	case GET_REPAIRING: break; /* it has a time of its own */
	case FORWARDED: forward_on_peers_changed(n, c, fx); break;
	case COMPARING: break; /* its pages have a time of their own */
	case PROPS_ASKING:
	case PROPS_QUEUED:
	case PROPS_WRITING:
	case PROPS_TELLING: props_on_peers_changed(n, c, fx); break;
	case LISTING: list_on_peers_changed(n, c, fx); break;
	case COORD_FREE: unreachable();
	}
}
