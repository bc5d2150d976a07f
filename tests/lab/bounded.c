/* bounded.c - bounded_staleness: compare as rarely as a promised bound allows.
 *
 * A node that took a write, and 10 s later has not compared since, compares, over one flat tree over all
 * keys. What a comparison covered waits no more, on either side. If nobody wrote for 30 s the first node
 * compares all the same. Writing through, a write waits only until the other node confirms it.
 *
 * Not said by the write-up, and decided here: the bound, and that quiet is looked into at all. It saves
 * what waiting saves: fewer rounds, and several writes of a key in one transfer; each is paid for in
 * stale reads. */
#include "tests/lab/bounded.h"

#include <stdlib.h>

#define QUIET UINT32_MAX

void bounded_init(struct lab *l, struct bounded *b)
{
	struct merkle_scope all = {merkle_depth(l->ground->keys.count), MERKLE_ALL_AGES};
	*b = (struct bounded){.began_us = {0}};
	merkle_init(&b->merkle, &all, 1);
	for (uint16_t i = 0; i < LAB_NODES; i++) {
		b->since_us[i] = calloc(l->ground->keys.count, sizeof *b->since_us[i]);
		assert(b->since_us[i] != NULL);
	}
	lab_alarm(l, 0, BOUNDED_QUIET_US, QUIET);
}

void bounded_free(struct bounded *b)
{
	merkle_free(&b->merkle);
	for (uint16_t i = 0; i < LAB_NODES; i++) free(b->since_us[i]);
}

/* Is a comparison under way, begun here or there? */
static bool is_comparing(const struct lab *l, const struct bounded *b, uint16_t node)
{
	bool asks = b->merkle.round[node][0].id != 0;
	return (asks && l->now_us < b->began_us[node] + BOUNDED_ROUND_US) ||
	       (b->answers[node] && l->now_us < b->answered_us[node] + BOUNDED_ROUND_US);
}

static void compare(struct lab *l, struct bounded *b, uint16_t node)
{
	if (l->down || is_comparing(l, b, node)) return;
	b->began_us[node] = l->now_us;
	merkle_begin(l, &b->merkle, node, (uint16_t)(1 - node), 0);
}

void bounded_on_written(struct lab *l, struct bounded *b, uint16_t node, uint32_t key)
{
	if (b->since_us[node][key] != 0) return;
	b->since_us[node][key] = l->now_us;
	lab_alarm(l, node, BOUNDED_US, key);
}

void bounded_on_confirmed(struct bounded *b, uint16_t node, uint32_t key)
{
	b->since_us[node][key] = 0;
}

static void on_quiet(struct lab *l, struct bounded *b)
{
	uint64_t last = b->began_us[0];
	if (b->answered_us[0] > last) last = b->answered_us[0];
	if (l->now_us >= last + BOUNDED_QUIET_US) {
		compare(l, b, 0);
		last = l->now_us;
	}
	lab_alarm(l, 0, last + BOUNDED_QUIET_US - l->now_us, QUIET);
}

/* The bound of a key's write has come. Until a comparison ends it comes again. */
void bounded_on_alarm(struct lab *l, struct bounded *b, uint16_t node, uint32_t what)
{
	if (what == QUIET) {
		on_quiet(l, b);
		return;
	}
	uint64_t since = b->since_us[node][what];
	if (since == 0) return;
	bool due = l->now_us >= since + BOUNDED_US;
	if (due) compare(l, b, node);
	lab_alarm(l, node, due ? BOUNDED_ROUND_US : since + BOUNDED_US - l->now_us, what);
}

static void covered(struct lab *l, struct bounded *b, uint16_t node, uint64_t until_us)
{
	for (uint32_t k = 0; k < l->ground->keys.count; k++)
		if (b->since_us[node][k] <= until_us) b->since_us[node][k] = 0;
}

/* Two that cross on the way: the first node's goes on. */
static bool gives_way(struct bounded *b, uint16_t node)
{
	if (b->merkle.round[node][0].id == 0) return true;
	if (node == 0) return false;
	b->merkle.round[node][0].id = 0;
	return true;
}

void bounded_on_letter(struct lab *l, struct bounded *b, uint16_t node, struct letter_in *in)
{
	if (in->type == LETTER_ROOT) {
		if (!gives_way(b, node)) return;
		b->answered_us[node] = l->now_us;
		b->answers[node] = true;
	}
	switch (merkle_on_letter(l, &b->merkle, node, in)) {
	case MERKLE_ENDED: covered(l, b, node, b->began_us[node]); break;
	case MERKLE_SERVED:
		covered(l, b, node, b->answered_us[node]);
		b->answers[node] = false;
		break;
	case MERKLE_GOES_ON: break;
	}
}

/* ---- the policy ----------------------------------------------------------------------------- */

static void open(struct lab *l)
{
	l->state = malloc(sizeof(struct bounded));
	assert(l->state != NULL);
	bounded_init(l, l->state);
}

static void close(struct lab *l)
{
	bounded_free(l->state);
	free(l->state);
}

static void on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	bounded_on_alarm(l, l->state, node, what);
}

static void on_letter(struct lab *l, uint16_t node, struct letter_in *in)
{
	bounded_on_letter(l, l->state, node, in);
}

static void on_written(struct lab *l, uint16_t node, uint32_t key)
{
	bounded_on_written(l, l->state, node, key);
}

static void on_confirmed(struct lab *l, uint16_t node, uint16_t peer, uint32_t key)
{
	(void)peer;
	bounded_on_confirmed(l->state, node, key);
}

const struct policy bounded_staleness = {.name = "bounded_staleness",
                                         .open = open,
                                         .close = close,
                                         .on_alarm = on_alarm,
                                         .on_letter = on_letter,
                                         .on_written = on_written,
                                         .on_confirmed = on_confirmed};
