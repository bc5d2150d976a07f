/* test_plan_flow.c - the planner's maximum flow, against the minimum cut found by trying every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/panic.h"
#include "base/prng.h"
#include "ring/flow.h"

#include <cmocka.h>

enum { NODES_MAX = 8, EDGES_MAX = 24 };

static uint8_t region[MIB(1)] __attribute__((aligned(4096)));

struct graph {
	uint32_t nodes, edges;
	uint32_t from[EDGES_MAX], to[EDGES_MAX], capacity[EDGES_MAX], number[EDGES_MAX];
};

static void graph_draw(struct graph *g, struct prng *prng)
{
	g->nodes = 2 + (uint32_t)prng_below(prng, NODES_MAX - 1);
	g->edges = (uint32_t)prng_below(prng, EDGES_MAX + 1);
	for (uint32_t i = 0; i < g->edges; i++) {
		g->from[i] = (uint32_t)prng_below(prng, g->nodes);
		g->to[i] = (g->from[i] + 1 + (uint32_t)prng_below(prng, g->nodes - 1)) % g->nodes;
		g->capacity[i] = (uint32_t)prng_below(prng, 6);
	}
}

/* Source is node 0, sink the last. */
static uint64_t minimum_cut(const struct graph *g)
{
	uint64_t least = UINT64_MAX;
	for (uint32_t side = 1; side < 1U << (g->nodes - 1); side += 2) {
		uint64_t cut = 0;
		for (uint32_t i = 0; i < g->edges; i++)
			if ((side >> g->from[i] & 1) != 0 && (side >> g->to[i] & 1) == 0) cut += g->capacity[i];
		if (cut < least) least = cut;
	}
	return least;
}

/* No edge above its capacity; what flows into a node flows out; `total` leaves the source. */
static void check_flow(const struct graph *g, const struct flow *f, uint64_t total)
{
	int64_t surplus[NODES_MAX] = {0};
	for (uint32_t i = 0; i < g->edges; i++) {
		uint32_t on = flow_on(f, g->number[i]);
		assert_in_range(on, 0, g->capacity[i]);
		surplus[g->from[i]] -= on;
		surplus[g->to[i]] += on;
	}
	for (uint32_t n = 1; n + 1 < g->nodes; n++) assert_int_equal(surplus[n], 0);
	assert_int_equal(surplus[g->nodes - 1], total);
}

static void the_flow_is_the_minimum_cut_and_again_after_edges_were_widened(void **state)
{
	(void)state;
	struct prng prng;
	struct pool pool;
	struct arena arena;
	void *bookkeeping = calloc(1, pool_state_bytes(sizeof region));
	pool_init(&pool, region, sizeof region, bookkeeping);
	arena_init(&arena, &pool);
	prng_seed(&prng, 11);
	for (unsigned round = 0; round < 20000; round++) {
		struct graph g;
		struct flow f;
		graph_draw(&g, &prng);
		assert_true(flow_init(&f, &arena, g.nodes, g.edges));
		for (uint32_t i = 0; i < g.edges; i++)
			g.number[i] = flow_edge(&f, g.from[i], g.to[i], g.capacity[i]);
		uint64_t total = flow_run(&f, 0, g.nodes - 1);
		assert_int_equal(total, minimum_cut(&g));
		check_flow(&g, &f, total);
		for (uint32_t i = 0; i < g.edges; i += 3) {
			flow_widen(&f, g.number[i], 2);
			g.capacity[i] += 2;
		}
		total += flow_run(&f, 0, g.nodes - 1);
		assert_int_equal(total, minimum_cut(&g));
		check_flow(&g, &f, total);
		arena_free(&arena);
	}
	free(bookkeeping);
}

static void continuing_a_flow_takes_nothing_back_from_the_sink(void **state)
{
	(void)state;
	struct prng prng;
	struct pool pool;
	struct arena arena;
	void *bookkeeping = calloc(1, pool_state_bytes(sizeof region));
	pool_init(&pool, region, sizeof region, bookkeeping);
	arena_init(&arena, &pool);
	prng_seed(&prng, 12);
	for (unsigned round = 0; round < 5000; round++) {
		struct graph g;
		struct flow f;
		uint32_t before[EDGES_MAX];
		graph_draw(&g, &prng);
		assert_true(flow_init(&f, &arena, g.nodes, g.edges));
		for (uint32_t i = 0; i < g.edges; i++)
			g.number[i] = flow_edge(&f, g.from[i], g.to[i], g.capacity[i]);
		flow_run(&f, 0, g.nodes - 1);
		for (uint32_t i = 0; i < g.edges; i++) {
			before[i] = flow_on(&f, g.number[i]);
			flow_widen(&f, g.number[i], (uint32_t)prng_below(&prng, 3));
		}
		flow_run(&f, 0, g.nodes - 1);
		for (uint32_t i = 0; i < g.edges; i++)
			if (g.to[i] == g.nodes - 1 || g.from[i] == 0)
				assert_true(flow_on(&f, g.number[i]) >= before[i]);
		arena_free(&arena);
	}
	free(bookkeeping);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_flow_is_the_minimum_cut_and_again_after_edges_were_widened),
		cmocka_unit_test(continuing_a_flow_takes_nothing_back_from_the_sink),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
