/* layout.c - see layout.h. One list of rules, layout_is_sound, serves both sides: the decoder refuses
 * what breaks them, the encoder asserts them. Reading is in two moves: bytes to a struct, where the
 * cursor sees to it that nothing is read that is not there, and then the rules over the struct. */
#include "ring/layout.h"

#include <murmurhash.h>

#include "base/panic.h"

enum { LAYOUT_FIELDS = 9, MEMBER_FIELDS = 6 };
#define PRIMARIES_MAX (PARTITIONS_MAX * REPLICAS_MAX)

static_assert(MEMBERS_MAX - 1 <= UINT16_MAX, "a member index is 16 bits");

/* ---- rules ------------------------------------------------------------------------------- */

static bool members_are_sound(const struct layout *l)
{
	uint64_t before = 0; /* so that no id is 0 */
	for (uint32_t i = 0; i < l->member_count; i++) {
		const struct member *m = &l->members[i];
		if (m->id.v <= before) return false;
		if (m->weight > MEMBER_WEIGHT_MAX || m->state >= MEMBER_STATES) return false;
		if (m->name.len > MEMBER_NAME_BYTES_MAX) return false;
		if (m->address.len > MEMBER_ADDRESS_BYTES_MAX) return false;
		if (m->zone.len > MEMBER_ZONE_BYTES_MAX) return false;
		before = m->id.v;
	}
	return true;
}

/* N members, each of them there, no two the same. */
static bool place_is_sound(const struct layout *l, const uint16_t *primaries)
{
	for (unsigned i = 0; i < l->replicas; i++) {
		if (primaries[i] >= l->member_count) return false;
		for (unsigned j = 0; j < i; j++)
			if (primaries[j] == primaries[i]) return false;
	}
	return true;
}

static bool retired_are_sound(const struct layout *l)
{
	uint64_t before = 0;
	for (uint32_t i = 0; i < l->retired_count; i++) {
		if (l->retired[i].v <= before) return false;
		if (layout_find(l, l->retired[i]) >= 0) return false;
		before = l->retired[i].v;
	}
	return true;
}

bool layout_is_sound(const struct layout *l)
{
	if (l->epoch.v == 0) return false;
	if (l->partitions == 0 || l->partitions > PARTITIONS_MAX) return false;
	if ((l->partitions & (l->partitions - 1)) != 0) return false;
	if (l->replicas == 0 || l->replicas > REPLICAS_MAX) return false;
	if (l->member_count < l->replicas || l->member_count > MEMBERS_MAX) return false;
	if (l->retired_count > RETIRED_MAX) return false;
	if (!members_are_sound(l) || !retired_are_sound(l)) return false;
	for (uint32_t p = 0; p < l->partitions; p++)
		if (!place_is_sound(l, l->primaries + (size_t)p * l->replicas)) return false;
	return true;
}

/* ---- writing ----------------------------------------------------------------------------- */

static void encode_member(struct packer *p, const struct member *m)
{
	pack_array(p, MEMBER_FIELDS);
	pack_uint(p, m->id.v);
	pack_uint(p, m->weight);
	pack_uint(p, m->state);
	pack_bin(p, m->name);
	pack_bin(p, m->address);
	pack_bin(p, m->zone);
}

void layout_encode(struct packer *p, const struct layout *l)
{
	assert(layout_is_sound(l));
	pack_array(p, LAYOUT_FIELDS);
	pack_uint(p, LAYOUT_VERSION);
	pack_bin(p, bytes_of(l->cluster, sizeof l->cluster));
	pack_bin(p, bytes_of(l->secret, sizeof l->secret));
	pack_uint(p, l->epoch.v);
	pack_uint(p, l->partitions);
	pack_uint(p, l->replicas);
	pack_array(p, l->member_count);
	for (uint32_t i = 0; i < l->member_count; i++) encode_member(p, &l->members[i]);
	uint32_t primaries = l->partitions * l->replicas;
	pack_array(p, primaries);
	for (uint32_t i = 0; i < primaries; i++) pack_uint(p, l->primaries[i]);
	pack_array(p, l->retired_count);
	for (uint32_t i = 0; i < l->retired_count; i++) pack_uint(p, l->retired[i].v);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* A member as it stands in the input; its names are copied later, once all is known to be sound. */
static struct member decode_member(struct cursor *c)
{
	struct member m = {0};
	cursor_array_exact(c, MEMBER_FIELDS);
	m.id.v = cursor_uint(c, UINT64_MAX);
	m.weight = (uint32_t)cursor_uint(c, MEMBER_WEIGHT_MAX);
	m.state = (uint8_t)cursor_uint(c, MEMBER_STATES - 1);
	m.name = cursor_bin(c, MEMBER_NAME_BYTES_MAX);
	m.address = cursor_bin(c, MEMBER_ADDRESS_BYTES_MAX);
	m.zone = cursor_bin(c, MEMBER_ZONE_BYTES_MAX);
	return m;
}

/* The counts are believed only as far as there are bytes behind them (cursor_array). */
static enum err decode_members(struct cursor *c, struct arena *a, struct layout *l,
                               struct member **members)
{
	l->member_count = cursor_array(c, MEMBERS_MAX);
	l->members = *members = arena_take(a, l->member_count * sizeof **members);
	if (*members == NULL) return ERR_BUSY;
	for (uint32_t i = 0; i < l->member_count; i++) (*members)[i] = decode_member(c);
	return c->bad ? ERR_BAD_BYTES : ERR_OK;
}

static enum err decode_primaries(struct cursor *c, struct arena *a, struct layout *l)
{
	uint32_t count = cursor_array(c, PRIMARIES_MAX);
	if (c->bad || count != l->partitions * l->replicas) return ERR_BAD_BYTES;
	uint16_t *primaries = arena_take(a, count * sizeof *primaries);
	if (primaries == NULL) return ERR_BUSY;
	for (uint32_t i = 0; i < count; i++) primaries[i] = (uint16_t)cursor_uint(c, MEMBERS_MAX - 1);
	l->primaries = primaries;
	return c->bad ? ERR_BAD_BYTES : ERR_OK;
}

static enum err decode_retired(struct cursor *c, struct arena *a, struct layout *l)
{
	l->retired_count = cursor_array(c, RETIRED_MAX);
	struct node_id *retired = arena_take(a, l->retired_count * sizeof *retired);
	if (retired == NULL) return ERR_BUSY;
	for (uint32_t i = 0; i < l->retired_count; i++) retired[i].v = cursor_uint(c, UINT64_MAX);
	l->retired = retired;
	return c->bad ? ERR_BAD_BYTES : ERR_OK;
}

/* *members: l->members, still writable. */
static enum err decode_fields(struct cursor *c, struct arena *a, struct layout *l,
                              struct member **members)
{
	cursor_array_exact(c, LAYOUT_FIELDS);
	uint64_t version = cursor_uint(c, UINT64_MAX);
	cursor_bin_exact(c, l->cluster, sizeof l->cluster);
	cursor_bin_exact(c, l->secret, sizeof l->secret);
	l->epoch.v = cursor_uint(c, UINT64_MAX);
	l->partitions = (uint32_t)cursor_uint(c, PARTITIONS_MAX);
	l->replicas = (uint8_t)cursor_uint(c, REPLICAS_MAX);
	if (c->bad || version != LAYOUT_VERSION) return ERR_BAD_BYTES;
	enum err e = decode_members(c, a, l, members);
	if (e == ERR_OK) e = decode_primaries(c, a, l);
	if (e == ERR_OK) e = decode_retired(c, a, l);
	return e;
}

/* Bring the members' names over into the arena. */
static enum err copy_names(struct member *members, uint32_t count, struct arena *a)
{
	assert(members != NULL);
	bool ok = true;
	for (uint32_t i = 0; i < count && ok; i++) {
		members[i].name = arena_copy(a, members[i].name, &ok);
		members[i].address = arena_copy(a, members[i].address, &ok);
		members[i].zone = arena_copy(a, members[i].zone, &ok);
	}
	return ok ? ERR_OK : ERR_BUSY;
}

enum err layout_decode(struct bytes in, struct arena *a, struct layout *out)
{
	struct cursor c = cursor_of(in);
	struct layout l = {0};
	*out = l;
	struct member *members;
	enum err e = decode_fields(&c, a, &l, &members);
	if (e != ERR_OK) return e;
	if (!cursor_finished(&c) || !layout_is_sound(&l)) return ERR_BAD_BYTES;
	e = copy_names(members, l.member_count, a);
	if (e == ERR_OK) *out = l;
	return e;
}

/* ---- the rest ---------------------------------------------------------------------------- */

enum err layout_copy(const struct layout *l, struct arena *a, struct layout *out)
{
	assert(layout_is_sound(l));
	bool ok = true;
	size_t members_bytes = l->member_count * sizeof *l->members;
	size_t primaries_bytes = (size_t)l->partitions * l->replicas * sizeof *l->primaries;
	struct member *members = arena_take(a, members_bytes);
	struct bytes primaries = arena_copy(a, bytes_of(l->primaries, primaries_bytes), &ok);
	struct bytes retired =
		arena_copy(a, bytes_of(l->retired, l->retired_count * sizeof *l->retired), &ok);
	*out = (struct layout){0};
	if (members == NULL || !ok) return ERR_BUSY;
	memcpy(members, l->members, members_bytes);
	if (copy_names(members, l->member_count, a) != ERR_OK) return ERR_BUSY;
	*out = *l;
	out->members = members;
	out->primaries = (const void *)primaries.data; /* the arena's pieces are 16-aligned */
	out->retired = (const void *)retired.data;
	return ERR_OK;
}

void layout_hash(struct bytes encoded, uint8_t out[LAYOUT_HASH_BYTES])
{
	assert(encoded.len <= UINT32_MAX);
	uint64_t h[2];
	lmmh_x64_128(encoded.data, (unsigned)encoded.len, 0, h);
	put_u64be(out, h[0]);
	put_u64be(out + 8, h[1]);
}

int layout_find(const struct layout *l, struct node_id id)
{
	assert(l->member_count <= MEMBERS_MAX);
	uint32_t from = 0, to = l->member_count;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (l->members[middle].id.v < id.v)
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->member_count && l->members[from].id.v == id.v ? (int)from : -1;
}

bool layout_is_retired(const struct layout *l, struct node_id id)
{
	assert(l->retired_count <= RETIRED_MAX);
	uint32_t from = 0, to = l->retired_count;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (l->retired[middle].v < id.v)
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->retired_count && l->retired[from].v == id.v;
}
