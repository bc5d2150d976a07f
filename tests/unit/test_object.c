/* test_object.c - the siblings of one key: bytes and back, the laws of merging on generated
 * histories, and bytes that were damaged after they were made. What merging must mean is in
 * test_causality_model.c; here is what it must be. */
#include <setjmp.h>
#include <stdarg.h>

#include "tests/unit/test_core_util.h"

#include <cmocka.h>

static struct room room;
static const uint8_t secret[16] = "sixteen secrets";

static int open_room(void **state)
{
	(void)state;
	room_open(&room, MIB(16));
	return 0;
}

static int close_room(void **state)
{
	(void)state;
	room_close(&room);
	return 0;
}

/* ---- objects written by hand ------------------------------------------------------------------ */

static struct sibling sibling_of(char actor, uint64_t at, const char *value)
{
	return (struct sibling){.dot = dot_of(actor, at), .value = bytes_of_string(value)};
}

static struct object object_of(const char *seen, const struct sibling *siblings, uint32_t count)
{
	return (struct object){dvv_of(&room.arena, seen), siblings, count};
}

static struct bytes encoded(const struct object *o)
{
	struct bytes out = BYTES_EMPTY;
	if (o->sibling_count > 0) assert_true(object_encode(&room.arena, o, &out));
	return out;
}

static bool identical(const struct object *x, const struct object *y)
{
	return bytes_equal(encoded(x), encoded(y));
}

static enum err decode(struct bytes b)
{
	struct object o;
	return object_decode(&room.arena, b, &o);
}

/* ---- generated histories ---------------------------------------------------------------------- */

enum { REPLICAS = 3, OBJECTS = 24 };

struct history {
	struct prng prng;
	struct object replica[REPLICAS];
	struct actor_id actor[REPLICAS];
	uint64_t actors;
	struct object made[OBJECTS];
	uint32_t count;
};

static struct bytes some_bytes(struct prng *prng, uint64_t most)
{
	size_t len = (size_t)prng_below(prng, most + 1);
	uint8_t *to = arena_take(&room.arena, len);
	assert_non_null(to);
	for (size_t i = 0; i < len; i++) to[i] = (uint8_t)prng_next(prng);
	return bytes_of(to, len);
}

static struct sibling some_sibling(struct history *h, struct actor_id actor, uint64_t above)
{
	struct sibling s = {.dot = {actor, {above + 1 + prng_below(&h->prng, 3)}}};
	s.origin.v = 1 + prng_below(&h->prng, 5);
	s.tombstone = prng_one_in(&h->prng, 5);
	if (prng_one_in(&h->prng, 4)) s.expires_ms = prng_next(&h->prng) >> 20;
	if (s.tombstone) return s;
	s.meta = some_bytes(&h->prng, 6);
	s.value = some_bytes(&h->prng, 40);
	return s;
}

static void history_write(struct history *h, unsigned r)
{
	struct dvv context = {0};
	struct object *at = &h->replica[r];
	const struct object *shown = &h->replica[prng_below(&h->prng, REPLICAS)];
	if (!prng_one_in(&h->prng, 3)) context = shown->seen;
	uint64_t above = dvv_greatest(&at->seen).at.v, other = dvv_greatest(&context).at.v;
	if (other > above) above = other;
	if (prng_one_in(&h->prng, 8)) h->actor[r].v = ++h->actors;
	struct sibling s = some_sibling(h, h->actor[r], above);
	assert_true(object_write(&room.arena, at, &context, &s, at));
}

static void history_make(struct history *h, uint64_t seed)
{
	*h = (struct history){.actors = REPLICAS};
	prng_seed(&h->prng, seed);
	for (unsigned r = 0; r < REPLICAS; r++) h->actor[r].v = r + 1;
	while (h->count < OBJECTS) {
		unsigned r = (unsigned)prng_below(&h->prng, REPLICAS);
		unsigned from = (unsigned)prng_below(&h->prng, REPLICAS);
		if (prng_one_in(&h->prng, 3))
			assert_true(
				object_merge(&room.arena, &h->replica[r], &h->replica[from], &h->replica[r]));
		else
			history_write(h, r);
		if (h->replica[r].sibling_count > 0) h->made[h->count++] = h->replica[r];
	}
}

static struct object merged(const struct object *x, const struct object *y)
{
	struct object out;
	assert_true(object_merge(&room.arena, x, y, &out));
	return out;
}

enum { HISTORIES = 200 };

/* Run `check` on many histories, giving memory back after each. */
static void on_histories(void (*check)(struct history *h))
{
	static struct history h;
	for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
		struct arena_mark mark = arena_mark(&room.arena);
		history_make(&h, seed);
		check(&h);
		arena_release(&room.arena, mark);
	}
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void check_bytes(struct history *h)
{
	for (uint32_t i = 0; i < h->count; i++) {
		struct object out;
		struct bytes bytes = encoded(&h->made[i]);
		assert_int_equal(object_decode(&room.arena, bytes, &out), ERR_OK);
		assert_true(bytes_equal(encoded(&out), bytes));
		assert_true(object_same_siblings(&out, &h->made[i]));
		for (uint32_t s = 0; s < out.sibling_count; s++) {
			const struct sibling *x = &out.siblings[s], *y = &h->made[i].siblings[s];
			assert_int_equal(x->origin.v, y->origin.v);
			assert_int_equal(x->expires_ms, y->expires_ms);
			assert_int_equal(x->tombstone, y->tombstone);
			assert_true(bytes_equal(x->meta, y->meta) && bytes_equal(x->value, y->value));
		}
	}
}

static void an_object_comes_back_from_its_bytes_with_everything(void **state)
{
	(void)state;
	on_histories(check_bytes);
}

static void no_bytes_are_the_absent_object(void **state)
{
	(void)state;
	struct object o = {.sibling_count = 7};
	assert_int_equal(object_decode(&room.arena, BYTES_EMPTY, &o), ERR_OK);
	assert_int_equal(o.sibling_count, 0);
	assert_int_equal(o.seen.vector_count + o.seen.dot_count, 0);
}

static void an_object_cut_short_or_with_something_behind_it_is_refused(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 300, "apple"), sibling_of('B', 70000, "pear")};
	struct object o = object_of("A300 B2 | B70000", s, 2);
	struct bytes whole = encoded(&o);
	assert_int_equal(decode(whole), ERR_OK);
	for (size_t len = 1; len < whole.len; len++) {
		uint8_t *exact = malloc(len);
		memcpy(exact, whole.data, len);
		assert_int_equal(decode(bytes_of(exact, len)), ERR_BAD_BYTES);
		free(exact);
	}
	uint8_t longer[256];
	memcpy(longer, whole.data, whole.len);
	longer[whole.len] = 0xc0;
	assert_int_equal(decode(bytes_of(longer, whole.len + 1)), ERR_BAD_BYTES);
}

static void an_object_that_no_history_can_make_is_refused(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, "x"), sibling_of('B', 2, "y")};
	struct sibling back[2] = {s[1], s[0]}, twice[2] = {s[0], s[0]};
	struct sibling buried = {.dot = dot_of('A', 3), .tombstone = true, .value = BYTES("x")};
	struct sibling labelled = {.dot = dot_of('A', 3), .tombstone = true, .meta = BYTES("x")};
	const struct {
		const char *why;
		struct object o;
	} wrong[] = {
		{"siblings descend", object_of("A3 B2", back, 2)},
		{"a sibling twice", object_of("A3", twice, 2)},
		{"a sibling that was not seen", object_of("A3", s, 2)},
		{"the greatest dot is no sibling's", object_of("A3 B4", s, 2)},
		{"the greatest dot is a lone one and no sibling's", object_of("A3 B2 | B9", s, 2)},
		{"a tombstone with a value", object_of("A3", &buried, 1)},
		{"a tombstone with metadata", object_of("A3", &labelled, 1)},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (decode(encoded(&wrong[i].o)) != ERR_BAD_BYTES) fail_msg("accepted: %s", wrong[i].why);
}

static void an_object_without_siblings_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode(BYTES("\x94\x01\x90\x90\x90")), ERR_BAD_BYTES);
	assert_int_equal(decode(BYTES("\x94\x01\x92\x01\x01\x90\x90")), ERR_BAD_BYTES);
}

static void another_version_or_shape_is_refused(void **state)
{
	(void)state;
	struct sibling s = sibling_of('A', 3, "x");
	struct object o = object_of("A3", &s, 1);
	struct bytes good = encoded(&o);
	uint8_t *copy = arena_take(&room.arena, good.len);
	memcpy(copy, good.data, good.len);
	copy[1] = 2;
	assert_int_equal(decode(bytes_of(copy, good.len)), ERR_BAD_BYTES);
	copy[1] = 1;
	copy[0] = 0x93;
	assert_int_equal(decode(bytes_of(copy, good.len)), ERR_BAD_BYTES);
}

/* Time 0 names no write. A sibling that bore it would be in every state, seen or not. */
static void a_sibling_without_a_dot_is_refused(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, "x"), sibling_of('B', 0, "y")};
	struct object o = object_of("A3", s, 2);
	assert_int_equal(decode(encoded(&o)), ERR_BAD_BYTES);
}

static void without_room_nothing_is_made_and_the_answer_is_busy(void **state)
{
	(void)state;
	struct sibling s = sibling_of('A', 3, "x"), t = sibling_of('B', 9, "y");
	struct object o = object_of("A3", &s, 1), out = {.sibling_count = 9};
	struct bytes bytes = encoded(&o), to;
	struct room full;
	room_open(&full, MIB(1));
	room_exhaust(&full, POOL_PIECE_BYTES_MIN);
	uint8_t digest[16];
	const struct sibling *shown;
	uint32_t count;
	assert_int_equal(object_decode(&full.arena, bytes, &out), ERR_BUSY);
	assert_int_equal(out.sibling_count, 0);
	assert_false(object_encode(&full.arena, &o, &to));
	assert_false(object_merge(&full.arena, &o, &o, &out));
	assert_false(object_write(&full.arena, &o, &(struct dvv){0}, &t, &out));
	assert_false(object_show(&full.arena, &o, &shown, &count));
	assert_false(object_digest(&full.arena, secret, BYTES("k"), &o, digest));
	full.pool.used = 0;
	room_close(&full);
}

/* ---- damaged bytes ---------------------------------------------------------------------------- */

/* Some damage leaves an object that decodes, as a buggy peer's would: it must merge, be written over,
 * shown and packed again without a crash. */
static void use(const struct object *o, const struct object *other)
{
	struct object both = merged(o, other), newest = both, written;
	const struct sibling *shown;
	uint32_t count;
	uint8_t digest[16];
	assert_true(object_show(&room.arena, &both, &shown, &count));
	assert_true(object_digest(&room.arena, secret, BYTES("k"), &both, digest));
	assert_int_equal(decode(encoded(&both)), ERR_OK);
	object_keep_newest(&newest);
	struct sibling s = {.dot = {{99}, dvv_greatest(&both.seen).at}};
	if (s.dot.at.v++ >= UINT64_MAX - 1) return; /* no room for another: nobody mints there */
	assert_true(object_write(&room.arena, &both, &other->seen, &s, &written));
	assert_int_equal(decode(encoded(&written)), ERR_OK);
	struct dvv dots = {0};
	for (uint32_t i = 0; i < count; i++) /* as an answer that shows only these does */
		assert_true(dvv_add(&room.arena, &dots, shown[i].dot, &dots));
}

static void flip_each_byte(struct history *h, struct bytes good, uint64_t *accepted)
{
	uint8_t *copy = malloc(good.len);
	const struct object *other = &h->made[prng_below(&h->prng, h->count)];
	struct object last = *other;
	for (size_t i = 0; i < good.len; i++)
		for (unsigned bit = 0; bit < 9; bit++) {
			memcpy(copy, good.data, good.len);
			uint64_t damage = bit < 8 ? 1U << bit : prng_next(&h->prng);
			copy[i] = (uint8_t)(copy[i] ^ damage);
			struct object o;
			struct bytes kept = BYTES_EMPTY;
			bool ok = true;
			if (decode(bytes_of(copy, good.len)) != ERR_OK) continue;
			kept = arena_copy(&room.arena, bytes_of(copy, good.len), &ok);
			assert_true(ok);
			assert_int_equal(object_decode(&room.arena, kept, &o), ERR_OK);
			use(&o, other);
			use(&last, &o);
			last = o;
			(*accepted)++;
		}
	free(copy);
}

static void damaged_bytes_are_refused_or_make_an_object_that_works(void **state)
{
	(void)state;
	static struct history h;
	uint64_t accepted = 0;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct arena_mark mark = arena_mark(&room.arena);
		history_make(&h, seed);
		for (uint32_t i = 0; i < h.count; i += 5) {
			struct arena_mark inner = arena_mark(&room.arena);
			flip_each_byte(&h, encoded(&h.made[i]), &accepted);
			arena_release(&room.arena, inner);
		}
		arena_release(&room.arena, mark);
	}
	assert_true(accepted > 1000); /* or this says little */
}

/* ---- merging ---------------------------------------------------------------------------------- */

static void check_laws(struct history *h)
{
	for (uint32_t i = 0; i < h->count; i++) {
		const struct object *x = &h->made[i], *y = &h->made[prng_below(&h->prng, h->count)];
		const struct object *z = &h->made[prng_below(&h->prng, h->count)];
		struct object self = merged(x, x), xy = merged(x, y), yx = merged(y, x);
		assert_true(identical(&self, x));
		assert_true(identical(&xy, &yx));
		struct object yz = merged(y, z), left = merged(&xy, z), right = merged(x, &yz);
		assert_true(identical(&left, &right));
		struct object again = merged(&xy, y), none = merged(x, &(struct object){0});
		assert_true(identical(&again, &xy));
		assert_true(identical(&none, x));
		assert_true(dvv_includes(&xy.seen, &x->seen) && dvv_includes(&xy.seen, &y->seen));
	}
}

static void merging_is_commutative_associative_and_idempotent(void **state)
{
	(void)state;
	on_histories(check_laws);
}

static void a_sibling_that_the_other_side_has_seen_and_dropped_goes(void **state)
{
	(void)state;
	struct sibling xs[2] = {sibling_of('A', 3, "x"), sibling_of('B', 1, "old")};
	struct sibling ys[2] = {sibling_of('A', 2, "gone"), sibling_of('B', 4, "y")};
	struct object x = object_of("A3 B1", xs, 2), y = object_of("A2 B4", ys, 2);
	struct object both = merged(&x, &y);
	assert_int_equal(both.sibling_count, 2);
	assert_true(dot_equal(both.siblings[0].dot, dot_of('A', 3)));
	assert_true(dot_equal(both.siblings[1].dot, dot_of('B', 4)));
	assert_string_equal(dvv_text(&both.seen), "A3 B4");
}

static void a_dot_that_only_stands_alone_does_not_remove_an_earlier_one(void **state)
{
	(void)state;
	struct sibling first = sibling_of('A', 1, "first"), second = sibling_of('A', 2, "second");
	struct object x = object_of("A1", &first, 1), y = object_of("| A2", &second, 1);
	assert_int_equal(merged(&x, &y).sibling_count, 2);
	struct object folded = object_of("A2", &second, 1);
	assert_int_equal(merged(&x, &folded).sibling_count, 1);
}

/* What two replicas hold is within the limits; what they hold together must be as readable. */
static void what_is_merged_out_of_two_objects_at_the_limits_can_be_read_back(void **state)
{
	(void)state;
	enum { EACH = VECTOR_ENTRIES_MAX / 2 + 1 };
	struct dot *entries = arena_take(&room.arena, 2 * EACH * sizeof *entries);
	for (uint64_t i = 0; i < 2 * EACH; i++) entries[i] = (struct dot){{i + 1}, {i + 1}};
	struct sibling left = {.dot = entries[EACH - 1]}, right = {.dot = entries[2 * EACH - 1]};
	struct object x = {{.vector = entries, .vector_count = EACH}, &left, 1};
	struct object y = {{.vector = entries + EACH, .vector_count = EACH}, &right, 1}, both;
	assert_int_equal(decode(encoded(&x)), ERR_OK);
	assert_int_equal(decode(encoded(&y)), ERR_OK);
	if (object_merge(&room.arena, &x, &y, &both)) assert_int_equal(decode(encoded(&both)), ERR_OK);
}

static void a_write_over_an_object_at_the_limits_can_be_read_back_or_is_refused(void **state)
{
	(void)state;
	struct dot *entries = arena_take(&room.arena, VECTOR_ENTRIES_MAX * sizeof *entries);
	for (uint64_t i = 0; i < VECTOR_ENTRIES_MAX; i++) entries[i] = (struct dot){{i + 1}, {i + 1}};
	struct sibling last = {.dot = entries[VECTOR_ENTRIES_MAX - 1]};
	struct sibling added = {.dot = {{VECTOR_ENTRIES_MAX + 1}, {VECTOR_ENTRIES_MAX + 1}}};
	struct object o = {{.vector = entries, .vector_count = VECTOR_ENTRIES_MAX}, &last, 1}, made;
	assert_int_equal(decode(encoded(&o)), ERR_OK);
	if (object_write(&room.arena, &o, &o.seen, &added, &made))
		assert_int_equal(decode(encoded(&made)), ERR_OK);
}

static void the_same_siblings_are_the_same_whatever_else_was_seen(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, "x"), sibling_of('B', 1, "y")};
	struct object x = object_of("A3 B1", s, 2), y = object_of("A3 B1 C2", s, 2);
	struct object fewer = object_of("A3 B1", s, 1);
	assert_true(object_same_siblings(&x, &y));
	assert_false(object_same_siblings(&x, &fewer));
}

/* ---- writing ---------------------------------------------------------------------------------- */

static struct object written(const struct object *state, const char *context,
                             const struct sibling *added)
{
	struct object out;
	struct dvv shown = dvv_of(&room.arena, context);
	assert_true(object_write(&room.arena, state, &shown, added, &out));
	return out;
}

static void a_write_replaces_what_its_context_covers_and_nothing_else(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, "x"), sibling_of('B', 2, "y")};
	struct object o = object_of("A3 B2", s, 2);
	struct sibling added = sibling_of('C', 4, "z");
	assert_int_equal(written(&o, "A3 B2", &added).sibling_count, 1);
	assert_int_equal(written(&o, "", &added).sibling_count, 3);
	struct object one = written(&o, "| B2", &added);
	assert_int_equal(one.sibling_count, 2);
	assert_true(dot_equal(one.siblings[0].dot, dot_of('A', 3)));
	assert_true(dot_equal(one.siblings[1].dot, dot_of('C', 4)));
	assert_string_equal(dvv_text(&one.seen), "A3 B2 C4");
}

static void a_write_to_nothing_remembers_what_its_writer_had_seen(void **state)
{
	(void)state;
	struct sibling added = sibling_of('C', 4, "z"), old = sibling_of('A', 2, "old");
	struct object o = written(&(struct object){0}, "A2 B1", &added);
	assert_string_equal(dvv_text(&o.seen), "A2 B1 C4");
	struct object late = object_of("A2", &old, 1);
	assert_int_equal(merged(&o, &late).sibling_count, 1); /* it does not come back */
}

static void a_sibling_takes_its_place_in_the_order_of_dots(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, "x"), sibling_of('C', 2, "y")};
	struct object o = object_of("A3 C2", s, 2);
	struct sibling middle = sibling_of('B', 4, "m"), last = sibling_of('D', 4, "l");
	assert_true(dot_equal(written(&o, "", &middle).siblings[1].dot, middle.dot));
	assert_true(dot_equal(written(&o, "", &last).siblings[2].dot, last.dot));
}

static void last_write_wins_keeps_the_latest_and_says_how_many_went(void **state)
{
	(void)state;
	struct sibling s[3] = {sibling_of('A', 3, "x"), sibling_of('B', 9, "y"),
	                       sibling_of('C', 9, "z")};
	struct object o = object_of("A3 B9 C9", s, 3);
	assert_int_equal(object_keep_newest(&o), 2);
	assert_int_equal(o.sibling_count, 1);
	assert_true(dot_equal(o.siblings[0].dot, dot_of('C', 9))); /* of a tie the greater actor */
	assert_int_equal(decode(encoded(&o)), ERR_OK);
	assert_int_equal(object_keep_newest(&o), 0);
	assert_int_equal(o.sibling_count, 1);
}

/* ---- showing ---------------------------------------------------------------------------------- */

static void siblings_that_look_the_same_are_shown_once_by_the_latest_dot(void **state)
{
	(void)state;
	struct sibling s[4] = {sibling_of('A', 3, "same"), sibling_of('B', 5, "same"),
	                       sibling_of('C', 4, "same"), sibling_of('D', 1, "other")};
	struct object o = object_of("A3 B5 C4 D1", s, 4);
	const struct sibling *shown;
	uint32_t count;
	assert_true(object_show(&room.arena, &o, &shown, &count));
	assert_int_equal(count, 2);
	assert_true(dot_equal(shown[0].dot, dot_of('B', 5)));
	assert_true(dot_equal(shown[1].dot, dot_of('D', 1)));
}

static void siblings_that_differ_in_anything_but_origin_are_all_shown(void **state)
{
	(void)state;
	struct sibling s[6];
	for (unsigned i = 0; i < 6; i++) s[i] = sibling_of((char)('A' + i), i + 1, "v");
	s[1].meta = BYTES("m");
	s[2].expires_ms = 7;
	s[3].value = BYTES_EMPTY;
	s[4].value = BYTES_EMPTY;
	s[4].tombstone = true;
	s[5].origin.v = 77; /* looks like the first */
	struct object o = object_of("A1 B2 C3 D4 E5 F6", s, 6);
	const struct sibling *shown;
	uint32_t count;
	assert_true(object_show(&room.arena, &o, &shown, &count));
	assert_int_equal(count, 5);
}

static void an_object_is_deleted_when_all_its_siblings_are_tombstones(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, ""), sibling_of('B', 4, "")};
	struct object o = object_of("A3 B4", s, 2), none = {0};
	assert_false(object_is_deleted(&none));
	assert_false(object_is_deleted(&o));
	s[0].tombstone = true;
	assert_false(object_is_deleted(&o));
	s[1].tombstone = true;
	assert_true(object_is_deleted(&o));
}

/* ---- digests ---------------------------------------------------------------------------------- */

static bool same_digest(const struct object *x, const struct object *y)
{
	uint8_t dx[16], dy[16];
	assert_true(object_digest(&room.arena, secret, BYTES("key"), x, dx));
	assert_true(object_digest(&room.arena, secret, BYTES("key"), y, dy));
	return memcmp(dx, dy, sizeof dx) == 0;
}

static void a_digest_says_which_siblings_and_not_what_else_was_seen(void **state)
{
	(void)state;
	struct sibling s[2] = {sibling_of('A', 3, "x"), sibling_of('B', 2, "y")};
	struct object o = object_of("A3 B2", s, 2), more = object_of("A3 B2 C1 | A9", s, 2);
	assert_true(same_digest(&o, &more));
	struct sibling t[2] = {s[0], s[1]};
	struct object other = {o.seen, t, 2};
	assert_true(same_digest(&o, &other));
	t[1].dot = dot_of('B', 1);
	assert_false(same_digest(&o, &other));
	t[1] = s[1];
	t[1].tombstone = true;
	assert_false(same_digest(&o, &other));
	t[1] = s[1];
	t[1].expires_ms = 1;
	assert_false(same_digest(&o, &other));
	other = (struct object){o.seen, s, 1};
	assert_false(same_digest(&o, &other));
}

static void a_digest_depends_on_the_key_and_on_the_clusters_secret(void **state)
{
	(void)state;
	struct sibling s = sibling_of('A', 3, "x");
	struct object o = object_of("A3", &s, 1);
	uint8_t first[16], second[16];
	static const uint8_t other[16] = "another secret!";
	assert_true(object_digest(&room.arena, secret, BYTES("key"), &o, first));
	assert_true(object_digest(&room.arena, secret, BYTES("yek"), &o, second));
	assert_memory_not_equal(first, second, sizeof first);
	assert_true(object_digest(&room.arena, other, BYTES("key"), &o, second));
	assert_memory_not_equal(first, second, sizeof first);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_object_comes_back_from_its_bytes_with_everything),
		T(no_bytes_are_the_absent_object),
		T(an_object_cut_short_or_with_something_behind_it_is_refused),
		T(an_object_that_no_history_can_make_is_refused),
		T(an_object_without_siblings_is_refused),
		T(another_version_or_shape_is_refused),
		T(a_sibling_without_a_dot_is_refused),
		T(without_room_nothing_is_made_and_the_answer_is_busy),
		T(damaged_bytes_are_refused_or_make_an_object_that_works),
		T(merging_is_commutative_associative_and_idempotent),
		T(a_sibling_that_the_other_side_has_seen_and_dropped_goes),
		T(a_dot_that_only_stands_alone_does_not_remove_an_earlier_one),
		T(what_is_merged_out_of_two_objects_at_the_limits_can_be_read_back),
		T(a_write_over_an_object_at_the_limits_can_be_read_back_or_is_refused),
		T(the_same_siblings_are_the_same_whatever_else_was_seen),
		T(a_write_replaces_what_its_context_covers_and_nothing_else),
		T(a_write_to_nothing_remembers_what_its_writer_had_seen),
		T(a_sibling_takes_its_place_in_the_order_of_dots),
		T(last_write_wins_keeps_the_latest_and_says_how_many_went),
		T(siblings_that_look_the_same_are_shown_once_by_the_latest_dot),
		T(siblings_that_differ_in_anything_but_origin_are_all_shown),
		T(an_object_is_deleted_when_all_its_siblings_are_tombstones),
		T(a_digest_says_which_siblings_and_not_what_else_was_seen),
		T(a_digest_depends_on_the_key_and_on_the_clusters_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
