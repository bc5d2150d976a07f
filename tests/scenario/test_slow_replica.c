/* test_slow_replica.c - one replica becomes fifty times slower than the others: what reads notice.
 *
 * Five nodes, three replicas, reads of many keys through all nodes, one at a time, on virtual time.
 * Every message takes between half a millisecond and two; those of the slow node fifty times that. */
#include "tests/scenario/story.h"

#define KEYS 40
#define READS 4000
#define TIMES 50

static uint64_t took[READS];

static int by_value(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return (a > b) - (a < b);
}

static void roll(struct story *s, struct prng *p, int slow)
{
	for (int i = A; i <= E; i++)
		for (int j = A; j <= E; j++)
			if (i != j)
				net_delay(s, i, j,
				          (500 + prng_below(p, 1500)) * (i == slow || j == slow ? TIMES : 1));
}

static void one_read(struct story *s, struct prng *p, int slow, uint64_t *us)
{
	char key[16];
	int node = (int)prng_below(p, 5);
	if (node == slow) node = (node + 1) % 5; /* what it coordinates itself is slow whatever we do */
	snprintf(key, sizeof key, "k%u", (unsigned)prng_below(p, KEYS));
	roll(s, p, slow);
	uint64_t from = s->now_us;
	int answer = client_get(s, node, key);
	while (!s->answer[answer].here) {
		run_us(s, 100);
		assert_true(s->now_us < from + SECONDS(5));
	}
	*us = s->now_us - from;
	assert_int_equal(s->answer[answer].reply.err, ERR_OK);
	s->answers--;
	s->answer[answer] = (struct answer){0};
	if (prng_below(p, 8) == 0) run(s, 50);
}

/* The p99 of READS reads, in us. */
static uint64_t p99_of(struct story *s, struct prng *p, int slow)
{
	for (int i = 0; i < READS; i++) one_read(s, p, slow, &took[i]);
	qsort(took, READS, sizeof took[0], by_value);
	return took[READS * 99 / 100];
}

static void one_slow_replica_costs_a_read_no_more_than_a_hedge(void **state)
{
	struct story *s = *state;
	struct prng p;
	prng_seed(&p, 50);
	s->replicas = 3;
	s->read_all_one_in = READ_ALL_ONE_IN;
	begin(s, 5);
	s->quiet = true;
	for (int k = 0; k < KEYS; k++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", k);
		put(s, k % 5, key, "v", NOTHING);
		run(s, 20);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer);
	}
	p99_of(s, &p, -1); /* who is how quick is known */
	uint64_t even = p99_of(s, &p, -1);
	uint64_t hedges = 0;
	uint64_t slow = p99_of(s, &p, C);
	for (int i = A; i <= E; i++) hedges += metrics_of(s, i).read_hedges;
	print_message("p99: %.1f ms, with a replica that is %d times slower %.1f ms; %u hedges\n",
	              (double)even / 1000, TIMES, (double)slow / 1000, (unsigned)hedges);
	assert_true(hedges > 0);
	/* A hedge goes out at the p95 of a replica that was quick, which is below that p99. */
	assert_true(slow <= 2 * even);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(one_slow_replica_costs_a_read_no_more_than_a_hedge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
