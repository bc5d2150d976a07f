/* test_msg_util.h - messages of every type, generated and compared; for test_msg.c. */
#ifndef DUNLIN_TEST_MSG_UTIL_H
#define DUNLIN_TEST_MSG_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/etag.h"
#include "base/panic.h"
#include "base/prng.h"
#include "wire/msg.h"

#include <cmocka.h>

enum { ROUNDS = 400, ENTRIES = 20, SCRATCH_BYTES = 1 << 20 };

/* A generator of messages. Its views point into `scratch`, which is emptied for each message. */
struct maker {
	struct prng prng;
	uint8_t scratch[SCRATCH_BYTES];
	size_t used;
	struct scan_entry entries[ENTRIES];
};

static inline struct bytes some_bytes(struct maker *g, size_t max)
{
	size_t len = (size_t)prng_below(&g->prng, max + 1);
	/* Short ones, and the extremes, are the interesting ones. */
	if (prng_one_in(&g->prng, 8)) len = max;
	if (prng_one_in(&g->prng, 4)) len = 0;
	assert_true(g->used + len <= SCRATCH_BYTES);
	uint8_t *to = g->scratch + g->used;
	for (size_t i = 0; i < len; i++) to[i] = (uint8_t)prng_next(&g->prng);
	g->used += len;
	return bytes_of(to, len);
}

/* Numbers of every width. */
static inline uint64_t some_number(struct maker *g, uint64_t max)
{
	uint64_t v = prng_next(&g->prng) >> prng_below(&g->prng, 64);
	if (prng_one_in(&g->prng, 8)) return max;
	return max == UINT64_MAX ? v : v % (max + 1);
}

static inline bool some_bool(struct maker *g)
{
	return prng_one_in(&g->prng, 2);
}

static inline enum err some_err(struct maker *g)
{
	return (enum err)some_number(g, ERR_COUNT - 1);
}

static inline struct dot some_dot(struct maker *g)
{
	struct dot d = {{some_number(g, UINT64_MAX)}, {some_number(g, UINT64_MAX)}};
	return d;
}

static inline void add_part(struct maker *g, size_t max)
{
	size_t head = g->used;
	g->used += 2;
	size_t len = some_bytes(g, max).len;
	if (len == 0) g->scratch[g->used++] = 'x', len = 1; /* a part is never empty */
	put_u16be(g->scratch + head, (uint16_t)len);
}

/* A full key, behind `prefix` bytes. */
static inline struct bytes some_key(struct maker *g, size_t prefix)
{
	size_t at = g->used;
	memset(g->scratch + at, 0, prefix);
	g->used += prefix;
	add_part(g, TYPE_BYTES_MAX);
	add_part(g, BUCKET_BYTES_MAX);
	add_part(g, NAME_BYTES_MAX);
	return bytes_of(g->scratch + at, g->used - at);
}

static inline void make_heartbeat(struct maker *g, struct msg_heartbeat *h)
{
	h->wall_ms = some_number(g, UINT64_MAX);
	h->start_nonce = some_number(g, UINT64_MAX);
	h->beat = some_number(g, UINT64_MAX);
	h->horizon.v = some_number(g, UINT64_MAX);
	h->fence.v = some_number(g, UINT64_MAX);
	h->mortal = some_bool(g);
	h->heard_nonce = some_number(g, UINT64_MAX);
	h->heard_beat = some_number(g, UINT64_MAX);
	h->epoch.v = some_number(g, UINT64_MAX);
	h->answer = some_bool(g);
	h->expect = (uint16_t)some_number(g, MEMBERS_MAX);
	h->join_count = (uint16_t)some_number(g, JOIN_ADDRESSES_MAX);
	h->weight = (uint32_t)some_number(g, MEMBER_WEIGHT_MAX);
	h->name = some_bytes(g, MEMBER_NAME_BYTES_MAX);
	h->address = some_bytes(g, MEMBER_ADDRESS_BYTES_MAX);
	h->zone = some_bytes(g, MEMBER_ZONE_BYTES_MAX);
	memset(h->props_hash, (int)some_number(g, 255), sizeof h->props_hash);
}

static inline int16_t some_quorum(struct maker *g)
{
	return (int16_t)((int)some_number(g, 12) + QUORUM_ALL);
}

static inline struct bytes some_tags(struct maker *g)
{
	struct bytes tags = some_bytes(g, CONDITION_TAGS_MAX * ETAG_BYTES);
	tags.len -= tags.len % ETAG_BYTES;
	return tags;
}

static inline void make_forward(struct maker *g, struct request *r)
{
	*r = (struct request){.options = REQUEST_OPTIONS_DEFAULT};
	struct request_options *o = &r->options;
	r->op = (enum request_op)some_number(g, REQUEST_OP_COUNT - 1);
	r->key = some_key(g, 0);
	o->has_context = some_bool(g);
	if (o->has_context) r->context = some_bytes(g, CONTEXT_BYTES_MAX);
	r->meta = some_bytes(g, META_BYTES_MAX);
	r->value = some_bytes(g, 70000);
	while (r->op == REQUEST_INCREMENT && r->value.len != INCREMENT_BYTES)
		r->value = some_bytes(g, INCREMENT_BYTES);
	int16_t *quorums[] = {&o->r, &o->w, &o->pr, &o->pw, &o->dw, &o->rw, &o->node_confirms};
	for (unsigned i = 0; i < 7; i++) *quorums[i] = some_quorum(g);
	o->notfound_ok = (int8_t)((int)some_number(g, 2) + BOOL_DEFAULT);
	o->basic_quorum = (int8_t)((int)some_number(g, 2) + BOOL_DEFAULT);
	o->return_body = some_bool(g);
	o->has_vtag = some_bool(g);
	if (o->has_vtag) o->vtag = some_dot(g);
	o->timeout_us = some_number(g, REQUEST_TIMEOUT_US_MAX);
	r->ttl_s = some_number(g, TTL_SECONDS_MAX);
	r->conditions.what = (uint8_t)some_number(g, IF_ALL);
	r->conditions.match = some_tags(g);
	r->conditions.none_match = some_tags(g);
	r->conditions.unmodified_s = some_number(g, UINT64_MAX);
	r->conditions.context = some_bytes(g, CONTEXT_BYTES_MAX);
	r->trace.v = some_bool(g) ? some_number(g, UINT64_MAX) : 0;
}

static inline void make_forward_reply(struct maker *g, struct msg_forward_reply *f)
{
	f->err = some_err(g);
	f->outcome = (enum outcome)some_number(g, OUTCOME_COUNT - 1);
	f->got = (uint8_t)some_number(g, UINT8_MAX);
	f->need = (uint8_t)some_number(g, UINT8_MAX);
	f->n = (uint8_t)some_number(g, UINT8_MAX);
	f->fallbacks = (uint8_t)some_number(g, UINT8_MAX);
	f->deleted = some_bool(g);
	f->written = some_bool(g);
	f->minted = some_bool(g);
	f->dot = some_dot(g);
	f->context = some_bytes(g, CONTEXT_BYTES_MAX);
	f->object = some_bytes(g, 70000);
	if (some_bool(g)) f->http = some_bytes(g, MEMBER_ADDRESS_BYTES_MAX);
}

static inline void make_scan_reply(struct maker *g, struct msg_scan_reply *s)
{
	s->err = some_err(g);
	s->vouched = some_bool(g);
	s->done = some_bool(g);
	s->horizon.v = some_number(g, UINT64_MAX);
	s->count = (uint32_t)some_number(g, ENTRIES);
	s->entries = g->entries;
	for (uint32_t i = 0; i < s->count; i++) {
		struct scan_entry *e = &g->entries[i];
		size_t at = g->used;
		e->store_key = some_key(g, 8);
		put_u64be(g->scratch + at, i); /* rising */
		memset(e->digest, (int)i, sizeof e->digest);
		e->damaged = some_bool(g);
		e->object = e->damaged ? BYTES_EMPTY : some_bytes(g, 5000);
	}
}

static inline void make_body(struct maker *g, struct msg *m)
{
	switch (m->type) {
	case MSG_HEARTBEAT: make_heartbeat(g, &m->heartbeat); break;
	case MSG_PUT:
		m->put =
			(struct msg_put){some_key(g, 0), some_bytes(g, 70000), {some_number(g, UINT64_MAX)}};
		break;
	case MSG_PUT_ACK: m->put_ack.err = some_err(g); break;
	case MSG_GET: m->get = (struct msg_get){some_key(g, 0), some_bool(g)}; break;
	case MSG_GET_REPLY:
		m->get_reply = (struct msg_get_reply){
			.err = some_err(g), .vouched = some_bool(g), .object = some_bytes(g, 70000)};
		if (m->get_reply.err == ERR_OK && m->get_reply.object.len == 0) {
			m->get_reply.seen = some_bytes(g, 700);
			m->get_reply.digest[3] = (uint8_t)(1 + m->get_reply.seen.len);
		}
		break;
	case MSG_FORWARD: make_forward(g, &m->forward.request); break;
	case MSG_FORWARD_REPLY: make_forward_reply(g, &m->forward_reply); break;
	case MSG_SCAN:
		m->scan.partition.v = (uint32_t)some_number(g, PARTITIONS_MAX - 1);
		m->scan.after = some_bytes(g, 8 + FULL_KEY_BYTES_MAX);
		m->scan.objects = some_bool(g);
		m->scan.round.v = some_number(g, UINT64_MAX);
		m->scan.horizon.v = some_number(g, UINT64_MAX);
		break;
	case MSG_SCAN_REPLY: make_scan_reply(g, &m->scan_reply); break;
	case MSG_PROPOSE: m->propose.layout = some_bytes(g, 70000); break;
	case MSG_VOTE: memset(m->vote.hash, 0x5a, sizeof m->vote.hash); break;
	case MSG_LAYOUT: m->layout.layout = some_bytes(g, 70000); break;
	case MSG_PROPS_ASK: m->props_ask.from = (uint32_t)some_number(g, PROPS_BUCKETS_MAX); break;
	case MSG_PROPS:
		m->props.next = (uint32_t)some_number(g, PROPS_BUCKETS_MAX);
		m->props.done = some_bool(g);
		m->props.entries = some_bytes(g, PROPS_PAGE_BYTES_MAX);
		break;
	case MSG_HELD_ASK:
		m->held_ask = (struct msg_held_ask){some_bytes(g, PREFIX_BYTES_MAX), some_bool(g)};
		break;
	case MSG_HELD: m->held = (struct msg_held){some_err(g), some_bool(g)}; break;
	case MSG_REAP:
	case MSG_REAP_DONE:
		m->reap.horizon.v = some_number(g, UINT64_MAX);
		m->reap.step = (enum reap_step)some_number(g, REAP_STEP_END - 1);
		m->reap.waits_for.v = some_number(g, UINT64_MAX);
		break;
	case MSG_LIST:
		m->list.partition.v = (uint32_t)some_number(g, PARTITIONS_MAX - 1);
		m->list.after = some_bytes(g, 8 + FULL_KEY_BYTES_MAX);
		m->list.prefix = some_bytes(g, PREFIX_BYTES_MAX);
		m->list.buckets = some_bool(g);
		m->list.most = (uint32_t)some_number(g, UINT32_MAX);
		break;
	case MSG_LIST_REPLY:
		m->list_reply.err = some_err(g);
		m->list_reply.partition.v = (uint32_t)some_number(g, PARTITIONS_MAX - 1);
		m->list_reply.vouched = some_bool(g);
		m->list_reply.done = some_bool(g);
		m->list_reply.after = some_bytes(g, 8 + FULL_KEY_BYTES_MAX);
		m->list_reply.names = some_bytes(g, 70000);
		break;
	case MSG_TYPE_END: unreachable();
	}
}

static inline struct msg make(struct maker *g, enum msg_type type)
{
	struct msg m;
	memset(&m, 0, sizeof m);
	g->used = 0;
	m.type = type;
	m.id.v = some_number(g, UINT64_MAX);
	m.epoch.v = some_number(g, UINT64_MAX);
	m.hlc.v = some_number(g, UINT64_MAX);
	make_body(g, &m);
	return m;
}

static inline struct maker *maker_new(uint64_t seed)
{
	struct maker *g = calloc(1, sizeof *g);
	assert_non_null(g);
	prng_seed(&g->prng, seed);
	return g;
}

/* Packed on the heap, at its exact size. The caller frees. */
static inline struct bytes pack(const struct msg *m)
{
	struct packer p = {NULL, 0, 0};
	msg_pack(&p, m);
	uint8_t *to = malloc(p.len);
	assert_non_null(to);
	struct packer q = {to, p.len, 0};
	msg_pack(&q, m);
	assert_int_equal(q.len, p.len);
	return bytes_of(to, q.len);
}

static inline struct scan_entry *entries_new(void)
{
	struct scan_entry *e = malloc(SCAN_PAGE_ENTRIES_MAX * sizeof *e);
	assert_non_null(e);
	return e;
}

/* ---- comparison ------------------------------------------------------------------------- */

static inline void same_bytes(struct bytes a, struct bytes b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0) assert_memory_equal(a.data, b.data, a.len);
}

static inline void same_dot(struct dot a, struct dot b)
{
	assert_true(a.actor.v == b.actor.v && a.at.v == b.at.v);
}

static inline void same_heartbeat(const struct msg_heartbeat *a, const struct msg_heartbeat *b)
{
	assert_true(a->wall_ms == b->wall_ms && a->start_nonce == b->start_nonce);
	assert_true(a->beat == b->beat && a->heard_nonce == b->heard_nonce);
	assert_true(a->heard_beat == b->heard_beat);
	assert_true(a->horizon.v == b->horizon.v && a->mortal == b->mortal);
	assert_true(a->fence.v == b->fence.v);
	assert_true(a->epoch.v == b->epoch.v && a->answer == b->answer && a->expect == b->expect);
	assert_true(a->join_count == b->join_count && a->weight == b->weight);
	same_bytes(a->name, b->name);
	same_bytes(a->address, b->address);
	same_bytes(a->zone, b->zone);
}

static inline void same_request(const struct request *a, const struct request *b)
{
	const struct request_options *o = &a->options, *q = &b->options;
	assert_int_equal(a->op, b->op);
	same_bytes(a->key, b->key);
	same_bytes(a->context, b->context);
	same_bytes(a->meta, b->meta);
	same_bytes(a->value, b->value);
	assert_true(o->r == q->r && o->w == q->w && o->pr == q->pr && o->pw == q->pw);
	assert_true(o->dw == q->dw && o->rw == q->rw && o->node_confirms == q->node_confirms);
	assert_true(o->notfound_ok == q->notfound_ok && o->basic_quorum == q->basic_quorum);
	assert_true(o->return_body == q->return_body && o->has_vtag == q->has_vtag);
	assert_true(o->has_context == q->has_context && o->timeout_us == q->timeout_us);
	const struct conditions *c = &a->conditions, *d = &b->conditions;
	assert_true(a->ttl_s == b->ttl_s && c->what == d->what && c->unmodified_s == d->unmodified_s);
	same_bytes(c->match, d->match);
	same_bytes(c->none_match, d->none_match);
	same_bytes(c->context, d->context);
	same_dot(o->vtag, q->vtag);
	assert_true(a->trace.v == b->trace.v);
}

static inline void same_forward_reply(const struct msg_forward_reply *a,
                                      const struct msg_forward_reply *b)
{
	assert_true(a->err == b->err && a->outcome == b->outcome && a->got == b->got);
	assert_true(a->need == b->need && a->n == b->n && a->fallbacks == b->fallbacks);
	assert_true(a->deleted == b->deleted && a->written == b->written && a->minted == b->minted);
	same_dot(a->dot, b->dot);
	same_bytes(a->context, b->context);
	same_bytes(a->object, b->object);
	same_bytes(a->http, b->http);
}

static inline void same_scan_reply(const struct msg_scan_reply *a, const struct msg_scan_reply *b)
{
	assert_true(a->err == b->err && a->vouched == b->vouched && a->done == b->done);
	assert_true(a->horizon.v == b->horizon.v);
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		const struct scan_entry *e = &a->entries[i], *f = &b->entries[i];
		same_bytes(e->store_key, f->store_key);
		assert_memory_equal(e->digest, f->digest, sizeof e->digest);
		same_bytes(e->object, f->object);
		assert_int_equal(e->damaged, f->damaged);
	}
}

static inline void same(const struct msg *a, const struct msg *b)
{
	assert_int_equal(a->type, b->type);
	assert_true(a->id.v == b->id.v && a->epoch.v == b->epoch.v && a->hlc.v == b->hlc.v);
	switch (a->type) {
	case MSG_HEARTBEAT: same_heartbeat(&a->heartbeat, &b->heartbeat); break;
	case MSG_PUT:
		same_bytes(a->put.key, b->put.key);
		same_bytes(a->put.object, b->put.object);
		assert_true(a->put.fence.v == b->put.fence.v);
		break;
	case MSG_PUT_ACK: assert_int_equal(a->put_ack.err, b->put_ack.err); break;
	case MSG_GET:
		same_bytes(a->get.key, b->get.key);
		assert_int_equal(a->get.whole, b->get.whole);
		break;
	case MSG_GET_REPLY:
		assert_int_equal(a->get_reply.err, b->get_reply.err);
		assert_int_equal(a->get_reply.vouched, b->get_reply.vouched);
		same_bytes(a->get_reply.object, b->get_reply.object);
		same_bytes(a->get_reply.seen, b->get_reply.seen);
		assert_memory_equal(a->get_reply.digest, b->get_reply.digest, 16);
		break;
	case MSG_FORWARD: same_request(&a->forward.request, &b->forward.request); break;
	case MSG_FORWARD_REPLY: same_forward_reply(&a->forward_reply, &b->forward_reply); break;
	case MSG_SCAN:
		assert_int_equal(a->scan.partition.v, b->scan.partition.v);
		same_bytes(a->scan.after, b->scan.after);
		assert_int_equal(a->scan.objects, b->scan.objects);
		assert_true(a->scan.round.v == b->scan.round.v);
		assert_true(a->scan.horizon.v == b->scan.horizon.v);
		break;
	case MSG_SCAN_REPLY: same_scan_reply(&a->scan_reply, &b->scan_reply); break;
	case MSG_PROPOSE: same_bytes(a->propose.layout, b->propose.layout); break;
	case MSG_VOTE: assert_memory_equal(a->vote.hash, b->vote.hash, 16); break;
	case MSG_LAYOUT: same_bytes(a->layout.layout, b->layout.layout); break;
	case MSG_PROPS_ASK: assert_int_equal(a->props_ask.from, b->props_ask.from); break;
	case MSG_PROPS:
		assert_int_equal(a->props.next, b->props.next);
		assert_int_equal(a->props.done, b->props.done);
		same_bytes(a->props.entries, b->props.entries);
		break;
	case MSG_HELD_ASK:
		same_bytes(a->held_ask.prefix, b->held_ask.prefix);
		assert_int_equal(a->held_ask.open, b->held_ask.open);
		break;
	case MSG_HELD:
		assert_int_equal(a->held.err, b->held.err);
		assert_int_equal(a->held.held, b->held.held);
		break;
	case MSG_REAP:
	case MSG_REAP_DONE:
		assert_true(a->reap.horizon.v == b->reap.horizon.v);
		assert_int_equal(a->reap.step, b->reap.step);
		assert_true(a->reap.waits_for.v == b->reap.waits_for.v);
		break;
	case MSG_LIST:
		assert_int_equal(a->list.partition.v, b->list.partition.v);
		same_bytes(a->list.after, b->list.after);
		same_bytes(a->list.prefix, b->list.prefix);
		assert_int_equal(a->list.buckets, b->list.buckets);
		assert_int_equal(a->list.most, b->list.most);
		break;
	case MSG_LIST_REPLY:
		assert_int_equal(a->list_reply.err, b->list_reply.err);
		assert_int_equal(a->list_reply.partition.v, b->list_reply.partition.v);
		assert_int_equal(a->list_reply.vouched, b->list_reply.vouched);
		assert_int_equal(a->list_reply.done, b->list_reply.done);
		same_bytes(a->list_reply.after, b->list_reply.after);
		same_bytes(a->list_reply.names, b->list_reply.names);
		break;
	case MSG_TYPE_END: unreachable();
	}
}

#endif
