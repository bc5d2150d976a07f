/* test_dvv.c - what has been seen of one key: the textbook cases by name, every small state against
 * its meaning, and every way in which the bytes of a state can be wrong. */
#include <setjmp.h>
#include <stdarg.h>

#include "tests/unit/test_core_util.h"

#include <cmocka.h>

static struct room room;

static int open_room(void **state)
{
	(void)state;
	room_open(&room, MIB(4));
	return 0;
}

static int close_room(void **state)
{
	(void)state;
	room_close(&room);
	return 0;
}

static struct dvv seen(const char *text)
{
	return dvv_of(&room.arena, text);
}

static enum dvv_order compare(const char *x, const char *y)
{
	struct dvv a = seen(x), b = seen(y);
	return dvv_compare(&a, &b);
}

/* ---- textbook ------------------------------------------------------------------------------ */

static void a_vector_that_is_greater_somewhere_and_less_nowhere_dominates(void **state)
{
	(void)state;
	assert_int_equal(compare("A2 B1", "A1 B1"), DVV_AFTER);
	assert_int_equal(compare("A1 B1", "A2 B1"), DVV_BEFORE);
	assert_int_equal(compare("A2 B2 C2", "A1 B1 C1"), DVV_AFTER);
}

static void vectors_that_are_each_greater_somewhere_are_concurrent(void **state)
{
	(void)state;
	assert_int_equal(compare("A2 B1", "A1 B2"), DVV_CONCURRENT);
	assert_int_equal(compare("A1", "B1"), DVV_CONCURRENT);
	assert_int_equal(compare("A9 B1 C9", "A9 B2 C8"), DVV_CONCURRENT);
}

static void a_vector_equals_itself_and_the_empty_one_equals_the_empty_one(void **state)
{
	(void)state;
	assert_int_equal(compare("A1 B2 | A4", "A1 B2 | A4"), DVV_EQUAL);
	assert_int_equal(compare("", ""), DVV_EQUAL);
}

static void a_missing_entry_counts_as_nothing_seen(void **state)
{
	(void)state;
	assert_int_equal(compare("A1 B1", "A1"), DVV_AFTER);
	assert_int_equal(compare("B1", "A1 B1"), DVV_BEFORE);
	assert_int_equal(compare("", "C7"), DVV_BEFORE);
	assert_int_equal(compare("A3", "A1 B1"), DVV_CONCURRENT);
}

static void a_single_dot_says_nothing_about_the_dots_before_it(void **state)
{
	(void)state;
	struct dvv v = seen("A1 | A3");
	assert_true(dvv_covers(&v, dot_of('A', 1)));
	assert_false(dvv_covers(&v, dot_of('A', 2)));
	assert_true(dvv_covers(&v, dot_of('A', 3)));
	assert_false(dvv_covers(&v, dot_of('A', 4)));
	assert_false(dvv_covers(&v, dot_of('B', 1)));
}

static void a_vector_entry_is_more_than_the_single_dots_up_to_it(void **state)
{
	(void)state;
	assert_int_equal(compare("A3", "A1 | A3"), DVV_AFTER);
	assert_int_equal(compare("| A1 A2 A3", "A3"), DVV_BEFORE); /* there may be others between */
	assert_int_equal(compare("A1 | A3", "A2"), DVV_CONCURRENT);
	assert_int_equal(compare("| A3", "| A2"), DVV_CONCURRENT);
	assert_int_equal(compare("A1 | A3", "A1"), DVV_AFTER);
}

static void a_join_takes_the_greater_entry_and_the_dots_that_it_does_not_cover(void **state)
{
	(void)state;
	static const struct {
		const char *x, *y, *joined;
	} cases[] = {
		{"", "", ""},
		{"A1", "", "A1"},
		{"A2 B1", "A1 B2", "A2 B2"},
		{"A1", "B1 C3", "A1 B1 C3"},
		{"A1 | A3", "A2", "A2 | A3"},
		{"A1 | A3", "A3", "A3"},
		{"| A1 B2", "| A1 C3", "| A1 B2 C3"},
		{"C1 | A7", "A6 B9", "A6 B9 C1 | A7"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct dvv x = seen(cases[i].x), y = seen(cases[i].y), out;
		assert_true(dvv_join(&room.arena, &x, &y, &out));
		assert_string_equal(dvv_text(&out), cases[i].joined);
		assert_true(dvv_join(&room.arena, &y, &x, &out));
		assert_string_equal(dvv_text(&out), cases[i].joined);
	}
}

static void a_fold_covers_all_before_and_an_added_dot_only_itself(void **state)
{
	(void)state;
	struct dvv v = seen("A1 B2 | A3"), out;
	assert_true(dvv_fold(&room.arena, &v, dot_of('A', 5), &out));
	assert_string_equal(dvv_text(&out), "A5 B2");
	assert_true(dvv_add(&room.arena, &v, dot_of('A', 5), &out));
	assert_string_equal(dvv_text(&out), "A1 B2 | A3 A5");
	assert_true(dvv_add(&room.arena, &v, dot_of('A', 1), &out));
	assert_string_equal(dvv_text(&out), "A1 B2 | A3");
}

static void the_greatest_dot_is_the_latest_and_of_equal_ones_the_greater_actors(void **state)
{
	(void)state;
	struct dvv v = seen("A7 B9 C2 | A9 C3"), empty = {0};
	assert_true(dot_equal(dvv_greatest(&v), dot_of('B', 9)));
	assert_true(dot_equal(dvv_greatest(&empty), (struct dot){0}));
	assert_true(dot_compare(dot_of('A', 9), dot_of('B', 1)) < 0);
	assert_true(dot_compare_age(dot_of('A', 9), dot_of('B', 1)) > 0);
	assert_true(dot_compare_age(dot_of('A', 9), dot_of('B', 9)) < 0);
}

static void an_actor_is_named_by_an_entry_or_by_a_dot(void **state)
{
	(void)state;
	struct dvv v = seen("A1 | B2");
	assert_true(dvv_names(&v, (struct actor_id){1}));
	assert_true(dvv_names(&v, (struct actor_id){2}));
	assert_false(dvv_names(&v, (struct actor_id){3}));
}

/* ---- every small state ----------------------------------------------------------------------- */

/* What one actor's part can be, with times 1 to TIMES: an entry, and any dots above it. As a mask of
 * single dots in the low bits, and the entry above. */
enum { TIMES = 3, PARTS = 15, STATES = PARTS * PARTS };

struct part {
	uint64_t entry;
	unsigned dots; /* bit t - 1: the dot at t */
};

static struct part parts[PARTS];
static struct dvv states[STATES];
static struct dot state_dots[STATES][2 * (TIMES + 1)];

static void make_parts(void)
{
	unsigned count = 0;
	for (uint64_t entry = 0; entry <= TIMES; entry++)
		for (unsigned dots = 0; dots < 1U << TIMES; dots++)
			if ((dots & ((1U << entry) - 1)) == 0) parts[count++] = (struct part){entry, dots};
	assert_int_equal(count, PARTS);
}

static void make_states(void)
{
	make_parts();
	for (unsigned s = 0; s < STATES; s++) {
		const struct part of[2] = {parts[s / PARTS], parts[s % PARTS]};
		uint32_t count = 0;
		for (unsigned actor = 0; actor < 2; actor++)
			if (of[actor].entry > 0)
				state_dots[s][count++] = dot_of((char)('A' + actor), of[actor].entry);
		states[s] = (struct dvv){.vector = state_dots[s], .vector_count = count};
		states[s].dots = state_dots[s] + count;
		for (unsigned actor = 0; actor < 2; actor++)
			for (unsigned t = 1; t <= TIMES; t++)
				if ((of[actor].dots & 1U << (t - 1)) != 0)
					state_dots[s][count++] = dot_of((char)('A' + actor), t);
		states[s].dot_count = count - states[s].vector_count;
	}
}

static bool part_covers(struct part p, uint64_t at)
{
	return at <= p.entry || (p.dots & 1U << (at - 1)) != 0;
}

static bool part_includes(struct part p, struct part q)
{
	bool all = p.entry >= q.entry;
	for (unsigned t = 1; t <= TIMES; t++)
		if ((q.dots & 1U << (t - 1)) != 0) all = all && part_covers(p, t);
	return all;
}

static bool state_includes(unsigned x, unsigned y)
{
	return part_includes(parts[x / PARTS], parts[y / PARTS]) &&
	       part_includes(parts[x % PARTS], parts[y % PARTS]);
}

static void every_small_state_covers_what_it_means(void **state)
{
	(void)state;
	make_states();
	for (unsigned s = 0; s < STATES; s++)
		for (uint64_t t = 1; t <= TIMES + 1; t++) {
			bool in_range = t <= TIMES;
			assert_int_equal(dvv_covers(&states[s], dot_of('A', t)),
			                 in_range && part_covers(parts[s / PARTS], t));
			assert_int_equal(dvv_covers(&states[s], dot_of('B', t)),
			                 in_range && part_covers(parts[s % PARTS], t));
			assert_false(dvv_covers(&states[s], dot_of('C', t)));
		}
}

static void every_two_small_states_compare_as_they_mean(void **state)
{
	(void)state;
	make_states();
	for (unsigned x = 0; x < STATES; x++)
		for (unsigned y = 0; y < STATES; y++) {
			bool more = state_includes(x, y), less = state_includes(y, x);
			enum dvv_order order = more && less ? DVV_EQUAL
			                       : more       ? DVV_AFTER
			                       : less       ? DVV_BEFORE
			                                    : DVV_CONCURRENT;
			assert_int_equal(dvv_includes(&states[x], &states[y]), more);
			assert_int_equal(dvv_compare(&states[x], &states[y]), order);
			assert_int_equal(order == DVV_EQUAL, x == y);
		}
}

static unsigned state_index(const struct dvv *v)
{
	for (unsigned s = 0; s < STATES; s++)
		if (dvv_identical(v, &states[s])) return s;
	fail_msg("not a small state in canonical form: %s", dvv_text(v));
	return 0;
}

/* The joins of all pairs, by index; made once, since the laws ask for them again and again. */
static uint8_t joins[STATES][STATES];

static void make_joins(void)
{
	make_states();
	for (unsigned x = 0; x < STATES; x++)
		for (unsigned y = 0; y < STATES; y++) {
			struct arena_mark mark = arena_mark(&room.arena);
			struct dvv out;
			assert_true(dvv_join(&room.arena, &states[x], &states[y], &out));
			joins[x][y] = (uint8_t)state_index(&out);
			arena_release(&room.arena, mark);
		}
}
static_assert(STATES <= 256, "an index is one byte");

static void every_join_of_small_states_is_their_least_upper_bound(void **state)
{
	(void)state;
	make_joins();
	for (unsigned x = 0; x < STATES; x++)
		for (unsigned y = 0; y < STATES; y++) {
			unsigned join = joins[x][y];
			assert_true(state_includes(join, x) && state_includes(join, y));
			for (unsigned z = 0; z < STATES; z++)
				if (state_includes(z, x) && state_includes(z, y))
					assert_true(state_includes(z, join));
		}
}

static void joins_of_small_states_are_commutative_associative_and_idempotent(void **state)
{
	(void)state;
	make_joins();
	for (unsigned x = 0; x < STATES; x++) {
		assert_int_equal(joins[x][x], x);
		for (unsigned y = 0; y < STATES; y++) {
			assert_int_equal(joins[x][y], joins[y][x]);
			for (unsigned z = 0; z < STATES; z++)
				if (joins[joins[x][y]][z] != joins[x][joins[y][z]]) fail_msg("%u %u %u", x, y, z);
		}
	}
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum err unpack(struct bytes b, struct dvv *out)
{
	struct cursor c = cursor_of(b);
	enum err e = dvv_unpack(&c, &room.arena, out);
	return e == ERR_OK && !cursor_finished(&c) ? ERR_BAD_BYTES : e;
}

static void every_small_state_comes_back_from_its_bytes(void **state)
{
	(void)state;
	make_states();
	for (unsigned s = 0; s < STATES; s++) {
		struct dvv out;
		assert_int_equal(unpack(dvv_packed(&room.arena, &states[s]), &out), ERR_OK);
		assert_true(dvv_identical(&out, &states[s]));
	}
}

static void a_state_cut_short_anywhere_is_refused(void **state)
{
	(void)state;
	struct dvv v = seen("A300 B70000 C1 | A301 B9999999999"), out;
	struct bytes whole = dvv_packed(&room.arena, &v);
	for (size_t len = 0; len < whole.len; len++) {
		uint8_t *exact = malloc(len + 1); /* so that a read past the end is seen */
		if (len > 0) memcpy(exact + 1, whole.data, len);
		assert_int_equal(unpack(bytes_of(exact + 1, len), &out), ERR_BAD_BYTES);
		assert_int_equal(out.vector_count + out.dot_count, 0);
		free(exact);
	}
}

static void a_state_out_of_canonical_order_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"B1 A1",         /* actors descend */
		"A1 A2",         /* an actor twice */
		"A1 A1",         /* the same */
		"A0",            /* nothing seen is no entry */
		"| B1 A1",       /* dots descend */
		"| A2 A1",       /* dots of one actor descend */
		"| A1 A1",       /* a dot twice */
		"A2 | A2",       /* a dot that the entry covers */
		"A2 | A1",       /* also covered */
		"| A0",          /* no dot is at 0 */
		"A1 B2 | A2 B1", /* one of two covered */
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct dvv v = seen(wrong[i]), out;
		if (unpack(dvv_packed(&room.arena, &v), &out) != ERR_BAD_BYTES)
			fail_msg("accepted: %s", wrong[i]);
	}
}

static void bytes_of_another_shape_are_refused(void **state)
{
	(void)state;
	const struct {
		const char *why;
		struct bytes bytes;
	} wrong[] = {
		{"an odd number of numbers", BYTES("\x91\x01\x90")},
		{"an odd number of numbers among the dots", BYTES("\x90\x93\x01\x02\x03")},
		{"no dots", BYTES("\x92\x01\x02")},
		{"something after it", BYTES("\x90\x90\x90")},
		{"a number in a longer form than it needs", BYTES("\x92\xcc\x01\x02\x90")},
		{"an array in a longer form than it needs", BYTES("\xdc\x00\x00\x90")},
		{"bytes where a number belongs", BYTES("\x92\xc4\x01\x01\x02\x90")},
		{"nil", BYTES("\xc0\x90")},
		{"a signed number", BYTES("\x92\xff\x02\x90")},
		{"more entries than there are bytes", BYTES("\xdc\x20\x00\x01\x01")},
		{"a count above the limit", BYTES("\xdd\x7f\xff\xff\xfe\x01\x01")},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct dvv out;
		if (unpack(wrong[i].bytes, &out) != ERR_BAD_BYTES) fail_msg("accepted: %s", wrong[i].why);
	}
}

/* Also by itself, before its caller looks at what follows. */
static void half_a_dot_is_refused(void **state)
{
	(void)state;
	struct cursor c = cursor_of(BYTES("\x90\x93\x01\x02\x03"));
	struct dvv out;
	assert_int_equal(dvv_unpack(&c, &room.arena, &out), ERR_BAD_BYTES);
}

static void as_many_entries_as_the_limit_are_accepted_and_one_more_is_refused(void **state)
{
	(void)state;
	struct dot *many = arena_take(&room.arena, (VECTOR_ENTRIES_MAX + 1) * sizeof *many);
	for (uint64_t i = 0; i <= VECTOR_ENTRIES_MAX; i++) many[i] = (struct dot){{i + 1}, {7}};
	struct dvv v = {.vector = many, .vector_count = VECTOR_ENTRIES_MAX}, out;
	assert_int_equal(unpack(dvv_packed(&room.arena, &v), &out), ERR_OK);
	assert_int_equal(out.vector_count, VECTOR_ENTRIES_MAX);
	v.vector_count++;
	assert_int_equal(unpack(dvv_packed(&room.arena, &v), &out), ERR_BAD_BYTES);
}

static void without_room_the_answer_is_busy_and_nothing_else(void **state)
{
	(void)state;
	struct dot many[100];
	for (uint64_t i = 0; i < 100; i++) many[i] = (struct dot){{i + 1}, {7}};
	struct dvv v = {.vector = many, .vector_count = 100}, out = {.vector_count = 1};
	struct bytes packed = dvv_packed(&room.arena, &v);
	struct room full;
	room_open(&full, MIB(1));
	room_exhaust(&full, POOL_PIECE_BYTES_MIN);
	struct cursor c = cursor_of(packed);
	assert_int_equal(dvv_unpack(&c, &full.arena, &out), ERR_BUSY);
	assert_int_equal(out.vector_count, 0);
	assert_false(dvv_join(&full.arena, &v, &v, &out));
	assert_false(dvv_add(&full.arena, &v, dot_of('A', 9), &out));
	assert_false(dvv_fold(&full.arena, &v, dot_of('A', 9), &out));
	full.pool.used = 0; /* what was exhausted is not given back piece by piece */
	room_close(&full);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_vector_that_is_greater_somewhere_and_less_nowhere_dominates),
		T(vectors_that_are_each_greater_somewhere_are_concurrent),
		T(a_vector_equals_itself_and_the_empty_one_equals_the_empty_one),
		T(a_missing_entry_counts_as_nothing_seen),
		T(a_single_dot_says_nothing_about_the_dots_before_it),
		T(a_vector_entry_is_more_than_the_single_dots_up_to_it),
		T(a_join_takes_the_greater_entry_and_the_dots_that_it_does_not_cover),
		T(a_fold_covers_all_before_and_an_added_dot_only_itself),
		T(the_greatest_dot_is_the_latest_and_of_equal_ones_the_greater_actors),
		T(an_actor_is_named_by_an_entry_or_by_a_dot),
		T(every_small_state_covers_what_it_means),
		T(every_two_small_states_compare_as_they_mean),
		T(every_join_of_small_states_is_their_least_upper_bound),
		T(joins_of_small_states_are_commutative_associative_and_idempotent),
		T(every_small_state_comes_back_from_its_bytes),
		T(a_state_cut_short_anywhere_is_refused),
		T(a_state_out_of_canonical_order_is_refused),
		T(bytes_of_another_shape_are_refused),
		T(half_a_dot_is_refused),
		T(as_many_entries_as_the_limit_are_accepted_and_one_more_is_refused),
		T(without_room_the_answer_is_busy_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
