/* msg.c - messages between nodes as bytes, and back; see msg.h.
 *
 * Each type has one writer and one reader, which name the same fields in the same order. A reader
 * only asks the cursor, which goes bad at the first thing that is not as asked for; msg_unpack looks
 * at that once, at the end.
 *
 * Always true: what msg_unpack accepts, msg_pack writes again byte for byte (tests/fuzz/fuzz_msg.c).
 * Not here: which messages make sense when (core/), frames and pieces (frame.h). */
#include "wire/msg.h"

#include "base/bytes.h"
#include "base/etag.h"
#include "base/full_key.h"
#include "base/panic.h"

enum { HEAD_FIELDS = 4, HASH_BYTES = 8, FIELDS_MAX = 24 };

/* Quorum words are negative, booleans may be "as configured": both are shifted to begin at zero. */
enum { QUORUM_SHIFT = -QUORUM_ALL, BOOL_SHIFT = -BOOL_DEFAULT };

static const uint8_t field_count[MSG_TYPE_END] = {
	[MSG_HEARTBEAT] = 17,     [MSG_PUT] = 3,        [MSG_PUT_ACK] = 1,  [MSG_GET] = 2,
	[MSG_GET_REPLY] = 5,      [MSG_FORWARD] = 23,   [MSG_SCAN] = 5,     [MSG_SCAN_REPLY] = 5,
	[MSG_FORWARD_REPLY] = 13, [MSG_PROPOSE] = 1,    [MSG_VOTE] = 1,     [MSG_LAYOUT] = 1,
	[MSG_PROPS_ASK] = 1,      [MSG_PROPS] = 3,      [MSG_HELD_ASK] = 2, [MSG_HELD] = 2,
	[MSG_LIST] = 5,           [MSG_LIST_REPLY] = 6, [MSG_REAP] = 3,     [MSG_REAP_DONE] = 3,
};

/* Of a traced request the two that forward it have one field more; of no other, so that a message has
 * one encoding. */
static uint32_t fields_of(const struct msg *m)
{
	uint32_t more = 0;
	if (m->type == MSG_FORWARD) more = m->forward.request.trace.v != 0;
	if (m->type == MSG_FORWARD_REPLY) more = m->forward_reply.http.len > 0;
	return HEAD_FIELDS + field_count[m->type] + more;
}

/* Does a message of this type with so many fields have that one? */
static bool has_more(enum msg_type type, uint32_t count)
{
	bool may = type == MSG_FORWARD || type == MSG_FORWARD_REPLY;
	return may && count == (uint32_t)HEAD_FIELDS + field_count[type] + 1;
}

/* ---- shared shapes ----------------------------------------------------------------------- */

static void pack_dot(struct packer *p, struct dot d)
{
	pack_uint(p, d.actor.v);
	pack_uint(p, d.at.v);
}

static struct dot take_dot(struct cursor *c)
{
	struct dot d;
	d.actor.v = cursor_uint(c, UINT64_MAX);
	d.at.v = cursor_uint(c, UINT64_MAX);
	return d;
}

static enum err take_err(struct cursor *c)
{
	return (enum err)cursor_uint(c, ERR_COUNT - 1);
}

static bool full_key_is_sound(struct bytes key)
{
	struct bytes type, bucket, name;
	return full_key_split(key, &type, &bucket, &name);
}

static struct bytes take_key(struct cursor *c)
{
	struct bytes key = cursor_bin(c, FULL_KEY_BYTES_MAX);
	if (!full_key_is_sound(key)) c->bad = true;
	return key;
}

/* Merges are never refused, so an object is bounded by the message it travels in alone. */
static struct bytes take_object(struct cursor *c)
{
	return cursor_bin(c, MSG_BYTES_MAX);
}

/* ---- one writer and one reader per type -------------------------------------------------- */

static void pack_heartbeat(struct packer *p, const struct msg_heartbeat *h)
{
	assert(h->expect <= MEMBERS_MAX && h->join_count <= JOIN_ADDRESSES_MAX);
	assert(h->weight <= MEMBER_WEIGHT_MAX && h->address.len <= MEMBER_ADDRESS_BYTES_MAX);
	assert(h->name.len <= MEMBER_NAME_BYTES_MAX && h->zone.len <= MEMBER_ZONE_BYTES_MAX);
	pack_uint(p, h->wall_ms);
	pack_uint(p, h->start_nonce);
	pack_uint(p, h->beat);
	pack_uint(p, h->horizon.v);
	pack_uint(p, h->fence.v);
	pack_bool(p, h->mortal);
	pack_uint(p, h->heard_nonce);
	pack_uint(p, h->heard_beat);
	pack_uint(p, h->epoch.v);
	pack_bool(p, h->answer);
	pack_uint(p, h->expect);
	pack_uint(p, h->join_count);
	pack_uint(p, h->weight);
	pack_bin(p, h->name);
	pack_bin(p, h->address);
	pack_bin(p, h->zone);
	pack_bin(p, bytes_of(h->props_hash, sizeof h->props_hash));
}

static void take_heartbeat(struct cursor *c, struct msg_heartbeat *h)
{
	h->wall_ms = cursor_uint(c, UINT64_MAX);
	h->start_nonce = cursor_uint(c, UINT64_MAX);
	h->beat = cursor_uint(c, UINT64_MAX);
	h->horizon.v = cursor_uint(c, UINT64_MAX);
	h->fence.v = cursor_uint(c, UINT64_MAX);
	h->mortal = cursor_bool(c);
	h->heard_nonce = cursor_uint(c, UINT64_MAX);
	h->heard_beat = cursor_uint(c, UINT64_MAX);
	h->epoch.v = cursor_uint(c, UINT64_MAX);
	h->answer = cursor_bool(c);
	h->expect = (uint16_t)cursor_uint(c, MEMBERS_MAX);
	h->join_count = (uint16_t)cursor_uint(c, JOIN_ADDRESSES_MAX);
	h->weight = (uint32_t)cursor_uint(c, MEMBER_WEIGHT_MAX);
	h->name = cursor_bin(c, MEMBER_NAME_BYTES_MAX);
	h->address = cursor_bin(c, MEMBER_ADDRESS_BYTES_MAX);
	h->zone = cursor_bin(c, MEMBER_ZONE_BYTES_MAX);
	cursor_bin_exact(c, h->props_hash, sizeof h->props_hash);
}

static void pack_get_reply(struct packer *p, const struct msg_get_reply *g)
{
	pack_uint(p, g->err);
	pack_bool(p, g->vouched);
	pack_bin(p, g->object);
	bool summary = g->err == ERR_OK && g->object.len == 0;
	pack_bin(p, summary ? bytes_of(g->digest, sizeof g->digest) : BYTES_EMPTY);
	pack_bin(p, summary ? g->seen : BYTES_EMPTY);
}

static void take_get_reply(struct cursor *c, struct msg_get_reply *g)
{
	g->err = take_err(c);
	g->vouched = cursor_bool(c);
	g->object = take_object(c);
	bool summary = g->err == ERR_OK && g->object.len == 0;
	struct bytes digest = cursor_bin(c, summary ? sizeof g->digest : 0);
	g->seen = cursor_bin(c, summary ? CAUSAL_BYTES_MAX : 0);
	if (!summary) return;
	if (digest.len == sizeof g->digest)
		memcpy(g->digest, digest.data, digest.len);
	else
		c->bad = true;
}

static void pack_quorum(struct packer *p, int16_t v)
{
	assert(v >= QUORUM_ALL);
	pack_uint(p, (uint64_t)(v + QUORUM_SHIFT));
}

static int16_t take_quorum(struct cursor *c)
{
	return (int16_t)((int)cursor_uint(c, INT16_MAX + QUORUM_SHIFT) - QUORUM_SHIFT);
}

static void pack_choice(struct packer *p, int8_t v)
{
	assert(v >= BOOL_DEFAULT && v <= 1);
	pack_uint(p, (uint64_t)(v + BOOL_SHIFT));
}

static int8_t take_choice(struct cursor *c)
{
	return (int8_t)((int)cursor_uint(c, 1 + BOOL_SHIFT) - BOOL_SHIFT);
}

static void pack_options(struct packer *p, const struct request_options *o)
{
	pack_quorum(p, o->r);
	pack_quorum(p, o->w);
	pack_quorum(p, o->pr);
	pack_quorum(p, o->pw);
	pack_quorum(p, o->dw);
	pack_quorum(p, o->rw);
	pack_quorum(p, o->node_confirms);
	pack_choice(p, o->notfound_ok);
	pack_choice(p, o->basic_quorum);
	pack_bool(p, o->return_body);
	if (o->has_vtag) {
		pack_array(p, 2);
		pack_dot(p, o->vtag);
	} else {
		pack_nil(p);
	}
	pack_uint(p, o->timeout_us);
}

static void take_options(struct cursor *c, struct request_options *o)
{
	o->r = take_quorum(c);
	o->w = take_quorum(c);
	o->pr = take_quorum(c);
	o->pw = take_quorum(c);
	o->dw = take_quorum(c);
	o->rw = take_quorum(c);
	o->node_confirms = take_quorum(c);
	o->notfound_ok = take_choice(c);
	o->basic_quorum = take_choice(c);
	o->return_body = cursor_bool(c);
	o->has_vtag = !cursor_nil(c);
	if (o->has_vtag) {
		cursor_array_exact(c, 2);
		o->vtag = take_dot(c);
	}
	o->timeout_us = cursor_uint(c, REQUEST_TIMEOUT_US_MAX);
}

static void pack_conditions(struct packer *p, const struct conditions *c)
{
	assert(c->match.len <= CONDITION_TAGS_MAX * ETAG_BYTES && c->what <= IF_ALL);
	pack_uint(p, c->what);
	pack_bin(p, c->match);
	pack_bin(p, c->none_match);
	pack_uint(p, c->unmodified_s);
	pack_bin(p, c->context);
}

static struct bytes take_tags(struct cursor *c)
{
	struct bytes tags = cursor_bin(c, CONDITION_TAGS_MAX * ETAG_BYTES);
	if (tags.len % ETAG_BYTES != 0) c->bad = true;
	return tags;
}

static void take_conditions(struct cursor *c, struct conditions *to)
{
	to->what = (uint8_t)cursor_uint(c, IF_ALL);
	to->match = take_tags(c);
	to->none_match = take_tags(c);
	to->unmodified_s = cursor_uint(c, UINT64_MAX);
	to->context = cursor_bin(c, CONTEXT_BYTES_MAX);
}

/* "No context" and "an empty context" are two things: nil, and a bin of length 0. */
static void pack_forward(struct packer *p, const struct request *r)
{
	assert(implies(!r->options.has_context, r->context.len == 0));
	pack_uint(p, r->op);
	pack_bin(p, r->key);
	if (r->options.has_context)
		pack_bin(p, r->context);
	else
		pack_nil(p);
	pack_bin(p, r->meta);
	pack_bin(p, r->value);
	pack_options(p, &r->options);
	pack_uint(p, r->ttl_s);
	pack_conditions(p, &r->conditions);
	if (r->trace.v != 0) pack_uint(p, r->trace.v);
}

static void take_forward(struct cursor *c, struct request *r, bool more)
{
	r->op = (enum request_op)cursor_uint(c, REQUEST_OP_COUNT - 1);
	r->key = take_key(c);
	bool has_context = !cursor_nil(c);
	if (has_context) r->context = cursor_bin(c, CONTEXT_BYTES_MAX);
	r->meta = cursor_bin(c, META_BYTES_MAX);
	r->value = cursor_bin(c, OBJECT_BYTES_MAX);
	if (r->op == REQUEST_INCREMENT && r->value.len != INCREMENT_BYTES) c->bad = true;
	take_options(c, &r->options);
	r->options.has_context = has_context;
	r->ttl_s = cursor_uint(c, TTL_SECONDS_MAX);
	take_conditions(c, &r->conditions);
	if (!more) return;
	r->trace.v = cursor_uint(c, UINT64_MAX);
	if (r->trace.v == 0) c->bad = true;
}

static void pack_forward_reply(struct packer *p, const struct msg_forward_reply *f)
{
	pack_uint(p, f->err);
	pack_uint(p, f->outcome);
	pack_uint(p, f->got);
	pack_uint(p, f->need);
	pack_uint(p, f->n);
	pack_uint(p, f->fallbacks);
	pack_bool(p, f->deleted);
	pack_bool(p, f->written);
	pack_bool(p, f->minted);
	pack_dot(p, f->dot);
	pack_bin(p, f->context);
	pack_bin(p, f->object);
	assert(f->http.len <= MEMBER_ADDRESS_BYTES_MAX);
	if (f->http.len > 0) pack_bin(p, f->http);
}

static void take_forward_reply(struct cursor *c, struct msg_forward_reply *f, bool more)
{
	f->err = take_err(c);
	f->outcome = (enum outcome)cursor_uint(c, OUTCOME_COUNT - 1);
	f->got = (uint8_t)cursor_uint(c, UINT8_MAX);
	f->need = (uint8_t)cursor_uint(c, UINT8_MAX);
	f->n = (uint8_t)cursor_uint(c, UINT8_MAX);
	f->fallbacks = (uint8_t)cursor_uint(c, UINT8_MAX);
	f->deleted = cursor_bool(c);
	f->written = cursor_bool(c);
	f->minted = cursor_bool(c);
	f->dot = take_dot(c);
	f->context = cursor_bin(c, CONTEXT_BYTES_MAX);
	f->object = take_object(c);
	if (!more) return;
	f->http = cursor_bin(c, MEMBER_ADDRESS_BYTES_MAX);
	if (f->http.len == 0) c->bad = true;
}

static void pack_reap(struct packer *p, const struct msg_reap *r)
{
	pack_uint(p, r->horizon.v);
	pack_uint(p, r->step);
	pack_uint(p, r->waits_for.v);
}

static void take_reap(struct cursor *c, struct msg_reap *r)
{
	r->horizon.v = cursor_uint(c, UINT64_MAX);
	r->step = (enum reap_step)cursor_uint(c, REAP_STEP_END - 1);
	r->waits_for.v = cursor_uint(c, UINT64_MAX);
}

static void pack_scan(struct packer *p, const struct msg_scan *s)
{
	pack_uint(p, s->partition.v);
	pack_bin(p, s->after);
	pack_bool(p, s->objects);
	pack_uint(p, s->round.v);
	pack_uint(p, s->horizon.v);
}

static void take_scan(struct cursor *c, struct msg_scan *s)
{
	s->partition.v = (uint32_t)cursor_uint(c, PARTITIONS_MAX - 1);
	s->after = cursor_bin(c, HASH_BYTES + FULL_KEY_BYTES_MAX);
	s->objects = cursor_bool(c);
	s->round.v = cursor_uint(c, UINT64_MAX);
	s->horizon.v = cursor_uint(c, UINT64_MAX);
}

static void pack_scan_reply(struct packer *p, const struct msg_scan_reply *s)
{
	assert(s->count <= SCAN_PAGE_ENTRIES_MAX);
	pack_uint(p, s->err);
	pack_bool(p, s->vouched);
	pack_bool(p, s->done);
	pack_uint(p, s->horizon.v);
	pack_array(p, s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct scan_entry *e = &s->entries[i];
		pack_array(p, 4);
		pack_bin(p, e->store_key);
		pack_bin(p, bytes_of(e->digest, sizeof e->digest));
		pack_bin(p, e->object);
		pack_bool(p, e->damaged);
	}
}

static void take_entry(struct cursor *c, struct scan_entry *e)
{
	cursor_array_exact(c, 4);
	e->store_key = cursor_bin(c, HASH_BYTES + FULL_KEY_BYTES_MAX);
	cursor_bin_exact(c, e->digest, sizeof e->digest);
	e->object = take_object(c);
	e->damaged = cursor_bool(c);
	if (e->damaged && e->object.len > 0) c->bad = true;
	/* A damaged stretch may have a place only, and no key that is one. */
	struct bytes key = e->store_key;
	if (key.len <= HASH_BYTES)
		c->bad = true;
	else if (!e->damaged)
		c->bad |= !full_key_is_sound(bytes_of(key.data + HASH_BYTES, key.len - HASH_BYTES));
}

static void take_scan_reply(struct cursor *c, struct msg_scan_reply *s, struct scan_entry *entries)
{
	s->err = take_err(c);
	s->vouched = cursor_bool(c);
	s->done = cursor_bool(c);
	s->horizon.v = cursor_uint(c, UINT64_MAX);
	s->count = cursor_array(c, SCAN_PAGE_ENTRIES_MAX);
	s->entries = entries;
	for (uint32_t i = 0; i < s->count && !c->bad; i++) {
		take_entry(c, &entries[i]);
		if (i > 0 && bytes_compare(entries[i - 1].store_key, entries[i].store_key) >= 0)
			c->bad = true;
	}
}

static void pack_props(struct packer *p, const struct msg_props *m)
{
	pack_uint(p, m->next);
	pack_bool(p, m->done);
	pack_bin(p, m->entries);
}

static void take_props(struct cursor *c, struct msg_props *m)
{
	m->next = (uint32_t)cursor_uint(c, PROPS_BUCKETS_MAX);
	m->done = cursor_bool(c);
	m->entries = cursor_bin(c, PROPS_PAGE_BYTES_MAX);
}

static void pack_list(struct packer *p, const struct msg_list *l)
{
	pack_uint(p, l->partition.v);
	pack_bin(p, l->after);
	pack_bin(p, l->prefix);
	pack_bool(p, l->buckets);
	pack_uint(p, l->most);
}

static void take_list(struct cursor *c, struct msg_list *l)
{
	l->partition.v = (uint32_t)cursor_uint(c, PARTITIONS_MAX - 1);
	l->after = cursor_bin(c, HASH_BYTES + FULL_KEY_BYTES_MAX);
	l->prefix = cursor_bin(c, PREFIX_BYTES_MAX);
	l->buckets = cursor_bool(c);
	l->most = (uint32_t)cursor_uint(c, UINT32_MAX);
}

static void pack_list_reply(struct packer *p, const struct msg_list_reply *l)
{
	pack_uint(p, l->err);
	pack_uint(p, l->partition.v);
	pack_bool(p, l->vouched);
	pack_bool(p, l->done);
	pack_bin(p, l->after);
	pack_bin(p, l->names);
}

static void take_list_reply(struct cursor *c, struct msg_list_reply *l)
{
	l->err = take_err(c);
	l->partition.v = (uint32_t)cursor_uint(c, PARTITIONS_MAX - 1);
	l->vouched = cursor_bool(c);
	l->done = cursor_bool(c);
	l->after = cursor_bin(c, HASH_BYTES + FULL_KEY_BYTES_MAX);
	l->names = cursor_bin(c, MSG_BYTES_MAX);
}

/* ---- whole messages ---------------------------------------------------------------------- */

static void pack_body(struct packer *p, const struct msg *m)
{
	switch (m->type) {
	case MSG_HEARTBEAT: pack_heartbeat(p, &m->heartbeat); return;
	case MSG_PUT:
		pack_bin(p, m->put.key);
		pack_bin(p, m->put.object);
		pack_uint(p, m->put.fence.v);
		return;
	case MSG_PUT_ACK: pack_uint(p, m->put_ack.err); return;
	case MSG_GET:
		pack_bin(p, m->get.key);
		pack_bool(p, m->get.whole);
		return;
	case MSG_GET_REPLY: pack_get_reply(p, &m->get_reply); return;
	case MSG_FORWARD: pack_forward(p, &m->forward.request); return;
	case MSG_FORWARD_REPLY: pack_forward_reply(p, &m->forward_reply); return;
	case MSG_SCAN: pack_scan(p, &m->scan); return;
	case MSG_SCAN_REPLY: pack_scan_reply(p, &m->scan_reply); return;
	case MSG_PROPOSE: pack_bin(p, m->propose.layout); return;
	case MSG_VOTE: pack_bin(p, bytes_of(m->vote.hash, sizeof m->vote.hash)); return;
	case MSG_LAYOUT: pack_bin(p, m->layout.layout); return;
	case MSG_PROPS_ASK: pack_uint(p, m->props_ask.from); return;
	case MSG_PROPS: pack_props(p, &m->props); return;
	case MSG_HELD_ASK:
		pack_bin(p, m->held_ask.prefix);
		pack_bool(p, m->held_ask.open);
		return;
	case MSG_HELD:
		pack_uint(p, m->held.err);
		pack_bool(p, m->held.held);
		return;
	case MSG_LIST: pack_list(p, &m->list); return;
	case MSG_LIST_REPLY: pack_list_reply(p, &m->list_reply); return;
	case MSG_REAP:
	case MSG_REAP_DONE: pack_reap(p, &m->reap); return;
	case MSG_TYPE_END: break;
	}
	unreachable();
}

static void take_body(struct cursor *c, struct msg *m, bool more, struct scan_entry *entries)
{
	switch (m->type) {
	case MSG_HEARTBEAT: take_heartbeat(c, &m->heartbeat); return;
	case MSG_PUT:
		m->put.key = take_key(c);
		m->put.object = take_object(c);
		m->put.fence.v = cursor_uint(c, UINT64_MAX);
		return;
	case MSG_PUT_ACK: m->put_ack.err = take_err(c); return;
	case MSG_GET:
		m->get.key = take_key(c);
		m->get.whole = cursor_bool(c);
		return;
	case MSG_GET_REPLY: take_get_reply(c, &m->get_reply); return;
	case MSG_FORWARD: take_forward(c, &m->forward.request, more); return;
	case MSG_FORWARD_REPLY: take_forward_reply(c, &m->forward_reply, more); return;
	case MSG_SCAN: take_scan(c, &m->scan); return;
	case MSG_SCAN_REPLY: take_scan_reply(c, &m->scan_reply, entries); return;
	case MSG_PROPOSE: m->propose.layout = cursor_bin(c, MSG_BYTES_MAX); return;
	case MSG_VOTE: cursor_bin_exact(c, m->vote.hash, sizeof m->vote.hash); return;
	case MSG_LAYOUT: m->layout.layout = cursor_bin(c, MSG_BYTES_MAX); return;
	case MSG_PROPS_ASK: m->props_ask.from = (uint32_t)cursor_uint(c, PROPS_BUCKETS_MAX); return;
	case MSG_PROPS: take_props(c, &m->props); return;
	case MSG_HELD_ASK:
		m->held_ask.prefix = cursor_bin(c, PREFIX_BYTES_MAX);
		m->held_ask.open = cursor_bool(c);
		return;
	case MSG_HELD:
		m->held.err = take_err(c);
		m->held.held = cursor_bool(c);
		return;
	case MSG_LIST: take_list(c, &m->list); return;
	case MSG_LIST_REPLY: take_list_reply(c, &m->list_reply); return;
	case MSG_REAP:
	case MSG_REAP_DONE: take_reap(c, &m->reap); return;
	case MSG_TYPE_END: break;
	}
	unreachable();
}

void msg_pack(struct packer *p, const struct msg *m)
{
	assert(m->type >= MSG_HEARTBEAT && m->type < MSG_TYPE_END);
	pack_array(p, fields_of(m));
	pack_uint(p, m->type);
	pack_uint(p, m->id.v);
	pack_uint(p, m->epoch.v);
	pack_uint(p, m->hlc.v);
	pack_body(p, m);
}

enum err msg_unpack(struct bytes in, struct msg *out, struct scan_entry *entries)
{
	assert(out != NULL && entries != NULL);
	memset(out, 0, sizeof *out);
	if (in.len > MSG_BYTES_MAX) return ERR_BAD_BYTES;
	struct cursor c = cursor_of(in);
	uint32_t count = cursor_array(&c, HEAD_FIELDS + FIELDS_MAX);
	uint64_t type = cursor_uint(&c, MSG_TYPE_END - 1);
	/* Row 0 has no fields and no type: a bad cursor ends here too. */
	if (type < MSG_HEARTBEAT) return ERR_BAD_BYTES;
	bool more = has_more((enum msg_type)type, count);
	if (count != (uint32_t)HEAD_FIELDS + field_count[type] + more) return ERR_BAD_BYTES;
	out->type = (enum msg_type)type;
	out->id.v = cursor_uint(&c, UINT64_MAX);
	out->epoch.v = cursor_uint(&c, UINT64_MAX);
	out->hlc.v = cursor_uint(&c, UINT64_MAX);
	take_body(&c, out, more, entries);
	return cursor_finished(&c) ? ERR_OK : ERR_BAD_BYTES;
}
