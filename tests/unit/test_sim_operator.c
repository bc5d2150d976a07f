/* test_sim_operator.c - what the simulator demands of listings and of properties: a good end, and one bad
 * one for each law (operator.c, O1 to O4).
 *
 * The world is two processes, and two keys of which one has a value. */
#include "tests/sim/operator.c"
#include "tests/sim/history.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static char told[200];      /* the first failure */
static int64_t in_force[2]; /* the property, at each process */
static bool spoils;

/* ---- the world ------------------------------------------------------------------------------ */

void world_fail(struct world *w, const char *promise, uint32_t key, uint32_t write,
                const char *format, ...)
{
	(void)promise, (void)key, (void)write;
	if (w->failed) return;
	w->failed = true;
	va_list args;
	va_start(args, format);
	vsnprintf(told, sizeof told, format, args);
	va_end(args);
}

struct agenda_item *world_at(struct world *w, uint64_t at_us, enum agenda_kind kind)
{
	static struct agenda_item item;
	(void)w, (void)at_us, (void)kind;
	return &item;
}

void world_step(struct world *w, uint16_t proc, struct event *ev)
{
	(void)w, (void)proc, (void)ev;
}

struct prng *world_draw_from(struct world *w, struct prng *stream)
{
	w->prng = stream;
	return stream;
}

uint64_t world_about(struct world *w, uint64_t mean)
{
	(void)w;
	return mean;
}

uint64_t world_between(struct world *w, uint64_t min, uint64_t max)
{
	(void)w, (void)max;
	return min;
}

bool world_is_gone(const struct world *w, uint16_t proc)
{
	(void)w, (void)proc;
	return false;
}

uint16_t world_anyone(const struct world *w)
{
	(void)w;
	return 0;
}

void world_ask_ended(struct world *w, uint32_t ask)
{
	(void)w, (void)ask;
}

void asks_answered(struct asks *a, uint32_t id, enum err err, uint64_t now_us)
{
	(void)a, (void)id, (void)err, (void)now_us;
}

void asks_given_up(struct asks *a, uint32_t id, bool owed, uint64_t now_us)
{
	(void)a, (void)id, (void)owed, (void)now_us;
}

uint32_t asks_add(struct asks *a, const struct ask *ask)
{
	(void)a, (void)ask;
	return 0;
}

bool fault_spoils_a_disk(const struct world *w)
{
	(void)w;
	return spoils;
}

/* "k00" and "k01", at the end of a full key. */
int workload_find_key(const struct world *w, struct bytes full)
{
	(void)w;
	uint8_t last = full.data[full.len - 1];
	return full.data[full.len - 3] == 'k' && (last == '0' || last == '1') ? last - '0' : -1;
}

enum err node_props(const struct node *n, struct bytes type, struct bytes bucket, struct props *out)
{
	(void)type, (void)bucket;
	*out = (struct props){0};
	out->v[PROP_ttl] = in_force[n != NULL];
	return ERR_OK;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	w->options.nodes = 2;
	w->now_us = SECONDS(1000);
	w->asks.calm_from_us = SECONDS(500);
	w->procs[0] = (struct proc){.state = PROC_UP, .name = "n1", .node = NULL};
	w->procs[1] = (struct proc){.state = PROC_UP, .name = "n2", .node = (struct node *)w};
	history_init(&w->history, SIM_KEYS, 3);
	operator_init(w);
	told[0] = '\0';
	spoils = false;
	operator_note_final(w, 0, true);
	operator_note_final(w, 1, false);
	operator_list_finally(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	operator_free(w);
	history_free(&w->history);
	free(w);
	return 0;
}

/* ---- listings ------------------------------------------------------------------------------- */

static void last_list(struct world *w, uint32_t count, const char *const *names)
{
	struct bytes list[4];
	for (uint32_t i = 0; i < count; i++) list[i] = bytes_of_string(names[i]);
	struct list_page page = {.err = ERR_OK, .done = true, .count = count, .names = list};
	w->operator->asked = ASKED_LAST_LIST;
	operator_on_list(w, w->operator->proc, (struct client_ref){OPERATOR_REF + w->operator->id},
	                 &page);
}

static void holds(const struct world *w)
{
	if (w->failed) fail_msg("refused: %s", told);
}

static void refuses(const struct world *w, const char *text)
{
	assert_true(w->failed);
	if (strstr(told, text) == NULL) fail_msg("%s", told);
}

static void a_listing_of_what_there_is_is_right(void **state)
{
	last_list(*state, 1, (const char *const[]){"k00"});
	holds(*state);
}

static void o3_a_listing_names_no_key_that_nobody_wrote(void **state)
{
	last_list(*state, 2, (const char *const[]){"k00", "who"});
	refuses(*state, "nobody wrote");
}

static void o3_a_listing_names_a_key_once(void **state)
{
	last_list(*state, 2, (const char *const[]){"k00", "k00"});
	refuses(*state, "named twice");
}

static void o4_the_last_listing_misses_nothing(void **state)
{
	last_list(*state, 0, NULL);
	refuses(*state, "misses it");
}

static void o4_the_last_listing_names_nothing_that_is_gone(void **state)
{
	last_list(*state, 2, (const char *const[]){"k00", "k01"});
	refuses(*state, "names it");
}

/* ---- properties ----------------------------------------------------------------------------- */

/* So many changes, of which the last was acknowledged, in calm or in trouble. */
static void changes(struct world *w, uint32_t count, bool acked, bool calm, int64_t at_a,
                    int64_t at_b)
{
	struct operator* o = w->operator;
	o->changes = calloc(count, sizeof *o->changes);
	o->change_count = count;
	o->changes[count - 1] = (struct change){.acked = acked, .calm = calm};
	in_force[0] = at_a;
	in_force[1] = at_b;
	o->last_list_done = true;
}

static void properties_that_agree_are_right(void **state)
{
	struct world *w = *state;
	changes(w, 3, true, true, 3, 3);
	assert_true(operator_is_content(w));
	holds(w);
}

static void o1_all_nodes_agree_in_the_end(void **state)
{
	struct world *w = *state;
	changes(w, 3, true, true, 3, 2);
	assert_false(operator_is_content(w));
	holds(w); /* there is time yet */
	w->now_us += AGREE_US_MAX + 1;
	assert_false(operator_is_content(w));
	refuses(w, "n2 has change 2 in force");
}

static void o1_what_is_in_force_is_some_change(void **state)
{
	changes(*state, 3, true, true, 4, 4);
	operator_is_content(*state);
	refuses(*state, "in force is 4, of 3 changes");
}

static void o1_an_acknowledged_change_is_not_undone(void **state)
{
	changes(*state, 3, true, false, 0, 0);
	operator_is_content(*state);
	refuses(*state, "in force is 0");
}

static void o1_a_change_may_be_lost_with_the_one_disk_that_had_it(void **state)
{
	spoils = true;
	changes(*state, 3, true, false, 0, 0);
	operator_is_content(*state);
	holds(*state);
}

static void o2_a_change_acknowledged_in_calm_stands(void **state)
{
	changes(*state, 3, true, true, 2, 2);
	operator_is_content(*state);
	refuses(*state, "change 3 was acknowledged");
}

static void the_last_listing_must_succeed(void **state)
{
	struct world *w = *state;
	changes(w, 3, true, true, 3, 3);
	w->operator->last_list_done = false;
	w->now_us += AGREE_US_MAX + 1;
	assert_false(operator_is_content(w));
	refuses(w, "never succeeds");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_listing_of_what_there_is_is_right),
		STORY(o3_a_listing_names_no_key_that_nobody_wrote),
		STORY(o3_a_listing_names_a_key_once),
		STORY(o4_the_last_listing_misses_nothing),
		STORY(o4_the_last_listing_names_nothing_that_is_gone),
		STORY(properties_that_agree_are_right),
		STORY(o1_all_nodes_agree_in_the_end),
		STORY(o1_what_is_in_force_is_some_change),
		STORY(o1_an_acknowledged_change_is_not_undone),
		STORY(o1_a_change_may_be_lost_with_the_one_disk_that_had_it),
		STORY(o2_a_change_acknowledged_in_calm_stands),
		STORY(the_last_listing_must_succeed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
