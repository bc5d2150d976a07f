/* condition.c - writes that are done only if the object is as somebody asks (RFC 9110, section 13;
 * X-Riak-If-Not-Modified; the bucket's write_once and require_context).
 *
 *   routed to the key's first primary that can be reached -> reads a majority of the primaries ->
 *   judged -> a turn on the key -> judged again, and minted in the same step
 *
 * What the look did not find out is never taken for "absent": too few primaries are 503. In its turn
 * the write is judged by what the look found and what is here by then together, so of several
 * conditional writes through this node each sees the ones before. A write through another node (only
 * while the two do not agree on who can be reached) may come between: best effort.
 * Always true: nothing was minted when a condition does not hold. */
#include "base/etag.h"
#include "core/context.h"
#include "core/core.h"
#include "core/trace.h"

bool condition_wanted(const struct props *p, const struct request *r, uint8_t *bucket_asks)
{
	*bucket_asks = 0;
	if (r->op == REQUEST_GET) return false;
	bool stores = r->op == REQUEST_PUT || r->op == REQUEST_INCREMENT;
	if (stores && p->v[PROP_write_once] != 0) *bucket_asks |= BUCKET_WRITE_ONCE;
	/* (An increment needs no context: it knows by itself what it adds to.) */
	bool blind = r->op == REQUEST_PUT && !r->options.has_context;
	if (blind && p->v[PROP_require_context] != 0) *bucket_asks |= BUCKET_CONTEXT;
	return r->conditions.what != 0 || *bucket_asks != 0;
}

void condition_needs(struct needs *k)
{
	uint8_t majority = (uint8_t)(k->n / 2 + 1);
	if (k->r < majority) k->r = majority;
	if (k->pr < majority) k->pr = majority;
	k->notfound_ok = true;
	k->basic_quorum = false;
}

static uint64_t newest_s(const struct object *o)
{
	uint64_t newest = 0;
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (hlc_ms(o->siblings[i].dot.at) > newest) newest = hlc_ms(o->siblings[i].dot.at);
	return newest / 1000;
}

static bool is_as_seen(const struct object *o, const struct dvv *seen)
{
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (!dvv_covers(seen, o->siblings[i].dot)) return false;
	return dvv_includes(&o->seen, seen);
}

/* What the client asked, in the order of RFC 9110, section 13.2.2. */
static enum err judge_request(struct node *n, struct coord *c, const struct object *o)
{
	const struct conditions *w = &c->request.conditions;
	const struct sibling *shown;
	uint32_t count;
	uint64_t etag[2] = {0, 0};
	struct dvv seen;
	bool absent = o->sibling_count == 0 || object_is_deleted(o);
	if (!absent) {
		if (!object_show(&c->slot.arena, o, &shown, &count)) return ERR_BUSY;
		etag_of(shown, count, etag);
	}
	if ((w->what & (IF_MATCH_TAG | IF_MATCH_ANY)) != 0 && absent) return ERR_PRECONDITION;
	if ((w->what & IF_MATCH_TAG) != 0 && !etag_in(w->match, etag)) return ERR_PRECONDITION;
	if ((w->what & IF_UNMODIFIED) != 0 && !absent && newest_s(o) > w->unmodified_s)
		return ERR_PRECONDITION;
	if ((w->what & IF_NONE_MATCH_ANY) != 0 && !absent) return ERR_PRECONDITION;
	if ((w->what & IF_NONE_MATCH_TAG) != 0 && !absent && etag_in(w->none_match, etag))
		return ERR_PRECONDITION;
	if ((w->what & IF_CONTEXT) == 0) return ERR_OK;
	enum err e = context_open(&c->slot.arena, n->layout.secret, c->request.key, w->context, &seen);
	if (e != ERR_OK) return e;
	return absent || !is_as_seen(o, &seen) ? ERR_MODIFIED : ERR_OK;
}

/* Whoever names what is there by its ETag or its context has been shown it: no context is needed
 * besides, and the write replaces it. */
static bool names_what_is_there(const struct coord *c)
{
	return (c->request.conditions.what & (IF_MATCH_TAG | IF_CONTEXT)) != 0;
}

/* Whoever asks that nothing be there knows of no value, and a tombstone is none to keep. */
static bool asks_for_nothing(const struct coord *c)
{
	return (c->request.conditions.what & IF_NONE_MATCH_ANY) != 0 || c->bucket_asks != 0;
}

static enum err judge(struct node *n, struct coord *c, const struct object *state)
{
	struct object as_of_now, *o = &as_of_now;
	if (!object_as_of(&c->slot.arena, state, member_now_ms(n), o)) return ERR_BUSY;
	bool absent = o->sibling_count == 0 || object_is_deleted(o);
	enum err e = judge_request(n, c, o);
	if (e != ERR_OK) return e;
	if ((c->bucket_asks & BUCKET_WRITE_ONCE) != 0 && !absent) return ERR_EXISTS;
	if ((c->bucket_asks & BUCKET_CONTEXT) != 0 && !absent && !names_what_is_there(c))
		return ERR_NO_CONTEXT;
	bool knows = names_what_is_there(c) || (absent && asks_for_nothing(c));
	if (!c->request.options.has_context && knows) c->context = o->seen;
	return ERR_OK;
}

void condition_go_on(struct node *n, struct coord *c, const struct object *found,
                     struct effects *fx)
{
	assert(c->conditional && !c->minted);
	struct object now;
	enum err e = judge(n, c, found);
	if (e == ERR_OK && !object_as_of(&c->slot.arena, found, member_now_ms(n), &now)) e = ERR_BUSY;
	bool absent = e != ERR_OK || now.sibling_count == 0 || object_is_deleted(&now);
	if (traced(c)) trace_judged(n, c, e);
	if (e == ERR_OK && c->blind_delete && absent) e = ERR_NOT_FOUND;
	if (e == ERR_OK && found->sibling_count > 0 && !object_encode(&c->slot.arena, found, &c->found))
		e = ERR_BUSY;
	if (e != ERR_OK) {
		if (err_http_status(e) < 500 && e != ERR_NOT_FOUND) n->counters.conditions_failed++;
		coord_fail(n, c, e, OUTCOME_NONE, fx);
		return;
	}
	if (c->blind_delete) c->context = found->seen;
	put_begin(n, c, fx);
}

enum err condition_judge(struct node *n, struct coord *c, struct object *state)
{
	struct object found;
	if (!c->conditional) return ERR_OK;
	enum err e = object_decode(&c->slot.arena, c->found, &found);
	if (e == ERR_OK && !object_merge(&c->slot.arena, &found, state, state)) e = ERR_BUSY;
	if (e == ERR_OK) e = judge(n, c, state);
	if (e != ERR_OK && err_http_status(e) < 500) n->counters.conditions_failed++;
	return e;
}
