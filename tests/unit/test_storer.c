/* test_storer.c - the threads between the loop and the store. Also to be run under the thread
 * sanitizer (make VARIANT=tsan). */
#include <event2/event.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "base/prng.h"
#include "drive/storer.h"
#include "store/store_mem.h"
#include "store/store_ops.h"

#include <cmocka.h>

#define TICKETS_MAX 40000

/* A store whose writes wait to be let on. */
struct gate {
	struct store base;
	sem_t entered, go;
	uint32_t groups, sizes[64];
};

struct desk {
	struct event_base *base;
	struct store *store;
	struct storer *storer;
	uint32_t completed, fatal_at; /* fatal_at: how many had completed when it was told */
	uint32_t fatal_count;
	uint64_t tickets[TICKETS_MAX]; /* in order of completion */
	enum err errs[TICKETS_MAX];
	char text[64]; /* of the last read; of the last scan */
	uint32_t records;
	bool scan_done, inside, reenter;
	struct gate gate;
};

static void on_fatal(void *context)
{
	struct desk *d = context;
	d->fatal_count++;
	d->fatal_at = d->completed;
}

static void ask_read(struct desk *d, uint64_t ticket, struct bytes key)
{
	struct effect fx = {.type = FX_STORE_READ, .ticket = {ticket}};
	fx.read.family = STORE_OBJECTS;
	fx.read.key = key;
	storer_do(d->storer, &fx);
}

static void note_records(struct desk *d, const struct event *ev)
{
	d->records = ev->scanned.count;
	d->scan_done = ev->scanned.done;
	d->text[0] = 0;
	for (uint32_t i = 0; i < ev->scanned.count && i < 8; i++) {
		const struct store_record *r = &ev->scanned.records[i];
		size_t at = strlen(d->text);
		snprintf(d->text + at, sizeof(d->text) - at, "%.*s=%.*s%s ", (int)r->key.len, r->key.data,
		         (int)r->value.len, r->value.data, r->damaged ? "!" : "");
	}
}

static void on_done(void *context, const struct event *ev)
{
	struct desk *d = context;
	uint32_t n = d->completed++;
	assert_true(n < TICKETS_MAX);
	assert_false(d->inside);
	d->inside = true;
	if (ev->type == EV_STORE_READ) {
		d->tickets[n] = ev->read.ticket.v;
		d->errs[n] = ev->read.err;
		snprintf(d->text, sizeof(d->text), "%.*s", (int)ev->read.value.len,
		         (const char *)ev->read.value.data);
	} else if (ev->type == EV_STORE_WRITTEN) {
		d->tickets[n] = ev->written.ticket.v;
		d->errs[n] = ev->written.err;
	} else {
		assert_int_equal(ev->type, EV_STORE_SCANNED);
		d->tickets[n] = ev->scanned.ticket.v;
		d->errs[n] = ev->scanned.err;
		note_records(d, ev);
	}
	if (d->reenter) {
		d->reenter = false;
		ask_read(d, 99, BYTES("k"));
	}
	d->inside = false;
}

static void ask_ops(struct desk *d, uint64_t ticket, const struct store_op *ops, uint32_t count)
{
	struct effect fx = {.type = FX_STORE_WRITE, .ticket = {ticket}};
	fx.write.ops = ops;
	fx.write.count = count;
	storer_do(d->storer, &fx);
}

static void ask_scan(struct desk *d, uint64_t ticket, uint32_t records_max, size_t bytes_max)
{
	struct effect fx = {.type = FX_STORE_SCAN, .ticket = {ticket}};
	fx.scan.family = STORE_OBJECTS;
	fx.scan.records_max = records_max;
	fx.scan.bytes_max = bytes_max;
	storer_do(d->storer, &fx);
}

/* Turn the loop until `count` have completed. */
static void run_until(struct desk *d, uint32_t count)
{
	while (d->completed < count) event_base_loop(d->base, EVLOOP_ONCE);
	assert_int_equal(d->completed, count);
}

static void open_desk(struct desk *d, struct store *store)
{
	d->base = event_base_new();
	d->store = store;
	struct storer_config config = {.done = on_done, .fatal = on_fatal, .context = d};
	d->storer = storer_new(d->base, store, &config);
	assert_non_null(d->storer);
}

static int setup(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	assert_non_null(d);
	open_desk(d, store_mem_new());
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct desk *d = *state;
	if (d->storer != NULL) storer_stop(d->storer);
	store_close(d->store);
	event_base_free(d->base);
	free(d);
	return 0;
}

static const struct store_op put_k = {
	STORE_OBJECTS, {(const uint8_t *)"k", 1}, {(const uint8_t *)"v", 1}};

/* ---- one at a time ------------------------------------------------------------------------- */

static void a_write_completes_and_is_read_back(void **state)
{
	struct desk *d = *state;
	ask_ops(d, 7, &put_k, 1);
	assert_false(storer_idle(d->storer));
	run_until(d, 1);
	assert_int_equal(d->tickets[0], 7);
	assert_int_equal(d->errs[0], ERR_OK);
	assert_true(storer_idle(d->storer));
	ask_read(d, 8, BYTES("k"));
	run_until(d, 2);
	assert_int_equal(d->tickets[1], 8);
	assert_string_equal(d->text, "v");
	ask_read(d, 9, BYTES("absent"));
	run_until(d, 3);
	assert_int_equal(d->errs[2], ERR_NOT_FOUND);
}

static void a_read_that_needs_the_disk_goes_to_a_reader(void **state)
{
	struct desk *d = *state;
	struct storer_stats stats;
	ask_ops(d, 1, &put_k, 1);
	run_until(d, 1);
	store_mem_set_cold(d->store, true);
	ask_read(d, 2, BYTES("k"));
	run_until(d, 2);
	assert_int_equal(d->errs[1], ERR_OK);
	assert_string_equal(d->text, "v");
	storer_stats(d->storer, &stats);
	assert_int_equal(stats.reads_pooled, 1);
	assert_int_equal(stats.reads_cached, 0);
	assert_int_equal(stats.writes, 1);
}

static void a_completion_never_comes_from_within_a_call(void **state)
{
	struct desk *d = *state;
	ask_ops(d, 1, &put_k, 1);
	run_until(d, 1);
	ask_read(d, 2, BYTES("k")); /* answered from cache */
	assert_int_equal(d->completed, 1);
	d->reenter = true; /* and the callback asks again: on_done checks that it is not inside */
	storer_deliver(d->storer);
	assert_int_equal(d->tickets[1], 2);
	run_until(d, 3);
	assert_int_equal(d->tickets[2], 99);
}

static void a_damaged_record_and_a_failed_read_are_told(void **state)
{
	struct desk *d = *state;
	ask_ops(d, 1, &put_k, 1);
	run_until(d, 1);
	assert_true(store_mem_rot_key(d->store, STORE_OBJECTS, BYTES("k"), 3));
	ask_read(d, 2, BYTES("k"));
	run_until(d, 2);
	assert_int_equal(d->errs[1], ERR_CORRUPT);
	store_mem_fail_reads(d->store, 1);
	ask_scan(d, 3, 10, 1000);
	run_until(d, 3);
	assert_int_equal(d->errs[2], ERR_STORE);
	assert_int_equal(d->fatal_count, 0);
}

/* ---- scans --------------------------------------------------------------------------------- */

static void a_scan_stops_at_its_limits_but_not_before_one_record(void **state)
{
	struct desk *d = *state;
	struct store_op ops[] = {{STORE_OBJECTS, BYTES("a"), BYTES("1234567890")},
	                         {STORE_OBJECTS, BYTES("b"), BYTES("")},
	                         {STORE_OBJECTS, BYTES("c"), BYTES("3")}};
	ask_ops(d, 1, ops, 3);
	run_until(d, 1);
	ask_scan(d, 2, 100, 1);
	run_until(d, 2);
	assert_string_equal(d->text, "a=1234567890 ");
	assert_false(d->scan_done);
	ask_scan(d, 3, 2, 1000);
	run_until(d, 3);
	assert_string_equal(d->text, "a=1234567890 b= ");
	assert_false(d->scan_done);
	assert_true(store_mem_rot_key(d->store, STORE_OBJECTS, BYTES("b"), 0));
	ask_scan(d, 4, 100, 1000);
	run_until(d, 4);
	assert_string_equal(d->text, "a=1234567890 b=! c=3 ");
	assert_true(d->scan_done);
}

/* ---- groups, with a store that waits to be let on ------------------------------------------ */

static enum err gate_write(struct store *s, const struct store_batch *batches, uint32_t count)
{
	struct gate *g = (struct gate *)s;
	(void)batches;
	g->sizes[g->groups++ % 64] = count;
	sem_post(&g->entered);
	while (sem_wait(&g->go) != 0) {
	}
	return ERR_OK;
}

static void gate_close(struct store *s)
{
	(void)s;
}

static const struct store_ops gate_ops = {.write = gate_write, .close = gate_close};

static struct gate *open_gate(struct desk *d)
{
	struct gate *g = &d->gate;
	storer_stop(d->storer);
	store_close(d->store);
	event_base_free(d->base);
	*g = (struct gate){.base = {&gate_ops}};
	sem_init(&g->entered, 0, 0);
	sem_init(&g->go, 0, 0);
	open_desk(d, &g->base);
	return g;
}

static void what_queued_during_a_sync_is_the_next_group_in_order(void **state)
{
	struct desk *d = *state;
	struct gate *g = open_gate(d);
	struct storer_stats stats;
	ask_ops(d, 0, &put_k, 1);
	sem_wait(&g->entered);
	for (uint64_t i = 1; i <= 50; i++) ask_ops(d, i, &put_k, 1);
	event_base_loop(d->base, EVLOOP_NONBLOCK);
	assert_int_equal(d->completed, 0); /* nothing is answered before its sync */
	sem_post(&g->go);
	sem_post(&g->go);
	run_until(d, 51);
	assert_int_equal(g->groups, 2);
	assert_int_equal(g->sizes[1], 50);
	for (uint64_t i = 0; i <= 50; i++) assert_int_equal(d->tickets[i], i);
	storer_stats(d->storer, &stats);
	assert_int_equal(stats.groups, 2);
	assert_int_equal(stats.group_max, 50);
	assert_int_equal(stats.writes, 51);
}

static void a_full_queue_refuses_at_once(void **state)
{
	struct desk *d = *state;
	struct gate *g = open_gate(d);
	ask_ops(d, 0, &put_k, 1);
	sem_wait(&g->entered);
	for (uint64_t i = 1; i <= STORE_QUEUE_MAX + 2; i++) ask_ops(d, i, &put_k, 1);
	run_until(d, 2);
	assert_int_equal(d->tickets[0], STORE_QUEUE_MAX + 1);
	assert_int_equal(d->errs[0], ERR_BUSY);
	assert_int_equal(d->errs[1], ERR_BUSY);
	for (int i = 0; i < 2; i++) sem_post(&g->go);
	while (d->completed < STORE_QUEUE_MAX + 3) event_base_loop(d->base, EVLOOP_ONCE);
	for (uint32_t i = 2; i < d->completed; i++) {
		assert_int_equal(d->errs[i], ERR_OK);
		assert_int_equal(d->tickets[i], i - 2);
	}
}

static void a_large_group_is_split_by_bytes(void **state)
{
	struct desk *d = *state;
	struct gate *g = open_gate(d);
	static uint8_t large[STORE_GROUP_BYTES_MAX / 2 + 1];
	struct store_op op = {STORE_OBJECTS, BYTES("k"), {large, sizeof(large)}};
	ask_ops(d, 0, &put_k, 1);
	sem_wait(&g->entered);
	for (uint64_t i = 1; i <= 3; i++) ask_ops(d, i, &op, 1);
	for (int i = 0; i < 4; i++) sem_post(&g->go);
	run_until(d, 4);
	assert_int_equal(g->groups, 4);
}

static void stopping_finishes_what_was_asked(void **state)
{
	struct desk *d = *state;
	for (uint64_t i = 0; i < 100; i++) ask_ops(d, i, &put_k, 1);
	storer_stop(d->storer);
	d->storer = NULL;
	assert_int_equal(d->completed, 0);
	struct bytes value;
	void *handle;
	assert_int_equal(store_read(d->store, STORE_OBJECTS, BYTES("k"), false, &value, &handle),
	                 ERR_OK);
	store_release(handle);
}

/* ---- failure ------------------------------------------------------------------------------- */

static void a_failed_sync_is_fatal_before_anyone_hears_of_it(void **state)
{
	struct desk *d = *state;
	ask_ops(d, 1, &put_k, 1);
	run_until(d, 1);
	store_mem_fail_sync(d->store);
	for (uint64_t i = 2; i < 10; i++) ask_ops(d, i, &put_k, 1);
	run_until(d, 9);
	assert_int_equal(d->fatal_count, 1);
	assert_int_equal(d->fatal_at, 1);
	for (uint32_t i = 1; i < 9; i++) assert_int_equal(d->errs[i], ERR_STORE);
}

static void a_full_store_is_not_fatal(void **state)
{
	struct desk *d = *state;
	store_mem_set_full(d->store, true);
	ask_ops(d, 1, &put_k, 1);
	run_until(d, 1);
	assert_int_equal(d->errs[0], ERR_FULL);
	assert_int_equal(d->fatal_count, 0);
}

/* ---- all at once --------------------------------------------------------------------------- */

/* Writes, reads and scans in any mix: each ticket completes exactly once, writes in order. */
static void every_ticket_completes_once_under_load(void **state)
{
	struct desk *d = *state;
	struct prng p;
	const uint32_t total = 20000;
	uint8_t *kinds = calloc(total, 1);
	assert_non_null(kinds);
	prng_seed(&p, 3);
	for (uint32_t i = 0; i < total; i++) {
		kinds[i] = (uint8_t)prng_below(&p, 8);
		if (kinds[i] < 4)
			ask_ops(d, i, &put_k, 1);
		else if (kinds[i] < 7)
			ask_read(d, i, BYTES("k"));
		else
			ask_scan(d, i, 4, 100);
		if (prng_one_in(&p, 500)) store_mem_set_cold(d->store, prng_one_in(&p, 2));
		if (prng_one_in(&p, 20)) event_base_loop(d->base, EVLOOP_NONBLOCK);
	}
	run_until(d, total);
	uint64_t last_write = 0;
	for (uint32_t i = 0; i < total; i++) {
		uint64_t ticket = d->tickets[i];
		assert_true(ticket < total && kinds[ticket] < 8);
		if (kinds[ticket] < 4) {
			assert_true(ticket >= last_write);
			last_write = ticket;
		}
		kinds[ticket] = 8; /* seen */
	}
	assert_true(storer_idle(d->storer));
	free(kinds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_completes_and_is_read_back),
		TEST(a_read_that_needs_the_disk_goes_to_a_reader),
		TEST(a_completion_never_comes_from_within_a_call),
		TEST(a_damaged_record_and_a_failed_read_are_told),
		TEST(a_scan_stops_at_its_limits_but_not_before_one_record),
		TEST(what_queued_during_a_sync_is_the_next_group_in_order),
		TEST(a_full_queue_refuses_at_once),
		TEST(a_large_group_is_split_by_bytes),
		TEST(stopping_finishes_what_was_asked),
		TEST(a_failed_sync_is_fatal_before_anyone_hears_of_it),
		TEST(a_full_store_is_not_fatal),
		TEST(every_ticket_completes_once_under_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
