/* test_sim_bounds.c - the simulator's checker of P8: each bound, at its edge and past it. */
#include "tests/sim/bounds.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define POOL MIB(4)

static struct bounds small(void)
{
	struct node_config c = {.coord_slots = 8,
	                        .replica_slots = 16,
	                        .replicas = 3,
	                        .hints_max = 5,
	                        .hint_bytes_max = 400,
	                        .stand_ins_max = 4,
	                        .stand_in_bytes_max = KIB(2)};
	return bounds_of(&c, POOL);
}

static void holds(const struct node_metrics *m)
{
	struct bounds b = small();
	struct check_failure f = {0};
	if (!check_bounds(&b, "n1", m, &f)) fail_msg("refused: %s", f.text);
}

static void refuses(const struct node_metrics *m, const char *what)
{
	struct bounds b = small();
	struct check_failure f = {0};
	assert_false(check_bounds(&b, "n1", m, &f));
	assert_string_equal(f.promise, "P8");
	if (strstr(f.text, what) == NULL) fail_msg("%s", f.text);
}

/* What a row holds at most, and one more. */
#define AT_ITS_EDGE(field, most, what)                                                             \
	do {                                                                                           \
		struct node_metrics m = {.field = (most)};                                                 \
		holds(&m);                                                                                 \
		m.field++;                                                                                 \
		refuses(&m, what);                                                                         \
	} while (0)

static void a_node_that_holds_nothing_is_within_its_bounds(void **state)
{
	(void)state;
	struct node_metrics m = {0};
	holds(&m);
}

static void requests_in_flight_are_bounded(void **state)
{
	(void)state;
	AT_ITS_EDGE(coord_slots_used, 8, "requests of clients in flight");
	AT_ITS_EDGE(replica_slots_used, 16, "requests of peers in flight");
	AT_ITS_EDGE(keys_in_flight, 8 + 16 + HINT_SLOTS_MAX, "keys in flight");
	AT_ITS_EDGE(pool_bytes_used, POOL, "bytes of requests in flight");
}

static void what_is_kept_for_others_is_bounded(void **state)
{
	(void)state;
	uint64_t under_way = 8 * 3, writes = 8 + 16;
	AT_ITS_EDGE(hints, 5 + under_way, "hints");
	AT_ITS_EDGE(hint_bytes, 400 + under_way * HINT_RECORD_BYTES, "bytes of hints");
	AT_ITS_EDGE(stand_ins, 4 + writes, "stand-in copies");
	AT_ITS_EDGE(stand_in_bytes, KIB(2) + writes * WRITE_BYTES_MAX, "bytes of stand-in copies");
}

static void properties_and_background_work_are_bounded(void **state)
{
	(void)state;
	AT_ITS_EDGE(props_buckets, PROPS_BUCKETS_MAX, "buckets with properties");
	AT_ITS_EDGE(background_bytes_per_s, BACKGROUND_BYTES_PER_S, "in the background");
}

static void a_count_that_went_below_nothing_is_past_its_bound(void **state)
{
	(void)state;
	struct node_metrics m = {.hints = UINT64_MAX};
	refuses(&m, "hints");
}

static void without_figures_of_its_own_a_node_has_those_of_the_limits(void **state)
{
	(void)state;
	struct node_config c = {.name = {NULL, 0}};
	struct bounds b = bounds_of(&c, POOL);
	assert_int_equal(b.coord_slots, COORD_SLOTS_MAX);
	assert_int_equal(b.replica_slots, REPLICA_SLOTS_MAX);
	assert_true(b.hints >= EXTRA_HINTS_MAX && b.stand_ins >= STAND_INS_MAX);
	assert_true(b.hint_bytes >= HINT_BYTES_MAX && b.stand_in_bytes >= STAND_IN_BYTES_MAX);
}

static void answers_are_bounded(void **state)
{
	(void)state;
	struct check_failure f = {0};
	struct reply r = {.context = {NULL, CONTEXT_BYTES_MAX}, .sibling_count = SIBLINGS_DECODE_MAX};
	assert_true(check_reply_bounds(&r, &f));
	r.context.len++;
	assert_false(check_reply_bounds(&r, &f));
	assert_string_equal(f.promise, "P8");
	r.context.len--;
	r.sibling_count++;
	assert_false(check_reply_bounds(&r, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_holds_nothing_is_within_its_bounds),
		cmocka_unit_test(requests_in_flight_are_bounded),
		cmocka_unit_test(what_is_kept_for_others_is_bounded),
		cmocka_unit_test(properties_and_background_work_are_bounded),
		cmocka_unit_test(a_count_that_went_below_nothing_is_past_its_bound),
		cmocka_unit_test(without_figures_of_its_own_a_node_has_those_of_the_limits),
		cmocka_unit_test(answers_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
