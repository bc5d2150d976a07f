/* test_background.c - work in the background stays within its byte budget, and the budget makes way while
 * clients wait longer than usual. */
#include "tests/scenario/story.h"

/* So many pages are asked of A in one instant. */
static void ask_pages(struct story *s, int count)
{
	for (int i = 0; i < count; i++) {
		struct event ev = {.type = EV_PEER_MESSAGE, .message = {.from = s->node[B].id}};
		ev.message.msg = (struct msg){.type = MSG_SCAN, .id = {77}, .epoch = {1}};
		story_step(s, A, &ev);
	}
}

/* Each brings one object of 60 KiB: 40 of them are within the burst, 40 more are owed, and what comes then
 * waits. */
static void pages_for_a_verification_wait_for_the_byte_budget(void **state)
{
	struct story *s = *state;
	static char large[60 * 1024 + 1];
	memset(large, 'x', sizeof large - 1);
	begin(s, 3);
	s->quiet = true;
	put(s, A, "k", large, NOTHING);
	run(s, 2000);
	uint64_t answered =
		metrics_of(s, B).late_answers; /* which is what they are to B, who asked nothing */
	ask_pages(s, 40);
	run(s, 2);
	assert_int_equal(metrics_of(s, B).late_answers, answered + 40);
	assert_int_equal(metrics_of(s, A).background_waits, 0);
	ask_pages(s, 40);
	run(s, 2);
	assert_int_equal(metrics_of(s, B).late_answers, answered + 80);
	ask_pages(s, 40);
	run(s, 2);
	assert_true(metrics_of(s, B).late_answers < answered + 120);
	assert_true(metrics_of(s, A).background_waits > 0);
	run(s, 1000);
	assert_int_equal(metrics_of(s, B).late_answers, answered + 120);
}

/* A second of reads of all replicas. */
static void second(struct story *s)
{
	for (int i = 0; i < 125; i++) {
		s->next.r = QUORUM_ALL;
		client_get(s, A, "k");
		run(s, 8);
		if (s->answers < STORY_ANSWERS - 1) continue;
		run(s, 100);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer);
	}
}

static void the_budget_makes_way_while_clients_wait_longer(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->quiet = true;
	put(s, A, "k", "v", NOTHING);
	for (int i = 0; i < 10; i++) second(s);
	assert_int_equal(metrics_of(s, A).background_bytes_per_s, BACKGROUND_BYTES_PER_S);
	net_delay(s, A, C, ms(30));
	for (int i = 0; i < 5; i++) second(s);
	assert_true(metrics_of(s, A).foreground_p99_us > 30000);
	assert_true(metrics_of(s, A).background_bytes_per_s < BACKGROUND_BYTES_PER_S / 2);
	assert_true(metrics_of(s, A).background_bytes_per_s >= BACKGROUND_BYTES_PER_S_MIN);
	net_delay(s, A, C, ms(1));
	for (int i = 0; i < 30; i++) second(s);
	assert_int_equal(metrics_of(s, A).background_bytes_per_s, BACKGROUND_BYTES_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(pages_for_a_verification_wait_for_the_byte_budget),
		STORY(the_budget_makes_way_while_clients_wait_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
