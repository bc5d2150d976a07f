/* test_record_cache.c - the laws of record_cache.h: one by one, against a naive truth, and with threads.
 * Also to be run under the thread sanitizer (make VARIANT=tsan). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "store/record_cache.h"

#include <cmocka.h>

/* ---- small things -------------------------------------------------------------------------- */

static int setup(void **state)
{
	*state = record_cache_new(MIB(1));
	return 0;
}

static int teardown(void **state)
{
	record_cache_free(*state);
	return 0;
}

static bool answers(struct record_cache *c, struct bytes key, struct bytes value)
{
	struct record_cache_miss miss;
	struct bytes found;
	void *handle;
	if (!record_cache_get(c, key, &found, &handle, &miss)) return false;
	assert_true(bytes_equal(found, value));
	store_release(handle);
	return true;
}

/* Whatever it is. */
static bool knows(struct record_cache *c, struct bytes key)
{
	struct record_cache_miss miss;
	struct bytes found;
	void *handle;
	bool hit = record_cache_get(c, key, &found, &handle, &miss);
	if (hit) store_release(handle);
	return hit;
}

static struct record_cache_miss missed(struct record_cache *c, struct bytes key)
{
	struct record_cache_miss miss;
	struct bytes found;
	void *handle;
	assert_false(record_cache_get(c, key, &found, &handle, &miss));
	return miss;
}

static void begin_one(struct record_cache *c, const struct store_op *op)
{
	struct store_batch batch = {op, 1};
	record_cache_begin(c, &batch, 1);
}

static void write_one(struct record_cache *c, struct bytes key, struct bytes value, bool written)
{
	struct store_op op = {STORE_OBJECTS, key, value};
	begin_one(c, &op);
	record_cache_end(c, written);
}

static struct record_cache_stats stats(struct record_cache *c)
{
	struct record_cache_stats s;
	record_cache_stats(c, &s);
	return s;
}

/* ---- one by one ---------------------------------------------------------------------------- */

static void a_group_is_answered_after_its_end_and_nothing_before(void **state)
{
	struct record_cache *c = *state;
	write_one(c, BYTES("k"), BYTES("old"), true);
	assert_true(answers(c, BYTES("k"), BYTES("old")));
	struct store_op ops[] = {{STORE_OBJECTS, BYTES("k"), BYTES("new")},
	                         {STORE_OBJECTS, BYTES("l"), BYTES("new")},
	                         {STORE_HINTS, BYTES("h"), BYTES("new")}};
	struct store_batch batches[] = {{ops, 2}, {ops + 2, 1}};
	record_cache_begin(c, batches, 2);
	assert_false(knows(c, BYTES("k"))); /* neither: the engine knows which */
	assert_false(knows(c, BYTES("l")));
	record_cache_end(c, true);
	assert_true(answers(c, BYTES("k"), BYTES("new")));
	assert_true(answers(c, BYTES("l"), BYTES("new")));
	assert_false(knows(c, BYTES("h")));
}

static void a_group_that_failed_leaves_nothing(void **state)
{
	struct record_cache *c = *state;
	write_one(c, BYTES("k"), BYTES("old"), true);
	write_one(c, BYTES("k"), BYTES("new"), false);
	assert_false(knows(c, BYTES("k")));
	write_one(c, BYTES("l"), BYTES("new"), false);
	assert_false(knows(c, BYTES("l")));
	write_one(c, BYTES("k"), BYTES("newer"), true);
	assert_true(answers(c, BYTES("k"), BYTES("newer")));
}

static void the_last_operation_on_a_key_is_the_one_that_counts(void **state)
{
	struct record_cache *c = *state;
	struct store_op ops[] = {
		{STORE_OBJECTS, BYTES("k"), BYTES("1")},  {STORE_OBJECTS, BYTES("l"), BYTES("1")},
		{STORE_OBJECTS, BYTES("k"), BYTES_EMPTY}, {STORE_OBJECTS, BYTES("k"), BYTES("2")},
		{STORE_OBJECTS, BYTES("l"), BYTES_EMPTY}, {STORE_OBJECTS, BYTES("m"), BYTES("")}};
	struct store_batch batches[] = {{ops, 2}, {ops + 2, 4}};
	write_one(c, BYTES("l"), BYTES("0"), true);
	record_cache_begin(c, batches, 2);
	record_cache_end(c, true);
	assert_true(answers(c, BYTES("k"), BYTES("2")));
	assert_false(knows(c, BYTES("l")));
	assert_true(answers(c, BYTES("m"), BYTES("")));
	write_one(c, BYTES("k"), BYTES_EMPTY, true);
	assert_false(knows(c, BYTES("k")));
	assert_int_equal(stats(c).records, 1);
}

static void what_a_reader_found_is_kept(void **state)
{
	struct record_cache *c = *state;
	struct record_cache_miss first = missed(c, BYTES("k")), second = missed(c, BYTES("k"));
	record_cache_fill(c, &first, BYTES("k"), BYTES("v"));
	assert_true(answers(c, BYTES("k"), BYTES("v")));
	record_cache_fill(c, &second, BYTES("k"), BYTES("v"));
	assert_true(answers(c, BYTES("k"), BYTES("v")));
	assert_int_equal(stats(c).records, 1);
}

static void what_a_reader_brings_too_late_is_refused(void **state)
{
	struct record_cache *c = *state;
	struct record_cache_miss before = missed(c, BYTES("k"));
	struct store_op delete = {STORE_OBJECTS, BYTES("k"), BYTES_EMPTY};
	begin_one(c, &delete);
	struct record_cache_miss during = missed(c, BYTES("k"));
	record_cache_fill(c, &before, BYTES("k"), BYTES("old"));
	assert_false(knows(c, BYTES("k"))); /* the engine may show the delete already */
	record_cache_fill(c, &during, BYTES("k"), BYTES("old"));
	assert_false(knows(c, BYTES("k")));
	record_cache_end(c, true);
	record_cache_fill(c, &before, BYTES("k"), BYTES("old"));
	record_cache_fill(c, &during, BYTES("k"), BYTES("old"));
	assert_false(knows(c, BYTES("k")));
	struct record_cache_miss after = missed(c, BYTES("k"));
	write_one(c, BYTES("k"), BYTES("new"), true);
	record_cache_fill(c, &after, BYTES("k"), BYTES("old"));
	assert_true(answers(c, BYTES("k"), BYTES("new")));
}

static void after_a_drop_nothing_from_before_is_answered(void **state)
{
	struct record_cache *c = *state;
	struct record_cache_miss before = missed(c, BYTES("l"));
	write_one(c, BYTES("k"), BYTES("v"), true);
	record_cache_drop(c, true);
	assert_false(knows(c, BYTES("k")));
	record_cache_fill(c, &before, BYTES("l"), BYTES("v"));
	assert_false(knows(c, BYTES("l")));
	write_one(c, BYTES("k"), BYTES("v"), true);
	assert_true(answers(c, BYTES("k"), BYTES("v")));
	assert_int_equal(stats(c).drops, 1);
}

static void while_it_is_off_it_keeps_nothing(void **state)
{
	struct record_cache *c = *state;
	record_cache_drop(c, false);
	write_one(c, BYTES("k"), BYTES("v"), true);
	assert_false(knows(c, BYTES("k")));
	struct record_cache_miss off = missed(c, BYTES("k"));
	record_cache_fill(c, &off, BYTES("k"), BYTES("v"));
	assert_false(knows(c, BYTES("k")));
	struct store_op op = {STORE_OBJECTS, BYTES("l"), BYTES("v")};
	begin_one(c, &op);
	record_cache_drop(c, true);
	record_cache_fill(c, &off, BYTES("k"), BYTES("v"));
	assert_false(knows(c, BYTES("k")));
	record_cache_end(c, true);
	assert_true(answers(c, BYTES("l"), BYTES("v"))); /* durable after the drop */
	assert_int_equal(stats(c).records, 1);
}

static void a_value_that_is_held_outlives_everything(void **state)
{
	struct record_cache *c = *state;
	struct record_cache_miss miss;
	struct bytes value;
	void *handle;
	write_one(c, BYTES("k"), BYTES("first"), true);
	assert_true(record_cache_get(c, BYTES("k"), &value, &handle, &miss));
	write_one(c, BYTES("k"), BYTES("second"), true);
	record_cache_drop(c, true);
	record_cache_free(c);
	*state = NULL;
	assert_true(bytes_equal(value, BYTES("first")));
	store_release(handle);
}

/* ---- bytes --------------------------------------------------------------------------------- */

static struct bytes numbered(uint64_t i, uint8_t key[24])
{
	struct prng p;
	prng_seed(&p, i);
	memset(key, 0, 24);
	put_u64be(key, prng_next(&p));
	put_u64be(key + 16, i);
	return bytes_of(key, 24);
}

static void it_takes_no_more_than_it_was_given(void **state)
{
	static const size_t sizes[] = {1, 300, KIB(4), KIB(64), KIB(600)};
	static uint8_t value[KIB(8)];
	(void)state;
	for (unsigned n = 0; n < 5; n++) {
		struct record_cache *c = record_cache_new(sizes[n]);
		for (uint32_t i = 0; i < 20000; i++) {
			uint8_t key[24];
			write_one(c, numbered(i, key), bytes_of(value, i * 37 % (i % 50 == 0 ? 8000 : 150)),
			          true);
			if (i % 512 != 0) continue;
			/* A table of a few places is had before the first record. */
			assert_true(stats(c).bytes <= sizes[n] || stats(c).bytes <= KIB(4));
		}
		if (sizes[n] >= KIB(64)) assert_true(stats(c).records * 300 > sizes[n]);
		assert_true(stats(c).records + stats(c).evictions <= 20000);
		record_cache_free(c);
	}
}

static void what_is_used_stays(void **state)
{
	struct record_cache *c = *state;
	uint8_t key[24], value[100] = {0};
	uint32_t kept = 0;
	for (uint32_t i = 0; i < 500; i++) write_one(c, numbered(i, key), bytes_of(value, 100), true);
	for (uint32_t i = 500; i < 50000; i++) {
		write_one(c, numbered(i, key), bytes_of(value, 100), true);
		knows(c, numbered(i % 500, key));
	}
	for (uint32_t i = 0; i < 500; i++) kept += knows(c, numbered(i, key));
	assert_int_equal(kept, 500);
	/* Hardly any was too far from its home to be kept. */
	assert_true(stats(c).evictions + stats(c).records > 49900);
}

static void one_that_is_too_large_is_not_kept_and_nor_is_what_it_replaced(void **state)
{
	struct record_cache *c = *state;
	static uint8_t large[MIB(1)];
	write_one(c, BYTES("k"), BYTES("small"), true);
	write_one(c, BYTES("k"), bytes_of(large, sizeof(large)), true);
	assert_false(knows(c, BYTES("k")));
	struct record_cache_miss miss = missed(c, BYTES("k"));
	record_cache_fill(c, &miss, BYTES("k"), bytes_of(large, sizeof(large)));
	assert_false(knows(c, BYTES("k")));
	assert_int_equal(stats(c).records, 0);
}

/* All with one hash: it sees the ends of a key. */
static void keys_that_collide_cost_places_and_never_a_wrong_answer(void **state)
{
	struct record_cache *c = *state;
	uint32_t known = 0;
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 1000; i++) {
			uint8_t key[24] = {0}, value[4];
			put_u32be(key + 10, i);
			put_u32be(value, i);
			write_one(c, bytes_of(key, 24),
			          i % 3 == 0 && round == 1 ? BYTES_EMPTY : bytes_of(value, 4), true);
		}
		known = 0;
		for (uint32_t i = 0; i < 1000; i++) {
			uint8_t key[24] = {0}, value[4];
			put_u32be(key + 10, i);
			put_u32be(value, i);
			known += answers(c, bytes_of(key, 24), bytes_of(value, 4));
		}
	}
	assert_true(known >= 64 && known <= 200);
}

/* ---- against a naive truth ----------------------------------------------------------------- */

#define MODEL_KEYS 60U
#define MODEL_READERS 8U

/* The engine: a number for each key, 0 for none. A group is under way from begin to end, and shown at
 * some time between. */
struct model {
	struct record_cache *c;
	struct prng p;
	uint32_t shown[MODEL_KEYS];
	struct store_op ops[12];
	struct store_batch batches[3];
	uint8_t keys[12][24];
	uint32_t values[12], indexes[12], count, batch_count;
	bool under_way, is_shown;
	struct {
		struct record_cache_miss miss;
		uint32_t index, value;
		bool waiting, read;
	} readers[MODEL_READERS];
	uint64_t hits, filled;
};

static struct bytes model_value(uint32_t number, uint8_t value[120])
{
	memset(value, (int)number, 120);
	put_u32be(value, number);
	return bytes_of(value, 4 + number % 100);
}

static void model_begin(struct model *m)
{
	uint8_t *value;
	static uint8_t values[12][120];
	m->count = m->batch_count = 0;
	for (uint32_t b = 0; b < 1 + prng_below(&m->p, 3); b++) {
		m->batches[m->batch_count] = (struct store_batch){m->ops + m->count, 0};
		for (uint64_t n = 1 + prng_below(&m->p, 4); n > 0; n--, m->count++) {
			uint32_t index = (uint32_t)prng_below(&m->p, MODEL_KEYS), at = m->count;
			m->indexes[at] = index;
			m->values[at] = prng_one_in(&m->p, 4) ? 0 : (uint32_t)prng_next(&m->p) | 1;
			value = values[at];
			m->ops[at] = (struct store_op){STORE_OBJECTS, numbered(index, m->keys[at]),
			                               m->values[at] == 0 ? BYTES_EMPTY
			                                                  : model_value(m->values[at], value)};
			m->batches[m->batch_count].count++;
		}
		m->batch_count++;
	}
	record_cache_begin(m->c, m->batches, m->batch_count);
	m->under_way = true;
	m->is_shown = false;
}

static void model_show(struct model *m)
{
	for (uint32_t i = 0; i < m->count; i++) m->shown[m->indexes[i]] = m->values[i];
	m->is_shown = true;
}

static void model_write(struct model *m)
{
	if (!m->under_way) {
		model_begin(m);
	} else if (!m->is_shown && prng_one_in(&m->p, 2)) {
		model_show(m);
	} else {
		record_cache_end(m->c, m->is_shown);
		m->under_way = false;
	}
}

static void model_check(struct model *m, uint32_t index)
{
	struct record_cache_miss miss;
	struct bytes found;
	void *handle;
	uint8_t key[24], value[120];
	if (!record_cache_get(m->c, numbered(index, key), &found, &handle, &miss)) return;
	assert_true(m->shown[index] != 0);
	assert_true(bytes_equal(found, model_value(m->shown[index], value)));
	store_release(handle);
	m->hits++;
}

/* A reader misses, reads the engine, and brings what it found, with anything in between. */
static void model_read(struct model *m)
{
	uint32_t i = (uint32_t)prng_below(&m->p, MODEL_READERS);
	struct bytes found;
	void *handle;
	uint8_t key[24], value[120];
	if (!m->readers[i].waiting) {
		m->readers[i].index = (uint32_t)prng_below(&m->p, MODEL_KEYS);
		m->readers[i].read = false;
		m->readers[i].waiting = !record_cache_get(m->c, numbered(m->readers[i].index, key), &found,
		                                          &handle, &m->readers[i].miss);
		if (!m->readers[i].waiting) store_release(handle);
	} else if (!m->readers[i].read) {
		m->readers[i].value = m->shown[m->readers[i].index];
		m->readers[i].read = true;
	} else {
		m->readers[i].waiting = false;
		if (m->readers[i].value == 0) return;
		record_cache_fill(m->c, &m->readers[i].miss, numbered(m->readers[i].index, key),
		                  model_value(m->readers[i].value, value));
		m->filled++;
	}
}

static void model_run(size_t bytes, uint64_t seed, bool full)
{
	static struct model m;
	m = (struct model){.c = record_cache_new(bytes)};
	prng_seed(&m.p, seed);
	for (uint32_t step = 0; step < 40000; step++) {
		uint64_t what = prng_below(&m.p, 100);
		if (what < 25)
			model_write(&m);
		else if (what < 60)
			model_read(&m);
		else
			model_check(&m, (uint32_t)prng_below(&m.p, MODEL_KEYS));
		if (prng_one_in(&m.p, 2000)) record_cache_drop(m.c, !prng_one_in(&m.p, 3));
		if (prng_one_in(&m.p, 100))
			for (uint32_t i = 0; i < MODEL_KEYS; i++) model_check(&m, i);
	}
	if (m.under_way) record_cache_end(m.c, m.is_shown);
	assert_true(!full || (m.hits > 5000 && m.filled > 100));
	record_cache_free(m.c);
}

static void whatever_happens_it_says_what_the_engine_shows(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		model_run(MIB(1), seed, true);
		model_run(KIB(20), seed, false);
		model_run(1, seed, false);
	}
}

/* ---- threads ------------------------------------------------------------------------------- */

#define RACE_KEYS 40U
#define RACE_READERS 3

/* The engine shows a rising number for each key. Whoever reads it is told one that was shown between
 * his question and the answer, whoever answers. */
struct race {
	struct record_cache *c;
	_Atomic uint64_t shown[RACE_KEYS];
	_Atomic bool stop;
	_Atomic uint64_t wrong, hits;
};

static void *race_write(void *context)
{
	struct race *r = context;
	struct prng p;
	prng_seed(&p, 3);
	for (uint64_t n = 1; !atomic_load(&r->stop); n++) {
		uint8_t keys[4][24], value[8];
		uint64_t indexes[4];
		struct store_op ops[4];
		put_u64be(value, n);
		for (int i = 0; i < 4; i++) {
			indexes[i] = prng_below(&p, RACE_KEYS);
			ops[i] =
				(struct store_op){STORE_OBJECTS, numbered(indexes[i], keys[i]), bytes_of(value, 8)};
		}
		struct store_batch batch = {ops, 4};
		record_cache_begin(r->c, &batch, 1);
		for (int i = 0; i < 4; i++) atomic_store(&r->shown[indexes[i]], n);
		record_cache_end(r->c, true);
		if (n % 1000 == 0) record_cache_drop(r->c, true);
	}
	return NULL;
}

static void *race_read(void *context)
{
	struct race *r = context;
	struct prng p;
	prng_seed(&p, (uint64_t)(uintptr_t)&p);
	while (!atomic_load(&r->stop)) {
		struct record_cache_miss miss;
		struct bytes found;
		void *handle;
		uint8_t key[24], value[8];
		uint64_t index = prng_below(&p, RACE_KEYS), least = atomic_load(&r->shown[index]);
		if (record_cache_get(r->c, numbered(index, key), &found, &handle, &miss)) {
			uint64_t told = get_u64be(found.data);
			store_release(handle);
			if (told < least || told > atomic_load(&r->shown[index]))
				atomic_fetch_add(&r->wrong, 1);
			atomic_fetch_add(&r->hits, 1);
			continue;
		}
		uint64_t read = atomic_load(&r->shown[index]);
		put_u64be(value, read);
		if (read > 0) record_cache_fill(r->c, &miss, bytes_of(key, 24), bytes_of(value, 8));
	}
	return NULL;
}

static void readers_and_the_writer_agree_on_one_order(void **state)
{
	struct race *r = calloc(1, sizeof(*r));
	pthread_t writer, readers[RACE_READERS];
	(void)state;
	assert_non_null(r);
	r->c = record_cache_new(KIB(600));
	assert_int_equal(pthread_create(&writer, NULL, race_write, r), 0);
	for (int i = 0; i < RACE_READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, race_read, r), 0);
	for (int i = 0; i < 400 && (i < 15 || atomic_load(&r->hits) < 50000); i++) {
		struct timespec pause = {0, 50000000};
		nanosleep(&pause, NULL);
		stats(r->c);
	}
	atomic_store(&r->stop, true);
	pthread_join(writer, NULL);
	for (int i = 0; i < RACE_READERS; i++) pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&r->wrong), 0);
	assert_true(atomic_load(&r->hits) > 1000);
	record_cache_free(r->c);
	free(r);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_group_is_answered_after_its_end_and_nothing_before),
		TEST(a_group_that_failed_leaves_nothing),
		TEST(the_last_operation_on_a_key_is_the_one_that_counts),
		TEST(what_a_reader_found_is_kept),
		TEST(what_a_reader_brings_too_late_is_refused),
		TEST(after_a_drop_nothing_from_before_is_answered),
		TEST(while_it_is_off_it_keeps_nothing),
		TEST(a_value_that_is_held_outlives_everything),
		cmocka_unit_test(it_takes_no_more_than_it_was_given),
		TEST(what_is_used_stays),
		TEST(one_that_is_too_large_is_not_kept_and_nor_is_what_it_replaced),
		TEST(keys_that_collide_cost_places_and_never_a_wrong_answer),
		cmocka_unit_test(whatever_happens_it_says_what_the_engine_shows),
		cmocka_unit_test(readers_and_the_writer_agree_on_one_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
