/* dirty.c - dirty_key_push, a control: what it costs to send each node what it has not got, if one is
 * certain to know what that is.
 *
 * A node remembers the keys that it took a write of, and every 2 s sends what it holds of them; a key is
 * forgotten when the other node has confirmed it as it is. Writing through, that confirmation does it, so
 * what is left are the writes that were lost (that is: hints).
 *
 * It is a bound for others and no competitor: it compares nothing. What it forgot by mistake, what rots,
 * what an old disk lost, it never finds, and memory of it grows with an outage. */
#include <stdlib.h>

#include "tests/lab/policy.h"

enum dirt { CLEAN, DIRTY, ON_THE_WAY };

struct dirty {
	uint8_t *dirt[LAB_NODES]; /* by place */
	uint32_t *list[LAB_NODES], count[LAB_NODES]; /* the keys that are not clean, in order of writing */
	uint64_t batch[LAB_NODES];      /* what is on the way, if anything */
	uint32_t left[LAB_NODES];       /* letters of it that are not confirmed */
	uint64_t sent_us[LAB_NODES];
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
	s->dirt[node][key] = DIRTY;
}

/* Those that are clean by now leave the list. */
static void tidy(struct dirty *s, uint16_t node)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < s->count[node]; i++)
		if (s->dirt[node][s->list[node][i]] != CLEAN)
			s->list[node][kept++] = s->list[node][i];
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
	if (l->down || s->count[node] == 0) return;
	s->batch[node] = lab_ticket(l);
	s->left[node] = letter_records(l, node, (uint16_t)(1 - node), s->batch[node], s->list[node],
	                               s->count[node]);
	for (uint32_t i = 0; i < s->count[node]; i++) s->dirt[node][s->list[node][i]] = ON_THE_WAY;
}

static void on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	(void)what;
	push(l, l->state, node);
	lab_alarm(l, node, COMPARE_US, 0);
}

static void on_taken(struct dirty *s, uint16_t node, uint64_t batch)
{
	if (batch != s->batch[node] || --s->left[node] > 0) return;
	for (uint32_t i = 0; i < s->count[node]; i++)
		if (s->dirt[node][s->list[node][i]] == ON_THE_WAY)
			s->dirt[node][s->list[node][i]] = CLEAN;
	tidy(s, node);
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

/* It believes that what it sent has arrived. */
static void forget_on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	struct dirty *s = l->state;
	on_alarm(l, node, what);
	for (uint32_t i = 0; i < s->count[node]; i++) s->dirt[node][s->list[node][i]] = CLEAN;
	s->count[node] = 0;
}

const struct policy dirty_key_forget = {.name = "dirty_key_forget",
                                        .open = open,
                                        .close = close,
                                        .on_alarm = forget_on_alarm,
                                        .on_letter = on_letter,
                                        .on_written = on_written,
                                        .on_confirmed = on_confirmed};
