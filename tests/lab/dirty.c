/* dirty.c - dirty_key_push, a control: what it costs to send each node what it has not got, if one is
 * certain to know what that is.
 *
 * A node remembers the keys that it took a write of, and every 2 s sends what it holds of them; a key is
 * forgotten when the other node has confirmed it as it is. Writing through, that confirmation does it, and a
 * key is sent only from the second time on: what is left by then are the writes that were lost (hints).
 *
 * It is a bound for others and no competitor: it compares nothing. What it forgot by mistake, what rots,
 * what an old disk lost, it never finds, and memory of it grows with an outage. */
#include <stdlib.h>

#include "tests/lab/policy.h"

enum dirt { CLEAN, FRESH, DIRTY, ON_THE_WAY }; /* FRESH: not to be sent yet */

struct dirty {
	uint8_t *dirt[LAB_NODES]; /* by place */
	uint32_t *list[LAB_NODES],
		count[LAB_NODES];      /* the keys that are not clean, in order of writing */
	uint64_t batch[LAB_NODES]; /* what is on the way, if anything */
	uint32_t left[LAB_NODES];  /* letters of it that are not confirmed */
};

static void open(struct lab *l)
{
	struct dirty *s = l->state = calloc(1, sizeof *s);
	assert(s != NULL);
	for (uint16_t i = 0; i < LAB_NODES; i++) {
		s->dirt[i] = calloc(l->ground->keys.count, sizeof *s->dirt[i]);
		s->list[i] = calloc(l->ground->keys.count, sizeof *s->list[i]);
		assert(s->dirt[i] != NULL && s->list[i] != NULL);
		lab_alarm(l, i, prng_below(&l->chance, COMPARE_US), 0);
	}
}

static void close(struct lab *l)
{
	struct dirty *s = l->state;
	for (uint16_t i = 0; i < LAB_NODES; i++) {
		free(s->dirt[i]);
		free(s->list[i]);
	}
	free(s);
}

static void on_written(struct lab *l, uint16_t node, uint32_t key)
{
	struct dirty *s = l->state;
	if (s->dirt[node][key] == CLEAN) s->list[node][s->count[node]++] = key;
	s->dirt[node][key] = l->path == PATH_ONLY ? DIRTY : FRESH;
}

/* Those that are clean by now leave the list. */
static void tidy(struct dirty *s, uint16_t node)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < s->count[node]; i++)
		if (s->dirt[node][s->list[node][i]] != CLEAN) s->list[node][kept++] = s->list[node][i];
	s->count[node] = kept;
}

static void on_confirmed(struct lab *l, uint16_t node, uint16_t peer, uint32_t key)
{
	struct dirty *s = l->state;
	(void)peer;
	s->dirt[node][key] = CLEAN;
	tidy(s, node);
}

static void push(struct lab *l, struct dirty *s, uint16_t node)
{
	uint32_t *due = malloc((s->count[node] + 1) * sizeof *due), count = 0;
	assert(due != NULL);
	for (uint32_t i = 0; i < s->count[node]; i++) {
		uint32_t key = s->list[node][i];
		bool fresh = s->dirt[node][key] == FRESH;
		s->dirt[node][key] = fresh ? DIRTY : ON_THE_WAY;
		if (!fresh) due[count++] = key;
	}
	s->batch[node] = lab_ticket(l);
	s->left[node] = letter_records(l, node, (uint16_t)(1 - node), s->batch[node], due, count);
	free(due);
}

static void on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	(void)what;
	if (!l->down) push(l, l->state, node);
	lab_alarm(l, node, COMPARE_US, 0);
}

/* What was on the way is there. */
static void arrived(struct dirty *s, uint16_t node)
{
	for (uint32_t i = 0; i < s->count[node]; i++)
		if (s->dirt[node][s->list[node][i]] == ON_THE_WAY) s->dirt[node][s->list[node][i]] = CLEAN;
	tidy(s, node);
}

static void on_taken(struct dirty *s, uint16_t node, uint64_t batch)
{
	if (batch == s->batch[node] && --s->left[node] == 0) arrived(s, node);
}

static void on_letter(struct lab *l, uint16_t node, struct letter_in *in)
{
	if (in->type == LETTER_TAKEN) {
		on_taken(l->state, node, in->id);
		return;
	}
	letter_merge(l, node, in);
	letter_taken(l, node, in->from, in->id);
}

const struct policy dirty_key_push = {.name = "dirty_key_push",
                                      .open = open,
                                      .close = close,
                                      .on_alarm = on_alarm,
                                      .on_letter = on_letter,
                                      .on_written = on_written,
                                      .on_confirmed = on_confirmed};

/* ---- the same, broken on purpose -------------------------------------------------------------- */

/* It believes that what it sends arrives, whether or not anybody is there. */
static void forget_on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	struct dirty *s = l->state;
	(void)what;
	push(l, s, node);
	s->batch[node] = 0;
	arrived(s, node);
	lab_alarm(l, node, COMPARE_US, 0);
}

const struct policy dirty_key_forget = {.name = "dirty_key_forget",
                                        .open = open,
                                        .close = close,
                                        .on_alarm = forget_on_alarm,
                                        .on_letter = on_letter,
                                        .on_written = on_written,
                                        .on_confirmed = on_confirmed};
