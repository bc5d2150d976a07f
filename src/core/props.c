/* props.c - bucket properties: a replicated map, and what is in force for a key.
 *
 *   bucket > type > configuration of the type > table (dunlin/props.h)
 *
 * For each bucket of which something was said there is an entry with one cell a property: what was
 * said last, by (HLC, actor) of the change. Merging takes the greater stamp cell by cell, so the maps
 * of all nodes become the same in whatever order changes reach them. A cell that was let go of keeps
 * its stamp.
 *
 * Always true: what is in force is durable here (an entry is adopted when the store answered its
 * write); one change at a time is on its way to the store, and it was made of the entries as they are.
 * Not here: who is told, and when (props_gossip.c); a client's change (props_change.c). */
#include "core/core.h"

#include <sodium/crypto_shorthash_siphash24.h>

enum { CELL_FIELDS = 4, VALUE_SHIFT = -QUORUM_ALL };

/* ---- keys ---------------------------------------------------------------------------------------- */

bool props_key(struct arena *a, struct bytes type, struct bytes bucket, struct bytes *out)
{
	assert(type.len <= TYPE_BYTES_MAX && bucket.len <= BUCKET_BYTES_MAX);
	uint8_t *to = arena_take(a, 4 + type.len + bucket.len);
	if (to == NULL) return false;
	put_u16be(to, (uint16_t)type.len);
	if (type.len > 0) memcpy(to + 2, type.data, type.len);
	put_u16be(to + 2 + type.len, (uint16_t)bucket.len);
	if (bucket.len > 0) memcpy(to + 4 + type.len, bucket.data, bucket.len);
	*out = bytes_of(to, 4 + type.len + bucket.len);
	return true;
}

/* What a full key begins with. */
static struct bytes key_of_bucket(struct bytes full_key)
{
	size_t type = get_u16be(full_key.data);
	size_t bucket = get_u16be(full_key.data + 2 + type);
	assert(4 + type + bucket < full_key.len);
	return bytes_of(full_key.data, 4 + type + bucket);
}

static struct bytes type_of(struct bytes key)
{
	return bytes_of(key.data + 2, get_u16be(key.data));
}

static bool is_of_type(struct bytes key)
{
	return key.len == 4U + get_u16be(key.data);
}

/* Is it a type and a bucket (or none), each behind its length? */
static bool key_is_sound(struct bytes key)
{
	if (key.len < 5 || key.len > PREFIX_BYTES_MAX) return false;
	size_t type = get_u16be(key.data);
	if (type == 0 || type > TYPE_BYTES_MAX || key.len < 4 + type) return false;
	size_t bucket = get_u16be(key.data + 2 + type);
	return bucket <= BUCKET_BYTES_MAX && key.len == 4 + type + bucket;
}

static uint32_t *chain_of(const struct node *n, struct bytes key)
{
	return (uint32_t *)&n->props.chains[key_hash_of(key).v % PROPS_CHAINS];
}

struct props_entry *props_find(const struct node *n, struct bytes key)
{
	if (n->props.count == 0) return NULL;
	for (uint32_t i = *chain_of(n, key); i != 0;) {
		struct props_entry *e = n->props.list[i - 1];
		if (bytes_equal(e->key, key)) return e;
		i = e->next;
	}
	return NULL;
}

/* ---- what is in force ------------------------------------------------------------------------------ */

int props_type_find(const struct node *n, struct bytes type)
{
	for (uint32_t i = 0; i < n->props.type_count; i++)
		if (bytes_equal(n->props.types[i].name, type)) return (int)i;
	return -1;
}

static void apply_cells(const struct props_entry *e, struct props *to)
{
	for (uint32_t i = 0; e != NULL && i < PROP_COUNT; i++)
		if (e->cells[i].set) to->v[i] = e->cells[i].value;
}

static struct props_entry *entry_of_type(const struct node *n, struct bytes type)
{
	uint8_t key[PREFIX_BYTES_MAX];
	put_u16be(key, (uint16_t)type.len);
	memcpy(key + 2, type.data, type.len);
	put_u16be(key + 2 + type.len, 0);
	return props_find(n, bytes_of(key, 4 + type.len));
}

void props_resolve(const struct node *n, struct bytes type, const struct props_entry *e,
                   struct props *out)
{
	int index = props_type_find(n, type);
	*out = index < 0 ? n->props.other : n->props.types[index].declared;
	bool of_type = e != NULL && is_of_type(e->key);
	if (!of_type) apply_cells(entry_of_type(n, type), out);
	apply_cells(e, out);
}

const struct props *props_of(const struct node *n, struct bytes full_key)
{
	const struct props_entry *e = props_find(n, key_of_bucket(full_key));
	if (e != NULL) return &e->now;
	int index = props_type_find(n, type_of(full_key));
	return index < 0 ? &n->props.other : &n->props.types[index].now;
}

uint8_t props_n(const struct node *n, const struct props *p)
{
	int64_t v = p->v[PROP_n_val];
	assert(v >= 0 && n->layout.replicas > 0);
	return v == 0 || v > n->layout.replicas ? n->layout.replicas : (uint8_t)v;
}

bool props_keep_siblings(const struct props *p)
{
	return p->v[PROP_allow_mult] != 0 && p->v[PROP_last_write_wins] == 0;
}

enum err node_props(const struct node *n, struct bytes type, struct bytes bucket, struct props *out)
{
	uint8_t key[PREFIX_BYTES_MAX];
	if (type.len == 0 || type.len > TYPE_BYTES_MAX || bucket.len > BUCKET_BYTES_MAX)
		return ERR_BAD_BYTES;
	if (props_type_find(n, type) < 0) return ERR_NO_TYPE;
	put_u16be(key, (uint16_t)type.len);
	memcpy(key + 2, type.data, type.len);
	put_u16be(key + 2 + type.len, (uint16_t)bucket.len);
	if (bucket.len > 0) memcpy(key + 4 + type.len, bucket.data, bucket.len);
	props_resolve(n, type, props_find(n, bytes_of(key, 4 + type.len + bucket.len)), out);
	if (n->formed) out->v[PROP_n_val] = props_n(n, out);
	return ERR_OK;
}

/* ---- at the start ------------------------------------------------------------------------------------ */

static struct props of_table(void)
{
	struct props p;
	for (uint32_t i = 0; i < PROP_COUNT; i++) p.v[i] = prop_row(i).value;
	return p;
}

void props_init(struct node *n, const struct node_config *c)
{
	assert(c->type_count <= BUCKET_TYPES_MAX);
	struct props_map *m = &n->props;
	bool ok = true;
	m->other = of_table();
	m->types = arena_take(&n->arena, (c->type_count + 1) * sizeof *m->types);
	assert(m->types != NULL);
	m->types[m->type_count++] = (struct type_props){.name = BYTES("default"), .declared = m->other};
	m->types[0].declared.v[PROP_dvv_enabled] = 0;
	if (c->riak_defaults) m->types[0].declared.v[PROP_allow_mult] = 0;
	for (uint32_t i = 0; i < c->type_count; i++) {
		const struct bucket_type *t = &c->types[i];
		int found = props_type_find(n, t->name);
		struct type_props *to = &m->types[found < 0 ? (int)m->type_count++ : found];
		if (found < 0) {
			to->name = arena_copy(&n->arena, t->name, &ok);
			to->declared = m->other;
		}
		for (uint32_t k = 0; k < t->change_count; k++)
			to->declared.v[t->changes[k].prop] = t->changes[k].value;
	}
	for (uint32_t i = 0; i < m->type_count; i++) m->types[i].now = m->types[i].declared;
	assert(ok);
}

/* ---- bytes -------------------------------------------------------------------------------------------- */

static void pack_cells(struct packer *p, const struct props_entry *e)
{
	uint32_t said = 0;
	for (uint32_t i = 0; i < PROP_COUNT; i++) said += e->cells[i].stamp.at.v != 0;
	pack_array(p, said * CELL_FIELDS);
	for (uint32_t i = 0; i < PROP_COUNT; i++) {
		const struct prop_cell *c = &e->cells[i];
		if (c->stamp.at.v == 0) continue;
		pack_uint(p, i);
		if (c->set)
			pack_uint(p, (uint64_t)(c->value + VALUE_SHIFT));
		else
			pack_nil(p);
		pack_uint(p, c->stamp.at.v);
		pack_uint(p, c->stamp.actor.v);
	}
}

static void take_cells(struct cursor *c, struct props_entry *e)
{
	uint32_t fields = cursor_array(c, PROP_COUNT * CELL_FIELDS), last = 0;
	if (fields % CELL_FIELDS != 0) c->bad = true;
	for (uint32_t i = 0; i < fields / CELL_FIELDS && !c->bad; i++) {
		uint32_t prop = (uint32_t)cursor_uint(c, PROP_COUNT - 1);
		struct prop_cell *cell = &e->cells[prop];
		cell->set = !cursor_nil(c);
		if (cell->set) cell->value = (int64_t)cursor_uint(c, INT64_MAX) - VALUE_SHIFT;
		cell->stamp.at.v = cursor_uint(c, UINT64_MAX);
		cell->stamp.actor.v = cursor_uint(c, UINT64_MAX);
		bool fits = !cell->set || prop_fits(prop, cell->value);
		if (!fits || cell->stamp.at.v == 0 || (i > 0 && prop <= last)) c->bad = true;
		last = prop;
	}
}

void props_pack_entry(struct packer *p, const struct props_entry *e)
{
	pack_bin(p, e->key);
	pack_cells(p, e);
}

bool props_take_entry(struct cursor *c, struct props_entry *e)
{
	e->key = cursor_bin(c, PREFIX_BYTES_MAX);
	if (!key_is_sound(e->key)) c->bad = true;
	take_cells(c, e);
	return !c->bad;
}

static void digest_of(const struct props_entry *e, uint64_t out[2])
{
	uint8_t packed[PREFIX_BYTES_MAX + 8 + PROP_COUNT * 32];
	struct packer p = {.to = packed, .capacity = sizeof packed};
	props_pack_entry(&p, e);
	assert(pack_fits(&p));
	static const uint8_t no_key[16]; /* it tells maps of honest members apart */
	uint8_t digest[16];
	crypto_shorthash_siphashx24(digest, packed, p.len, no_key);
	out[0] = get_u64be(digest);
	out[1] = get_u64be(digest + 8);
}

/* ---- adopting ------------------------------------------------------------------------------------------ */

static struct props_entry *entry_new(struct node *n, struct bytes key)
{
	bool ok = true;
	struct props_map *m = &n->props;
	if (m->count == PROPS_BUCKETS_MAX) return NULL;
	struct props_entry *e = arena_take(&n->arena, sizeof *e);
	struct bytes kept = arena_copy(&n->arena, key, &ok);
	if (e == NULL || !ok) return NULL;
	uint32_t *chain = chain_of(n, key);
	*e = (struct props_entry){.key = kept, .next = *chain};
	m->list[m->count++] = e;
	*chain = m->count;
	return e;
}

static void refresh_type(struct node *n, struct bytes type)
{
	int index = props_type_find(n, type);
	if (index >= 0) props_resolve(n, type, entry_of_type(n, type), &n->props.types[index].now);
	for (uint32_t i = 0; i < n->props.count; i++) {
		struct props_entry *e = n->props.list[i];
		if (bytes_equal(type_of(e->key), type)) props_resolve(n, type, e, &e->now);
	}
}

/* Its cells are in force from here on. False: no room for one more bucket. */
static bool adopt(struct node *n, const struct props_entry *made)
{
	struct props_entry *e = props_find(n, made->key);
	struct props_map *m = &n->props;
	if (e == NULL) e = entry_new(n, made->key);
	if (e == NULL) return false;
	bool n_val = !dot_equal(e->cells[PROP_n_val].stamp, made->cells[PROP_n_val].stamp);
	memcpy(e->cells, made->cells, sizeof e->cells);
	for (uint32_t i = 0; i < 2; i++) m->digest[i] -= e->digest[i];
	digest_of(e, e->digest);
	for (uint32_t i = 0; i < 2; i++) m->digest[i] += e->digest[i];
	for (uint32_t i = 0; i < n->peer_count; i++) n->peers[i].props_met = false;
	if (is_of_type(e->key))
		refresh_type(n, type_of(e->key));
	else
		props_resolve(n, type_of(e->key), e, &e->now);
	if (n_val) props_open(n, is_of_type(e->key) ? bytes_of(e->key.data, e->key.len - 2) : e->key);
	return true;
}

enum err props_boot(struct node *n, struct bytes key, struct bytes value)
{
	struct props_entry e = {.key = bytes_of(key.data + META_PROPS.len, key.len - META_PROPS.len)};
	struct cursor c = cursor_of(value);
	if (!key_is_sound(e.key)) return ERR_BAD_BYTES;
	take_cells(&c, &e);
	if (!cursor_finished(&c)) return ERR_BAD_BYTES;
	return adopt(n, &e) ? ERR_OK : ERR_BUSY;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static bool add_entry(struct chore *ch, const struct props_entry *e, struct write *w)
{
	struct arena *a = &ch->slot.arena;
	struct packer measure = {0};
	pack_cells(&measure, e);
	struct packer p = {.to = arena_take(a, measure.len), .capacity = measure.len};
	uint8_t *key = arena_take(a, META_PROPS.len + e->key.len);
	if (p.to == NULL || key == NULL) return false;
	pack_cells(&p, e);
	memcpy(key, META_PROPS.data, META_PROPS.len);
	memcpy(key + META_PROPS.len, e->key.data, e->key.len);
	write_add(w, STORE_META, bytes_of(key, META_PROPS.len + e->key.len), bytes_of(p.to, p.len));
	return true;
}

bool props_write(struct node *n, struct chore *ch, struct effects *fx)
{
	assert(!n->props.writing && ch->entry_count > 0);
	assert(ch->entry_count <= PROPS_PAGE_ENTRIES_MAX);
	struct write *w = write_new(&ch->slot, ch->entry_count);
	if (w == NULL || n->props.count + ch->entry_count > PROPS_BUCKETS_MAX) return false;
	for (uint32_t i = 0; i < ch->entry_count; i++)
		if (!add_entry(ch, &ch->entries[i], w)) return false;
	n->props.writing = true;
	emit_write(fx, &ch->slot, w);
	return true;
}

void props_on_stored(struct node *n, struct chore *ch, enum err e, struct effects *fx)
{
	struct props_map *m = &n->props;
	assert(m->writing);
	m->writing = false;
	for (uint32_t i = 0; e == ERR_OK && i < ch->entry_count; i++)
		if (!adopt(n, &ch->entries[i])) e = ERR_BUSY; /* durable, and in force after a restart */
	struct coord *c = coord_find(n, m->client);
	if (e == ERR_OK && m->client.v != 0) props_push(n, ch->entries, ch->entry_count, fx);
	m->client.v = 0;
	if (c != NULL) props_on_written(n, c, e, fx);
	if (e != ERR_OK) m->pull.v = 0;
	props_pull_on(n, fx);
	member_peers_changed(n); /* whoever waits to write looks again */
}

/* ---- closed while n_val changes -------------------------------------------------------------------------- */

static bool is_closed(const struct node *n, const struct props_closed *c)
{
	return c->until.us > n->now.us;
}

bool props_are_closed(const struct node *n, struct bytes full_key)
{
	for (uint32_t i = 0; i < PROPS_CLOSED_MAX; i++) {
		const struct props_closed *c = &n->props.closed[i];
		if (is_closed(n, c) && bytes_start_with(full_key, bytes_of(c->prefix, c->len))) return true;
	}
	return false;
}

bool props_can_close(const struct node *n)
{
	for (uint32_t i = 0; i < PROPS_CLOSED_MAX; i++)
		if (!is_closed(n, &n->props.closed[i])) return true;
	return false;
}

void props_open(struct node *n, struct bytes prefix)
{
	for (uint32_t i = 0; i < PROPS_CLOSED_MAX; i++) {
		struct props_closed *c = &n->props.closed[i];
		if (bytes_equal(bytes_of(c->prefix, c->len), prefix)) *c = (struct props_closed){0};
	}
}

void props_close(struct node *n, struct bytes prefix)
{
	assert(prefix.len <= PREFIX_BYTES_MAX && props_can_close(n));
	props_open(n, prefix);
	struct props_closed *c = n->props.closed;
	while (is_closed(n, c)) c++;
	c->until = instant_after(n->now, PROPS_CLOSED_US);
	c->len = (uint32_t)prefix.len;
	memcpy(c->prefix, prefix.data, prefix.len);
}
