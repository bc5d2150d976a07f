/* test_counter.c - counters: bytes and back, the laws of merging, adding at the edges of 64 bits, and
 * histories of increments, deletes, plain writes, crashes and merges, against a model that knows for each
 * sibling just which increments are in it. */
#include <setjmp.h>
#include <stdarg.h>

#include "tests/unit/test_core_util.h"

#include "core/counter.h"
#include "wire/meta.h"

#include <cmocka.h>

static struct room room;

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

/* ---- by hand ---------------------------------------------------------------------------------- */

static struct counter_entry entry_of(char actor, uint64_t birth, uint64_t last, uint64_t plus,
                                     uint64_t minus)
{
	return (struct counter_entry){dot_of(actor, 0).actor, {birth}, {last}, plus, minus};
}

static const char *text_of(const struct counter *c)
{
	static char text[COUNTER_TEXT_BYTES];
	counter_text(counter_value(c), text);
	return text;
}

static struct counter add(const struct counter *c, struct dot dot, uint64_t before, int64_t delta)
{
	struct counter out;
	enum err e = counter_add(&room.arena, c, dot, (struct hlc){before}, delta, &out);
	assert_int_equal(e, ERR_OK);
	return out;
}

static enum err try_add(const struct counter *c, int64_t delta)
{
	struct counter out;
	return counter_add(&room.arena, c, dot_of('Z', 1000), (struct hlc){0}, delta, &out);
}

static struct bytes encoded(const struct counter *c)
{
	struct bytes out;
	assert_true(counter_encode(&room.arena, c, &out));
	return out;
}

static enum err decode(struct bytes in)
{
	struct counter out;
	return counter_decode(&room.arena, in, &out);
}

static void its_metadata_is_its_content_type_and_nothing_else(void **state)
{
	(void)state;
	uint8_t to[64];
	struct packer p = {to, sizeof to, 0};
	meta_pack_open(&p, bytes_of_string(COUNTER_TYPE), BYTES_EMPTY);
	meta_pack_links(&p, 0);
	meta_pack_users(&p, 0);
	meta_pack_close(&p);
	assert_true(pack_fits(&p) && bytes_equal(bytes_of(to, p.len), counter_meta));
}

static void an_actor_goes_on_with_the_entry_that_it_wrote_last(void **state)
{
	(void)state;
	struct counter c = add(&(struct counter){0}, dot_of('A', 5), 0, 7);
	c = add(&c, dot_of('A', 6), 5, -2);
	assert_int_equal(c.count, 1);
	struct counter_entry e = entry_of('A', 5, 6, 7, 2);
	assert_memory_equal(&c.entries[0], &e, sizeof e);
	assert_string_equal(text_of(&c), "5");
}

static void an_actor_that_wrote_something_else_since_begins_anew(void **state)
{
	(void)state;
	struct counter c = add(&(struct counter){0}, dot_of('A', 5), 0, 7);
	c = add(&c, dot_of('A', 9), 8, 1);
	assert_int_equal(c.count, 2);
	assert_string_equal(text_of(&c), "8");
	c = add(&c, dot_of('A', 10), 9, 1);
	assert_int_equal(c.count, 2);
	assert_int_equal(c.entries[0].last.v, 5);
	assert_string_equal(text_of(&c), "9");
}

static void another_actor_has_an_entry_of_its_own(void **state)
{
	(void)state;
	struct counter c = add(&(struct counter){0}, dot_of('B', 5), 0, 7);
	c = add(&c, dot_of('A', 6), 0, 1);
	assert_int_equal(c.count, 2);
	assert_int_equal(c.entries[0].actor.v, dot_of('A', 0).actor.v);
	assert_string_equal(text_of(&c), "8");
}

static void numbers_of_64_bits_are_counted_and_no_more(void **state)
{
	(void)state;
	struct counter none = {0};
	struct counter most = add(&none, dot_of('A', 1), 0, INT64_MAX);
	struct counter least = add(&none, dot_of('A', 1), 0, INT64_MIN);
	assert_string_equal(text_of(&most), "9223372036854775807");
	assert_string_equal(text_of(&least), "-9223372036854775808");
	assert_int_equal(try_add(&most, 1), ERR_COUNTER_RANGE);
	assert_int_equal(try_add(&most, INT64_MAX), ERR_COUNTER_RANGE);
	assert_int_equal(try_add(&least, -1), ERR_COUNTER_RANGE);
	assert_int_equal(try_add(&least, INT64_MIN), ERR_COUNTER_RANGE);
	assert_int_equal(try_add(&most, 0), ERR_OK);
	assert_int_equal(try_add(&most, INT64_MIN), ERR_OK);
	assert_int_equal(try_add(&least, INT64_MAX), ERR_OK);
}

/* Two nodes that did not know of each other may each have come near the end. */
static void a_merge_beyond_64_bits_is_shown_whole_and_may_be_counted_back(void **state)
{
	(void)state;
	struct counter_entry two[] = {entry_of('A', 1, 1, UINT64_MAX, 0),
	                              entry_of('B', 1, 1, UINT64_MAX, 5)};
	struct counter c = {two, 2};
	assert_string_equal(text_of(&c), "36893488147419103225");
	assert_int_equal(try_add(&c, 1), ERR_COUNTER_RANGE);
	c = add(&c, dot_of('C', 2), 0, -1);
	assert_string_equal(text_of(&c), "36893488147419103224");
	struct counter_entry minus[] = {entry_of('A', 1, 1, 0, UINT64_MAX),
	                                entry_of('B', 1, 1, 0, UINT64_MAX)};
	c = (struct counter){minus, 2};
	assert_string_equal(text_of(&c), "-36893488147419103230");
	assert_int_equal(try_add(&c, -1), ERR_COUNTER_RANGE);
	assert_int_equal(try_add(&c, 1), ERR_OK);
}

static void an_entry_that_is_full_is_left_and_another_begun(void **state)
{
	(void)state;
	struct counter_entry one[] = {entry_of('A', 1, 4, UINT64_MAX - 1, UINT64_MAX - 1)};
	struct counter c = {one, 1};
	c = add(&c, dot_of('A', 5), 4, 1);
	assert_int_equal(c.count, 1);
	c = add(&c, dot_of('A', 6), 5, 1);
	assert_int_equal(c.count, 2);
	c = add(&c, dot_of('A', 7), 6, 1);
	assert_int_equal(c.count, 2);
	assert_string_equal(text_of(&c), "3");
}

static struct counter many(uint32_t count)
{
	struct counter_entry *to = arena_take(&room.arena, count * sizeof *to);
	assert_non_null(to);
	for (uint32_t i = 0; i < count; i++)
		to[i] = (struct counter_entry){{i + 100}, {UINT64_MAX - 1}, {UINT64_MAX}, 1, 0};
	return (struct counter){to, count};
}

static void entries_have_a_limit(void **state)
{
	(void)state;
	struct counter c = many(COUNTER_ENTRIES_MAX), out;
	assert_int_equal(try_add(&c, 1), ERR_COUNTER_FULL);
	assert_int_equal(decode(encoded(&c)), ERR_OK);
	/* An entry that is there may go on. */
	struct dot own = {{100}, {UINT64_MAX}};
	((struct counter_entry *)(uintptr_t)c.entries)->last.v = 7;
	((struct counter_entry *)(uintptr_t)c.entries)->birth.v = 7;
	assert_int_equal(counter_add(&room.arena, &c, own, (struct hlc){7}, 1, &out), ERR_OK);
	c = many(COUNTER_ENTRIES_MAX - 1);
	assert_int_equal(try_add(&c, 1), ERR_OK);
}

static void text_of_numbers(void **state)
{
	(void)state;
	static const struct {
		int64_t number;
		const char *text;
	} rows[] = {{0, "0"},
	            {1, "1"},
	            {-1, "-1"},
	            {9, "9"},
	            {10, "10"},
	            {-100, "-100"},
	            {4294967296, "4294967296"},
	            {-4294967297, "-4294967297"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[COUNTER_TEXT_BYTES];
		counter_text(rows[i].number, text);
		assert_string_equal(text, rows[i].text);
	}
	/* The largest that a decoder lets in, from as many siblings as an object may have. */
	char text[COUNTER_TEXT_BYTES];
	counter_number most = (counter_number)UINT64_MAX * COUNTER_ENTRIES_MAX * SIBLINGS_DECODE_MAX;
	counter_text(-most, text);
	assert_string_equal(text, "-77371252455336267177000960");
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void bytes_that_are_no_counter_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		struct bytes bytes;
	} rows[] = {
#define ROW(why, text)                                                                             \
	{                                                                                              \
		why,                                                                                       \
		{                                                                                          \
			(const uint8_t *)(text), sizeof(text) - 1                                              \
		}                                                                                          \
	}
		ROW("nothing", ""),
		ROW("no array", "\x01"),
		ROW("another version", "\x92\x02\x95\x01\x01\x01\x01\x00"),
		ROW("no entries", "\x92\x01\x90"),
		ROW("half an entry", "\x92\x01\x94\x01\x01\x01\x01"),
		ROW("cut short", "\x92\x01\x95\x01\x01\x01\x01"),
		ROW("something behind it", "\x92\x01\x95\x01\x01\x01\x01\x00\x00"),
		ROW("a longer form", "\x92\x01\x95\x01\x01\x01\xcc\x01\x00"),
		ROW("a negative number", "\x92\x01\x95\x01\x01\x01\xff\x00"),
		ROW("no actor", "\x92\x01\x95\x00\x01\x01\x01\x00"),
		ROW("not born", "\x92\x01\x95\x01\x00\x01\x01\x00"),
		ROW("added to before it was born", "\x92\x01\x95\x01\x02\x01\x01\x00"),
		ROW("the same twice", "\x92\x01\x9a\x01\x01\x01\x01\x00\x01\x01\x01\x01\x00"),
		ROW("not in order", "\x92\x01\x9a\x01\x02\x02\x01\x00\x01\x01\x01\x01\x00"),
	};
	assert_int_equal(decode(BYTES("\x92\x01\x95\x01\x01\x01\x01\x00")), ERR_OK);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (decode(rows[i].bytes) != ERR_BAD_BYTES) fail_msg("%s", rows[i].why);
}

static void more_entries_than_the_limit_are_refused(void **state)
{
	(void)state;
	struct counter c = many(COUNTER_ENTRIES_MAX + 1);
	struct packer p = {.to = arena_take(&room.arena, MIB(1)), .capacity = MIB(1)};
	assert_non_null(p.to);
	pack_array(&p, 2);
	pack_uint(&p, 1);
	pack_array(&p, 5 * c.count);
	for (uint32_t i = 0; i < 5 * c.count; i++) pack_uint(&p, i / 5 + 1);
	assert_int_equal(decode(bytes_of(p.to, p.len)), ERR_BAD_BYTES);
}

/* ---- histories -------------------------------------------------------------------------------- */

enum { REPLICAS = 3, STEPS = 60, HISTORIES = 3000, SIBLINGS = 4 * STEPS };

struct known {
	struct dot dot;
	uint64_t mask; /* the increments in it, by number */
};

struct model {
	struct prng prng;
	struct object replica[REPLICAS], older[REPLICAS];
	struct actor_id actor[REPLICAS];
	uint64_t actors, now;
	int64_t delta[64];
	uint32_t increments;
	struct known known[SIBLINGS];
	uint32_t known_count;
	bool deletes;
};

static uint64_t mask_of(const struct model *m, struct dot dot)
{
	for (uint32_t i = 0; i < m->known_count; i++)
		if (dot_equal(m->known[i].dot, dot)) return m->known[i].mask;
	return 0;
}

static uint64_t mask_in(const struct model *m, const struct object *o)
{
	uint64_t mask = 0;
	for (uint32_t i = 0; i < o->sibling_count; i++) mask |= mask_of(m, o->siblings[i].dot);
	return mask;
}

static int64_t sum_of(const struct model *m, uint64_t mask)
{
	int64_t sum = 0;
	for (uint32_t i = 0; i < m->increments; i++)
		if ((mask >> i & 1) != 0) sum += m->delta[i];
	return sum;
}

static void write_at(struct model *m, unsigned r, const struct dvv *context, struct sibling s)
{
	m->older[r] = m->replica[r];
	assert_true(object_write(&room.arena, &m->replica[r], context, &s, &m->replica[r]));
}

static struct dot mint(struct model *m, unsigned r)
{
	return (struct dot){m->actor[r], {++m->now}};
}

static void increment(struct model *m, unsigned r)
{
	struct sibling s = {.dot = mint(m, r), .meta = counter_meta};
	struct dvv covers;
	int64_t delta = (int64_t)prng_below(&m->prng, 2000) - 700;
	enum err e = counter_increment(&room.arena, &m->replica[r], s.dot, delta, &s.value, &covers);
	assert_int_equal(e, ERR_OK);
	uint64_t mask = mask_in(m, &m->replica[r]) | 1ULL << m->increments;
	m->delta[m->increments++] = delta;
	m->known[m->known_count++] = (struct known){s.dot, mask};
	write_at(m, r, &covers, s);
	/* What it merged is gone; anything else stays. */
	for (uint32_t i = 0; i < m->replica[r].sibling_count; i++) {
		const struct sibling *one = &m->replica[r].siblings[i];
		bool own = dot_equal(one->dot, s.dot);
		assert_true(own || (!one->tombstone && one->meta.len == 0));
	}
}

/* A plain value, or a tombstone, over what one of the replicas would show, or over nothing. */
static void write_other(struct model *m, unsigned r, bool tombstone)
{
	struct dvv context = {0};
	if (!prng_one_in(&m->prng, 4))
		context = m->replica[prng_one_in(&m->prng, 2) ? r : prng_below(&m->prng, REPLICAS)].seen;
	struct sibling s = {.dot = mint(m, r), .tombstone = tombstone};
	if (!tombstone) s.value = BYTES("plain");
	write_at(m, r, &context, s);
}

/* Its last write is gone with its memory; others may have it. */
static void crash(struct model *m, unsigned r, bool loses)
{
	if (loses) m->replica[r] = m->older[r];
	m->actor[r].v = ++m->actors;
}

static void merge(struct model *m, unsigned r, unsigned from)
{
	m->older[r] = m->replica[r];
	assert_true(object_merge(&room.arena, &m->replica[r], &m->replica[from], &m->replica[r]));
}

static void check_numbers(const struct model *m)
{
	for (unsigned r = 0; r < REPLICAS; r++) {
		struct counter c;
		const struct object *o = &m->replica[r];
		assert_int_equal(counter_of(&room.arena, o->siblings, o->sibling_count, &c), ERR_OK);
		assert_true(counter_value(&c) == sum_of(m, mask_in(m, o)));
	}
}

static void step(struct model *m)
{
	unsigned r = (unsigned)prng_below(&m->prng, REPLICAS);
	uint64_t dice = prng_below(&m->prng, 100);
	if (dice < 40)
		increment(m, r);
	else if (dice < 47 && m->deletes)
		write_other(m, r, true);
	else if (dice < 52 && m->deletes)
		write_other(m, r, false);
	else if (dice < 60)
		crash(m, r, prng_one_in(&m->prng, 2));
	else
		merge(m, r, (unsigned)prng_below(&m->prng, REPLICAS));
}

static void run_model(uint64_t seed, bool deletes)
{
	static struct model m;
	struct arena_mark mark = arena_mark(&room.arena);
	m = (struct model){.actors = REPLICAS, .deletes = deletes};
	prng_seed(&m.prng, seed);
	for (unsigned r = 0; r < REPLICAS; r++) m.actor[r].v = r + 1;
	for (unsigned i = 0; i < STEPS; i++) {
		step(&m);
		check_numbers(&m);
	}
	for (unsigned r = 1; r < REPLICAS; r++) merge(&m, 0, r);
	check_numbers(&m);
	arena_release(&room.arena, mark);
}

static void every_increment_is_counted_once_whatever_is_lost_or_merged(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= HISTORIES; seed++) run_model(seed, false);
}

static void a_delete_takes_what_it_saw_and_nothing_that_was_counted_beside_it(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= HISTORIES; seed++) run_model(seed, true);
}

/* ---- the laws of merging ---------------------------------------------------------------------- */

static struct counter some_counter(struct prng *p)
{
	struct counter c = {0};
	uint32_t count = 1 + (uint32_t)prng_below(p, 6);
	for (uint32_t i = 0; i < count; i++) {
		struct counter_entry e = {{1 + prng_below(p, 3)}, {1 + prng_below(p, 3)}, {0}, 0, 0};
		e.last.v = e.birth.v + prng_below(p, 4);
		e.plus = prng_next(p) >> prng_below(p, 64);
		e.minus = prng_next(p) >> prng_below(p, 64);
		assert_true(counter_merge(&room.arena, &c, &(struct counter){&e, 1}, &c));
	}
	return c;
}

static struct counter merged(const struct counter *x, const struct counter *y)
{
	struct counter out;
	assert_true(counter_merge(&room.arena, x, y, &out));
	return out;
}

static bool identical(const struct counter *x, const struct counter *y)
{
	return bytes_equal(encoded(x), encoded(y));
}

static void merging_is_commutative_associative_and_idempotent(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 11);
	for (int i = 0; i < 3000; i++) {
		struct arena_mark mark = arena_mark(&room.arena);
		struct counter x = some_counter(&p), y = some_counter(&p), z = some_counter(&p);
		struct counter xy = merged(&x, &y), yx = merged(&y, &x), yz = merged(&y, &z);
		struct counter left = merged(&xy, &z), right = merged(&x, &yz);
		struct counter again = merged(&xy, &y), same = merged(&x, &x);
		assert_true(identical(&xy, &yx));
		assert_true(identical(&left, &right));
		assert_true(identical(&again, &xy));
		assert_true(identical(&same, &x));
		struct counter back;
		struct bytes bytes = encoded(&left);
		assert_int_equal(counter_decode(&room.arena, bytes, &back), ERR_OK);
		assert_true(bytes_equal(bytes, encoded(&back)));
		arena_release(&room.arena, mark);
	}
}

/* ---- siblings --------------------------------------------------------------------------------- */

static void what_says_it_is_a_counter_and_is_none_is_a_plain_value(void **state)
{
	(void)state;
	struct sibling siblings[] = {
		{.dot = dot_of('A', 1), .meta = counter_meta, .value = BYTES("7")},
		{.dot = dot_of('B', 2), .value = BYTES("\x92\x01\x95\x01\x01\x01\x01\x00")}};
	struct object o = {dvv_of(&room.arena, "A1 B2"), siblings, 2};
	struct counter c;
	assert_int_equal(counter_of(&room.arena, siblings, 2, &c), ERR_OK);
	assert_int_equal(c.count, 0);
	struct bytes value;
	struct dvv covers;
	assert_int_equal(counter_increment(&room.arena, &o, dot_of('C', 3), 1, &value, &covers),
	                 ERR_OK);
	assert_int_equal(covers.vector_count + covers.dot_count, 0);
}

static void without_room_nothing_is_made(void **state)
{
	(void)state;
	struct room full;
	struct counter c = many(200), out;
	struct bytes bytes = encoded(&c);
	room_open(&full, MIB(1));
	room_exhaust(&full, POOL_PIECE_BYTES_MIN);
	assert_int_equal(counter_decode(&full.arena, bytes, &out), ERR_BUSY);
	assert_false(counter_merge(&full.arena, &c, &c, &out));
	assert_false(counter_encode(&full.arena, &c, &bytes));
	struct sibling s = {.dot = dot_of('A', 1), .meta = counter_meta, .value = bytes};
	assert_int_equal(counter_of(&full.arena, &s, 1, &out), ERR_BUSY);
	free(full.region);
	free(full.state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_metadata_is_its_content_type_and_nothing_else),
		TEST(an_actor_goes_on_with_the_entry_that_it_wrote_last),
		TEST(an_actor_that_wrote_something_else_since_begins_anew),
		TEST(another_actor_has_an_entry_of_its_own),
		TEST(numbers_of_64_bits_are_counted_and_no_more),
		TEST(a_merge_beyond_64_bits_is_shown_whole_and_may_be_counted_back),
		TEST(an_entry_that_is_full_is_left_and_another_begun),
		TEST(entries_have_a_limit),
		TEST(text_of_numbers),
		TEST(bytes_that_are_no_counter_are_refused),
		TEST(more_entries_than_the_limit_are_refused),
		TEST(every_increment_is_counted_once_whatever_is_lost_or_merged),
		TEST(a_delete_takes_what_it_saw_and_nothing_that_was_counted_beside_it),
		TEST(merging_is_commutative_associative_and_idempotent),
		TEST(what_says_it_is_a_counter_and_is_none_is_a_plain_value),
		TEST(without_room_nothing_is_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
