/* merkle.c - see merkle.h. */
#include "tests/lab/merkle.h"

#include <stdlib.h>

enum { ANY = 0xffffff, DIGEST_BYTES = 8, CHILDREN_BYTES = DIGEST_BYTES * MERKLE_FAN };

/* ---- trees ---------------------------------------------------------------------------------- */

unsigned merkle_depth(uint32_t keys)
{
	unsigned depth = 1;
	while (depth < MERKLE_DEPTH_MAX && keys > (uint32_t)MERKLE_LEAF_KEYS << MERKLE_BITS * depth)
		depth++;
	return depth;
}

void merkle_init(struct merkle *m, const struct merkle_scope *scopes, uint32_t count)
{
	assert(count <= MERKLE_SCOPES_MAX);
	*m = (struct merkle){.scopes = count};
	memcpy(m->scope, scopes, count * sizeof *scopes);
}

static void tree_free(struct merkle_tree *t)
{
	for (unsigned i = 0; i <= MERKLE_DEPTH_MAX; i++) free(t->level[i]);
}

void merkle_free(struct merkle *m)
{
	for (uint16_t n = 0; n < LAB_NODES; n++) {
		for (uint32_t s = 0; s < MERKLE_SCOPES_MAX; s++) {
			tree_free(&m->asks[n][s]);
			tree_free(&m->answers[n][s]);
		}
	}
}

static uint32_t leaf_of(const struct merkle_tree *t, uint64_t hash)
{
	return (uint32_t)(hash >> (64 - MERKLE_BITS * t->depth));
}

/* Is it of the scope, as of the moment when the tree was made? What is from the future is new. */
static bool is_in(const struct merkle_scope *s, const struct merkle_tree *t, const struct held *h)
{
	uint64_t ms = hlc_ms(h->newest.at), age = ms < t->now_ms ? t->now_ms - ms : 0;
	return h->data != NULL && age >= s->age_from_ms && age < s->age_to_ms;
}

static void tree_make(struct lab *l, const struct merkle_scope *s, uint16_t node,
                      struct merkle_tree *t)
{
	const struct keys *k = &l->ground->keys;
	t->depth = s->depth;
	t->now_ms = lab_wall(l, node).ms;
	for (unsigned i = 0; i <= t->depth; i++) {
		size_t bytes = sizeof(uint64_t) << MERKLE_BITS * i;
		if (t->level[i] == NULL) t->level[i] = malloc(bytes);
		assert(t->level[i] != NULL);
		memset(t->level[i], 0, bytes);
	}
	for (uint32_t i = 0; i < k->count; i++) {
		const struct held *h = &l->node[node].held[i];
		if (is_in(s, t, h)) t->level[t->depth][leaf_of(t, k->hash[i].v)] ^= h->x;
	}
	for (unsigned i = t->depth; i > 0; i--)
		for (uint32_t n = 0; n < 1U << MERKLE_BITS * i; n++)
			t->level[i - 1][n >> MERKLE_BITS] ^= t->level[i][n];
}

/* The places of the keys in a leaf. */
static void leaf_range(const struct lab *l, const struct merkle_tree *t, uint32_t leaf,
                       uint32_t *from, uint32_t *until)
{
	unsigned shift = 64 - MERKLE_BITS * t->depth;
	*from = keys_from(&l->ground->keys, (uint64_t)leaf << shift);
	bool last = leaf + 1 == 1U << MERKLE_BITS * t->depth;
	*until =
		last ? l->ground->keys.count : keys_from(&l->ground->keys, ((uint64_t)leaf + 1) << shift);
}

/* ---- lists of numbers ----------------------------------------------------------------------- */

struct list {
	uint32_t *at, count, room;
};

static void list_add(struct list *v, uint32_t n)
{
	if (v->count == v->room) {
		v->room = v->room == 0 ? 64 : 2 * v->room;
		v->at = realloc(v->at, v->room * sizeof *v->at);
		assert(v->at != NULL);
	}
	v->at[v->count++] = n;
}

static void pack_list(struct packer *p, const struct list *v)
{
	pack_array(p, v->count);
	for (uint32_t i = 0; i < v->count; i++) pack_uint(p, v->at[i]);
}

static struct list take_list(struct cursor *c, uint32_t max)
{
	struct list v = {0};
	uint32_t count = cursor_array(c, ANY);
	for (uint32_t i = 0; i < count; i++) list_add(&v, (uint32_t)cursor_uint(c, max));
	assert(!c->bad);
	return v;
}

/* ---- the responder -------------------------------------------------------------------------- */

static void say_nodes(struct lab *l, const struct merkle_tree *t, uint16_t node,
                      const struct letter_in *in, uint32_t scope, unsigned level,
                      const struct list *parents)
{
	struct letter o;
	letter_open(l, &o, node, LETTER_NODES, in->id, 3);
	pack_uint(&o.p, scope);
	pack_uint(&o.p, level);
	pack_array(&o.p, 2 * parents->count);
	for (uint32_t i = 0; i < parents->count; i++) {
		uint8_t digests[CHILDREN_BYTES];
		for (uint32_t c = 0; c < MERKLE_FAN; c++)
			put_u64be(digests + c * DIGEST_BYTES, t->level[level][parents->at[i] * MERKLE_FAN + c]);
		pack_uint(&o.p, parents->at[i]);
		pack_bin(&o.p, bytes_of(digests, sizeof digests));
	}
	letter_send(l, &o, node, in->from);
}

static enum merkle_event on_root(struct lab *l, struct merkle *m, uint16_t node,
                                 struct letter_in *in, uint32_t scope)
{
	struct merkle_tree *t = &m->answers[node][scope];
	uint64_t root = cursor_uint(&in->c, UINT64_MAX);
	tree_make(l, &m->scope[scope], node, t);
	if (t->level[0][0] == root) {
		struct letter o;
		letter_open(l, &o, node, LETTER_SAME, in->id, 1);
		pack_uint(&o.p, scope);
		letter_send(l, &o, node, in->from);
		return MERKLE_SERVED;
	}
	uint32_t zero = 0;
	say_nodes(l, t, node, in, scope, 1, &(struct list){&zero, 1, 1});
	return MERKLE_GOES_ON;
}

static void on_ask(struct lab *l, struct merkle *m, uint16_t node, struct letter_in *in,
                   uint32_t scope)
{
	unsigned level = (unsigned)cursor_uint(&in->c, MERKLE_DEPTH_MAX);
	struct list parents = take_list(&in->c, UINT32_MAX);
	say_nodes(l, &m->answers[node][scope], node, in, scope, level + 1, &parents);
	free(parents.at);
}

/* The keys of the scope that are in these leaves. */
static struct list keys_in(struct lab *l, const struct merkle *m, const struct merkle_tree *t,
                           uint16_t node, uint32_t scope, const struct list *leaves)
{
	struct list keys = {0};
	for (uint32_t i = 0; i < leaves->count; i++) {
		uint32_t from, until;
		leaf_range(l, t, leaves->at[i], &from, &until);
		for (uint32_t k = from; k < until; k++)
			if (is_in(&m->scope[scope], t, &l->node[node].held[k])) list_add(&keys, k);
	}
	return keys;
}

static void pack_key(struct lab *l, struct packer *p, uint32_t key)
{
	uint8_t full[LAB_KEY_BYTES];
	pack_bin(p, keys_full(&l->ground->keys, key, full));
}

static void pack_seen(struct lab *l, struct packer *p, uint16_t node, uint32_t key)
{
	struct arena_mark mark = arena_mark(&l->arena);
	struct object o = lab_object(l, lab_held(l, node, key));
	uint8_t room[CAUSAL_BYTES_MAX];
	struct packer seen = {.to = room, .capacity = sizeof room};
	dvv_pack(&seen, &o.seen);
	assert(pack_fits(&seen));
	pack_bin(p, bytes_of(room, seen.len));
	arena_release(&l->arena, mark);
}

static void on_ask_keys(struct lab *l, struct merkle *m, uint16_t node, struct letter_in *in,
                        uint32_t scope)
{
	struct letter o;
	struct list leaves = take_list(&in->c, UINT32_MAX);
	struct list keys = keys_in(l, m, &m->answers[node][scope], node, scope, &leaves);
	letter_open(l, &o, node, LETTER_KEYS, in->id, 3);
	pack_uint(&o.p, scope);
	pack_list(&o.p, &leaves);
	pack_array(&o.p, 2 * keys.count);
	for (uint32_t i = 0; i < keys.count; i++) {
		pack_key(l, &o.p, keys.at[i]);
		pack_seen(l, &o.p, node, keys.at[i]);
	}
	letter_send(l, &o, node, in->from);
	free(leaves.at);
	free(keys.at);
}

static enum merkle_event on_want(struct lab *l, uint16_t node, struct letter_in *in)
{
	struct list keys = {0};
	uint32_t count = cursor_array(&in->c, ANY);
	for (uint32_t i = 0; i < count; i++)
		list_add(&keys, keys_find(&l->ground->keys, cursor_bin(&in->c, FULL_KEY_BYTES_MAX)));
	assert(!in->c.bad);
	letter_records(l, node, in->from, in->id, keys.at, keys.count);
	free(keys.at);
	return MERKLE_SERVED;
}

/* ---- the initiator -------------------------------------------------------------------------- */

void merkle_begin(struct lab *l, struct merkle *m, uint16_t node, uint16_t peer, uint32_t scope)
{
	struct letter o;
	struct merkle_tree *t = &m->asks[node][scope];
	if (l->down) return;
	m->round[node][scope] = (struct merkle_round){lab_ticket(l), peer};
	tree_make(l, &m->scope[scope], node, t);
	letter_open(l, &o, node, LETTER_ROOT, m->round[node][scope].id, 2);
	pack_uint(&o.p, scope);
	pack_uint(&o.p, t->level[0][0]);
	letter_send(l, &o, node, peer);
}

static enum merkle_event over(struct merkle_round *r)
{
	r->id = 0;
	return MERKLE_ENDED;
}

/* Which children are not as ours? */
static struct list differing(struct letter_in *in, const struct merkle_tree *t, unsigned level)
{
	struct list found = {0};
	uint32_t count = cursor_array(&in->c, ANY) / 2;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t parent = (uint32_t)cursor_uint(&in->c, UINT32_MAX);
		struct bytes digests = cursor_bin(&in->c, CHILDREN_BYTES);
		assert(digests.len == CHILDREN_BYTES);
		for (uint32_t c = 0; c < MERKLE_FAN; c++) {
			uint32_t child = parent * MERKLE_FAN + c;
			if (get_u64be(digests.data + c * DIGEST_BYTES) != t->level[level][child])
				list_add(&found, child);
		}
	}
	return found;
}

static enum merkle_event on_nodes(struct lab *l, struct merkle *m, uint16_t node,
                                  struct letter_in *in, uint32_t scope)
{
	struct letter o;
	struct merkle_tree *t = &m->asks[node][scope];
	unsigned level = (unsigned)cursor_uint(&in->c, MERKLE_DEPTH_MAX);
	struct list found = differing(in, t, level);
	bool leaves = level == t->depth;
	assert(found.count > 0);
	letter_open(l, &o, node, leaves ? LETTER_ASK_KEYS : LETTER_ASK, in->id, leaves ? 2 : 3);
	pack_uint(&o.p, scope);
	if (!leaves) pack_uint(&o.p, level);
	pack_list(&o.p, &found);
	letter_send(l, &o, node, in->from);
	free(found.at);
	return MERKLE_GOES_ON;
}

/* Of one key that the peer lists: is there something new there, or here? */
static void compare_key(struct lab *l, uint16_t node, uint32_t key, struct bytes seen,
                        struct list *push, struct list *want)
{
	struct arena_mark mark = arena_mark(&l->arena);
	struct dvv theirs;
	struct cursor c = cursor_of(seen);
	enum err e = dvv_unpack(&c, &l->arena, &theirs);
	assert(e == ERR_OK);
	struct object mine = lab_object(l, lab_held(l, node, key));
	if (!dvv_includes(&mine.seen, &theirs)) list_add(want, key);
	if (!dvv_includes(&theirs, &mine.seen)) list_add(push, key);
	arena_release(&l->arena, mark);
}

static void say_want(struct lab *l, uint16_t node, const struct letter_in *in,
                     const struct list *want)
{
	struct letter o;
	letter_open(l, &o, node, LETTER_WANT, in->id, 1);
	pack_array(&o.p, want->count);
	for (uint32_t i = 0; i < want->count; i++) pack_key(l, &o.p, want->at[i]);
	letter_send(l, &o, node, in->from);
}

/* Both lists are in order of place: what is only in ours is pushed. */
static enum merkle_event on_keys(struct lab *l, struct merkle *m, uint16_t node,
                                 struct letter_in *in, uint32_t scope)
{
	struct list push = {0}, want = {0}, leaves = take_list(&in->c, UINT32_MAX);
	struct list mine = keys_in(l, m, &m->asks[node][scope], node, scope, &leaves);
	uint32_t count = cursor_array(&in->c, ANY) / 2, at = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t key = keys_find(&l->ground->keys, cursor_bin(&in->c, FULL_KEY_BYTES_MAX));
		struct bytes seen = cursor_bin(&in->c, CAUSAL_BYTES_MAX);
		while (at < mine.count && mine.at[at] < key) list_add(&push, mine.at[at++]);
		if (at < mine.count && mine.at[at] == key) at++;
		compare_key(l, node, key, seen, &push, &want);
	}
	while (at < mine.count) list_add(&push, mine.at[at++]);
	assert(cursor_finished(&in->c));
	letter_records(l, node, in->from, in->id, push.at, push.count);
	say_want(l, node, in, &want);
	bool ended = want.count == 0;
	free(push.at);
	free(want.at);
	free(leaves.at);
	free(mine.at);
	return ended ? over(&m->round[node][scope]) : MERKLE_GOES_ON;
}

/* ---- letters -------------------------------------------------------------------------------- */

/* Records come to both sides: the initiator's, asked for, end its round. */
static enum merkle_event on_records(struct lab *l, struct merkle *m, uint16_t node,
                                    struct letter_in *in)
{
	letter_merge(l, node, in);
	for (uint32_t s = 0; s < m->scopes; s++)
		if (m->round[node][s].id == in->id) return over(&m->round[node][s]);
	return MERKLE_GOES_ON;
}

enum merkle_event merkle_on_letter(struct lab *l, struct merkle *m, uint16_t node,
                                   struct letter_in *in)
{
	if (in->type == LETTER_RECORDS) return on_records(l, m, node, in);
	if (in->type == LETTER_WANT) return on_want(l, node, in);
	uint32_t scope = (uint32_t)cursor_uint(&in->c, m->scopes - 1);
	bool mine = m->round[node][scope].id == in->id;
	switch (in->type) {
	case LETTER_ROOT: return on_root(l, m, node, in, scope);
	case LETTER_ASK: on_ask(l, m, node, in, scope); return MERKLE_GOES_ON;
	case LETTER_ASK_KEYS: on_ask_keys(l, m, node, in, scope); return MERKLE_GOES_ON;
	/* Of a round that was given up: nobody waits for it any more. */
	case LETTER_SAME: return mine ? over(&m->round[node][scope]) : MERKLE_GOES_ON;
	case LETTER_NODES: return mine ? on_nodes(l, m, node, in, scope) : MERKLE_GOES_ON;
	case LETTER_KEYS: return mine ? on_keys(l, m, node, in, scope) : MERKLE_GOES_ON;
	default: unreachable();
	}
}
