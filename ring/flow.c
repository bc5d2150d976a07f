/* flow.c - see flow.h.
 *
 * A round: number the nodes by their distance from the source over edges with room (breadth first),
 * then push along edges that lead one further, depth first, until no such path is left. `at`
 * remembers per node which edge to try next, so a round looks at each edge once. The distance of
 * the sink grows with every round, so rounds are few: about the root of the nodes in a graph like
 * the planner's, and in practice fewer than ten.
 *
 * Always true between calls: into every node but source and sink flows what flows out; room(e) and
 * room(e ^ 1) together are the capacity of the pair. */
#include "ring/flow.h"

#include "base/panic.h"

#define NONE UINT32_MAX

static uint32_t *take_numbers(struct arena *a, uint32_t count)
{
	return arena_take(a, count * sizeof(uint32_t));
}

bool flow_init(struct flow *f, struct arena *a, uint32_t nodes, uint32_t edges)
{
	assert(nodes < NONE && edges < NONE / 2);
	*f = (struct flow){.nodes = nodes, .edges_max = 2 * edges};
	f->newest = take_numbers(a, nodes);
	f->level = take_numbers(a, nodes);
	f->at = take_numbers(a, nodes);
	f->queue = take_numbers(a, nodes);
	f->older = take_numbers(a, 2 * edges);
	f->to = take_numbers(a, 2 * edges);
	f->room = take_numbers(a, 2 * edges);
	if (f->newest == NULL || f->level == NULL || f->at == NULL || f->queue == NULL) return false;
	if (f->older == NULL || f->to == NULL || f->room == NULL) return false;
	for (uint32_t i = 0; i < nodes; i++) f->newest[i] = NONE;
	return true;
}

static void half_edge(struct flow *f, uint32_t from, uint32_t to, uint32_t room)
{
	assert(f->edges < f->edges_max);
	uint32_t e = f->edges++;
	f->to[e] = to;
	f->room[e] = room;
	f->older[e] = f->newest[from];
	f->newest[from] = e;
}

uint32_t flow_edge(struct flow *f, uint32_t from, uint32_t to, uint32_t capacity)
{
	assert(from < f->nodes && to < f->nodes && from != to);
	uint32_t edge = f->edges;
	half_edge(f, from, to, capacity);
	half_edge(f, to, from, 0);
	return edge;
}

void flow_widen(struct flow *f, uint32_t edge, uint32_t more)
{
	assert(edge < f->edges && edge % 2 == 0);
	assert(f->room[edge] <= UINT32_MAX - more);
	f->room[edge] += more;
}

uint32_t flow_on(const struct flow *f, uint32_t edge)
{
	assert(edge < f->edges && edge % 2 == 0);
	return f->room[edge ^ 1];
}

/* Distances from the source; can the sink be reached? */
static bool number_levels(struct flow *f, uint32_t source, uint32_t sink)
{
	for (uint32_t i = 0; i < f->nodes; i++) f->level[i] = NONE;
	uint32_t head = 0, tail = 0;
	f->queue[tail++] = source;
	f->level[source] = 0;
	while (head < tail) {
		uint32_t node = f->queue[head++];
		for (uint32_t e = f->newest[node]; e != NONE; e = f->older[e]) {
			if (f->room[e] == 0 || f->level[f->to[e]] != NONE) continue;
			f->level[f->to[e]] = f->level[node] + 1;
			f->queue[tail++] = f->to[e];
		}
	}
	assert(tail <= f->nodes);
	return f->level[sink] != NONE;
}

/* The next edge of `node` that leads one further; NONE when it has no more. */
static uint32_t next_step(struct flow *f, uint32_t node)
{
	uint32_t e = f->at[node];
	while (e != NONE && (f->room[e] == 0 || f->level[f->to[e]] != f->level[node] + 1))
		e = f->older[e];
	f->at[node] = e;
	return e;
}

/* Push what the path takes. Returns how many of its edges still have room before the first full
 * one: the search goes on from there. */
static uint32_t push(struct flow *f, const uint32_t *path, uint32_t len, uint64_t *total)
{
	assert(len > 0);
	uint32_t amount = UINT32_MAX, open = 0;
	for (uint32_t i = 0; i < len; i++)
		if (f->room[path[i]] < amount) amount = f->room[path[i]];
	for (uint32_t i = len; i-- > 0;) {
		f->room[path[i]] -= amount;
		f->room[path[i] ^ 1] += amount;
		if (f->room[path[i]] == 0) open = i;
	}
	*total += amount;
	return open;
}

/* All paths that the levels allow. The queue's memory is free by now and holds the path. */
static uint64_t push_round(struct flow *f, uint32_t source, uint32_t sink)
{
	uint32_t *path = f->queue, len = 0, node = source;
	uint64_t total = 0;
	for (uint32_t i = 0; i < f->nodes; i++) f->at[i] = f->newest[i];
	for (;;) {
		uint32_t e = node == sink ? NONE : next_step(f, node);
		if (e != NONE) {
			path[len++] = e;
			node = f->to[e];
			continue;
		}
		if (node == sink) {
			len = push(f, path, len, &total);
		} else {
			if (len == 0) return total;
			f->level[node] = NONE; /* a dead end: nobody comes here again */
			len--;
		}
		node = f->to[path[len] ^ 1];
	}
}

uint64_t flow_run(struct flow *f, uint32_t source, uint32_t sink)
{
	assert(source < f->nodes && sink < f->nodes && source != sink);
	uint64_t total = 0;
	while (number_levels(f, source, sink)) {
		uint64_t pushed = push_round(f, source, sink);
		assert(pushed > 0);
		total += pushed;
	}
	return total;
}
