/* leader.c - leader_hot_follower_cold: the keys that are written often go through a leader at once, the
 * others wait for a comparison.
 *
 * The first node leads. A write of a hot key is sent on as it comes: by a follower to the leader, and by
 * the leader, with what it holds of the key then, to all followers, also to the one that it has it
 * from, since the leader's state is what counts. Nothing is confirmed. Cold keys, and all keys while the
 * link is down, are left to bounded_staleness (bounded.c), whose look into quiet also finds what was
 * lost of the hot ones. Behind write-through the write-through is the hot path.
 *
 * Not said by the write-up, and decided here: a key is hot for a node that has taken three writes of it in
 * 30 s. So idle has next to no hot key, and there it costs what bounded_staleness costs, as in the
 * write-up's table; elsewhere each hot write moves its value three times for two writes, and waits for
 * no second write of its key that it could share a transfer with. */
#include <stdlib.h>

#include "tests/lab/bounded.h"

enum { LEADER = 0, HOT_WRITES = 3 };
#define HOT_US SECONDS(30)

struct leader {
	struct bounded bounded;
	uint64_t (*last_us[LAB_NODES])[HOT_WRITES]; /* by place: its latest writes here, newest first */
};

static void open(struct lab *l)
{
	struct leader *s = l->state = malloc(sizeof *s);
	assert(s != NULL);
	bounded_init(l, &s->bounded);
	for (uint16_t i = 0; i < LAB_NODES; i++) {
		s->last_us[i] = calloc(l->ground->keys.count, sizeof *s->last_us[i]);
		assert(s->last_us[i] != NULL);
	}
}

static void close(struct lab *l)
{
	struct leader *s = l->state;
	bounded_free(&s->bounded);
	for (uint16_t i = 0; i < LAB_NODES; i++) free(s->last_us[i]);
	free(s);
}

static void on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	struct leader *s = l->state;
	bounded_on_alarm(l, &s->bounded, node, what);
}

/* One more write. Is the key hot with it? */
static bool is_hot(struct lab *l, struct leader *s, uint16_t node, uint32_t key)
{
	uint64_t *last = s->last_us[node][key];
	memmove(last + 1, last, (HOT_WRITES - 1) * sizeof *last);
	last[0] = l->now_us;
	return last[HOT_WRITES - 1] != 0 && l->now_us - last[HOT_WRITES - 1] < HOT_US;
}

/* Tickets have their highest bit set; the letters of the hot path do not, and are known by it. */
static uint64_t hot_id(struct lab *l)
{
	return lab_ticket(l) >> 1;
}

static void lead(struct lab *l, uint32_t key)
{
	for (uint16_t to = 0; to < LAB_NODES; to++)
		if (to != LEADER) letter_records(l, LEADER, to, hot_id(l), &key, 1);
}

static void on_written(struct lab *l, uint16_t node, uint32_t key)
{
	struct leader *s = l->state;
	bool hot = is_hot(l, s, node, key);
	if (!hot || l->down || l->path == PATH_WRITE_THROUGH)
		bounded_on_written(l, &s->bounded, node, key);
	else if (node == LEADER)
		lead(l, key);
	else
		letter_records(l, node, LEADER, hot_id(l), &key, 1);
}

static void on_letter(struct lab *l, uint16_t node, struct letter_in *in)
{
	struct leader *s = l->state;
	if (in->type != LETTER_RECORDS || in->id >> 63 != 0) {
		bounded_on_letter(l, &s->bounded, node, in);
		return;
	}
	struct cursor c = in->c;
	cursor_array(&c, 2);
	uint32_t key = keys_find(&l->ground->keys, cursor_bin(&c, FULL_KEY_BYTES_MAX));
	letter_merge(l, node, in);
	if (node == LEADER) lead(l, key);
}

static void on_confirmed(struct lab *l, uint16_t node, uint16_t peer, uint32_t key)
{
	struct leader *s = l->state;
	(void)peer;
	bounded_on_confirmed(&s->bounded, node, key);
}

const struct policy leader_hot_follower_cold = {.name = "leader_hot_follower_cold",
                                                .open = open,
                                                .close = close,
                                                .on_alarm = on_alarm,
                                                .on_letter = on_letter,
                                                .on_written = on_written,
                                                .on_confirmed = on_confirmed};
