/* cluster.h - a small cluster of real nodes, to measure what quorums are worth.
 *
 * Whole nodes of the server (node_step, memory stores, packed messages) in virtual time. How long a message
 * takes and how long a disk takes to make an object durable are drawn from distributions; nothing else
 * takes any time, and nothing fails. */
#ifndef DUNLIN_LAB_CLUSTER_H
#define DUNLIN_LAB_CLUSTER_H

#include "base/prng.h"
#include "dunlin/node.h"
#include "store/store.h"
#include "tests/lab/agenda.h"

#define CLUSTER_NODES_MAX 5
#define CLUSTER_ANSWERS 16

/* With chance `pareto` Pareto(x_m, alpha), else exponential(lambda), in ms, and `plus_ms` always. */
struct duration {
	double plus_ms, pareto, x_m_ms, alpha, lambda;
};
uint64_t duration_draw_us(const struct duration *d, struct prng *p);

struct surroundings {
	const char *name;
	struct duration net, disk; /* of one message, one way; of one write to be durable */
};

struct answer {
	bool here;
	enum err err;
	uint64_t at_us;
	uint64_t value; /* the greatest that was shown; 0: none */
};

struct cluster {
	const struct surroundings *around;
	uint16_t nodes;
	uint64_t now_us;
	struct agenda agenda;
	struct prng prng;
	struct cluster_node {
		struct node *node;
		void *memory, *pool;
		struct store *store;
		struct node_id id;
		uint64_t last_write_us;
		char name[8], address[16];
	} node[CLUSTER_NODES_MAX];
	uint32_t under_way; /* objects on the way to a node or a disk */
	struct answer answer[CLUSTER_ANSWERS];
	uint32_t answers;
	struct effects *fx;
	struct scan_entry *entries;
};

/* Formed and ready, with as many replicas of each key as there are nodes. */
void cluster_init(struct cluster *c, uint16_t nodes, const struct surroundings *around,
                  uint64_t seed);
void cluster_free(struct cluster *c);
/* Ask; the number of the answer, which comes later. Values are above 0. */
uint32_t cluster_put(struct cluster *c, uint16_t node, uint32_t key, uint64_t value, unsigned w);
uint32_t cluster_get(struct cluster *c, uint16_t node, uint32_t key, unsigned r);
void cluster_run_until(struct cluster *c, uint64_t until_us);
/* Until all answers are here. */
void cluster_await(struct cluster *c);
/* Until no object is on its way; all answers are forgotten. */
void cluster_settle(struct cluster *c);

#endif
