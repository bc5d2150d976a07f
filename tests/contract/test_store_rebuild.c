/* test_store_rebuild.c - S4 on the real engine: a damaged family is rebuilt while it is in use.
 *
 * What could be read before is known from a copy of the directory in which the rebuild stands still.
 * What is written meanwhile, and what a kill does to it, is in test_store_rebuild_model.c. */
#include <pthread.h>
#include <stdatomic.h>

#include "store_rot.h"

static bool count_damage(void *context, const struct store_record *record)
{
	uint32_t *counts = context;
	counts[record->damaged]++;
	return true;
}

static uint32_t scan_damage(struct store *s, enum store_family family, uint32_t *good)
{
	uint32_t counts[2] = {0};
	bool done;
	assert_int_equal(store_scan(s, family, BYTES_EMPTY, BYTES_EMPTY, count_damage, counts, &done),
	                 ERR_OK);
	assert_true(done);
	*good = counts[0];
	return counts[1];
}

static void wait_no_damage(struct store *s, enum store_family family, uint32_t good)
{
	uint32_t found = 0;
	for (int i = 0; i < 1000 && scan_damage(s, family, &found) > 0; i++) usleep(10000);
	assert_int_equal(scan_damage(s, family, &found), 0);
	assert_int_equal(found, good);
}

/* What was dropped is removed as soon as nothing in the engine looks at it any more. */
static void wait_gone(const char *path)
{
	for (int i = 0; i < 1000 && access(path, F_OK) == 0; i++) usleep(10000);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* ---- what could be read stays readable ----------------------------------------------------- */

/* Another thread scans meanwhile. It cannot fail by an assertion of cmocka's. */
struct scanner {
	struct store *s;
	const bool *readable;
	_Atomic bool stop;
	uint32_t scans, wrong;
};

static bool scan_one(void *context, const struct store_record *r)
{
	struct scanner *c = context;
	uint8_t value[200];
	if (r->damaged) return true;
	uint32_t i = get_u32be(r->key.data + 16);
	if (i >= ROT_RECORDS || !c->readable[i] ||
	    !bytes_equal(r->value, rot_value(i, rot_version(i), value)))
		c->wrong++;
	return true;
}

static void *scan_on(void *context)
{
	struct scanner *c = context;
	bool done;
	for (; !atomic_load(&c->stop); c->scans++)
		if (store_scan(c->s, STORE_OBJECTS, BYTES_EMPTY, BYTES_EMPTY, scan_one, c, &done) != ERR_OK)
			c->wrong++;
	return NULL;
}

/* All of it, again and again, until the rebuilds are over; then once more. */
static void read_while_rebuilt(struct store *s, const bool readable[ROT_RECORDS])
{
	for (bool over = false, last = false; !last; over = rot_usage(s).rebuilds > 0) {
		last = over && rot_usage(s).rebuilding == 0;
		for (uint32_t i = 0; i < ROT_RECORDS; i++) {
			enum err e = rot_get(s, STORE_OBJECTS, i, rot_version(i));
			if (readable[i] ? e != ERR_OK : e != ERR_CORRUPT && e != ERR_NOT_FOUND)
				fail_msg("record %u, readable %d: %s", i, readable[i], err_name(e));
		}
	}
}

static void one_rotten_file(struct rot_bench *b, uint64_t from, uint64_t to, uint32_t *lost)
{
	char dir[96], hit[ROT_NAMES_MAX][192];
	snprintf(dir, sizeof(dir), "%s/r", b->root);
	bench_shell("cp -r '%s' '%s'", b->dir, dir);
	rot_bits(b, dir, false, from, to, hit);
	uint32_t count = rot_read_copy(dir, STORE_OBJECTS, b->readable);
	struct store *s = rot_open(dir, ROT_FAST);
	if (count < ROT_RECORDS) {
		*lost += ROT_RECORDS - count;
		struct scanner c = {.s = s, .readable = b->readable};
		pthread_t scanner;
		assert_int_equal(pthread_create(&scanner, NULL, scan_on, &c), 0);
		read_while_rebuilt(s, b->readable);
		atomic_store(&c.stop, true);
		pthread_join(scanner, NULL);
		assert_true(c.scans > 0 && c.wrong == 0);
		wait_gone(hit[0]);
		wait_no_damage(s, STORE_OBJECTS, count);
	}
	store_close(s);
	bench_remove(dir);
}

static void what_could_be_read_is_read_throughout_a_rebuild(void **state)
{
	struct rot_bench *b = *state;
	uint32_t lost = 0;
	rot_make_layers(b->dir, STORE_OBJECTS);
	for (int round = 0; round < 8; round++) one_rotten_file(b, 0, 950, &lost);
	for (int round = 0; round < 6; round++) one_rotten_file(b, 950, 1000, &lost);
	print_message("records that could not be read: %u of 14 rounds\n", lost);
	assert_true(lost > 0);
}

/* What damage in one file hides may lie in another that is damaged elsewhere. */
static void rot_in_all_files_while_they_are_in_use_costs_only_what_was_hit(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192];
	rot_make_layers(b->dir, STORE_OBJECTS);
	struct store *s = rot_open(b->dir, ROT_STEADY);
	uint32_t hits = rot_bits(b, b->dir, true, 0, 900, hit);
	assert_true(hits > 1);
	for (int i = 0; i < 20; i++) rot_bits(b, b->dir, i % 10 == 0, 0, 900, hit);
	hits = rot_bits(b, b->dir, true, 0, 900, hit);
	uint32_t before = rot_read_all(s, STORE_OBJECTS, b->readable);
	assert_true(before < ROT_RECORDS);
	rot_wait_rebuilt(s, 1);
	uint32_t after = rot_read_all(s, STORE_OBJECTS, b->readable);
	print_message("of %u records %u could be read, and then %u\n", ROT_RECORDS, before, after);
	assert_true(after >= before);
	assert_true(rot_usage(s).lost_stretches > 0);
	for (uint32_t i = 0; i < hits; i++) wait_gone(hit[i]);
	wait_no_damage(s, STORE_OBJECTS, after);
	store_close(s);
}

/* The third generation, of a family that was filled again, and damaged again. */
static void what_was_rebuilt_can_be_rebuilt_again(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192];
	rot_make_layers(b->dir, STORE_OBJECTS);
	for (int round = 0; round < 2; round++) {
		rot_bits(b, b->dir, true, 0, 900, hit);
		struct store *s = rot_open(b->dir, ROT_FAST);
		rot_read_all(s, STORE_OBJECTS, b->readable);
		rot_wait_rebuilt(s, 1);
		wait_gone(hit[0]);
		rot_put_all(s, STORE_OBJECTS, 2, 1);
		rot_put_all(s, STORE_OBJECTS, 3, 10);
		assert_int_equal(rot_read_all(s, STORE_OBJECTS, b->readable), ROT_RECORDS);
		store_close(s);
		store_close(rot_open(b->dir, ROT_STANDS));
	}
	struct store *s = rot_open(b->dir, ROT_STANDS);
	assert_int_equal(rot_read_all(s, STORE_OBJECTS, b->readable), ROT_RECORDS);
	assert_int_equal(rot_usage(s).rebuilding, 0);
	store_close(s);
}

static bool newest_only(void *context, const struct store_record *r)
{
	uint8_t value[200];
	uint32_t *good = context;
	if (r->damaged) return true;
	assert_true(bytes_equal(r->value, rot_value(get_u32be(r->key.data + 16), 5, value)));
	++*good;
	return true;
}

/* All was written again, version 5, while a rebuild stood still; then that is damaged too. Behind the
 * damage lie older versions that can be read. */
static void damage_in_the_new_generation_never_shows_what_the_old_one_has(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192], old[ROT_NAMES_MAX][192], names[ROT_NAMES_MAX][192];
	uint32_t good = 0, corrupt = 0;
	bool done;
	rot_make_layers(b->dir, STORE_OBJECTS);
	rot_bits(b, b->dir, true, 0, 900, hit);
	uint32_t old_count = rot_files(b->dir, ".sst", old, ROT_NAMES_MAX);
	struct store *s = rot_open(b->dir, ROT_STANDS);
	rot_read_all(s, STORE_OBJECTS, b->readable);
	while (rot_usage(s).rebuilding == 0) usleep(1000);
	rot_put_all(s, STORE_OBJECTS, 5, 1);
	store_close(s);
	store_close(rot_open(b->dir, ROT_STANDS));
	uint32_t count = rot_large_files(b->dir, names);
	for (uint32_t i = 0; i < count; i++)
		if (bsearch(names[i], old, old_count, sizeof(old[0]), rot_by_name) == NULL)
			rot_flip(names[i], rot_length(names[i]) / 3, 0x20);
	for (uint64_t speed = ROT_STANDS; speed <= ROT_FAST; speed += ROT_FAST - ROT_STANDS) {
		s = rot_open(b->dir, speed);
		if (speed == ROT_FAST) rot_wait_rebuilt(s, 2);
		assert_int_equal(
			store_scan(s, STORE_OBJECTS, BYTES_EMPTY, BYTES_EMPTY, newest_only, &good, &done),
			ERR_OK);
		for (uint32_t i = 0; i < ROT_RECORDS; i++)
			corrupt += rot_get(s, STORE_OBJECTS, i, 5) == ERR_CORRUPT;
		store_close(s);
	}
	assert_true(good > ROT_RECORDS && corrupt > 0);
}

static void a_value_that_is_held_outlives_its_generation(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192];
	uint8_t key[20], expected[200];
	struct bytes value;
	void *handle;
	rot_make_layers(b->dir, STORE_OBJECTS);
	rot_bits(b, b->dir, true, 0, 900, hit);
	uint32_t i = 0;
	rot_read_copy(b->dir, STORE_OBJECTS, b->readable);
	while (!b->readable[i]) i++;
	struct store *s = rot_open(b->dir, ROT_FAST);
	assert_int_equal(store_read(s, STORE_OBJECTS, rot_key(i, key), false, &value, &handle), ERR_OK);
	rot_read_all(s, STORE_OBJECTS, b->readable);
	rot_wait_rebuilt(s, 1);
	rot_put(s, STORE_OBJECTS, i, 9);
	assert_true(bytes_equal(value, rot_value(i, rot_version(i), expected)));
	store_release(handle);
	store_close(s);
}

/* Nothing reads: a compaction that fails is what tells. */
static void damage_that_only_a_compaction_meets_is_mended(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192];
	rot_make_layers(b->dir, STORE_OBJECTS);
	rot_bits(b, b->dir, true, 0, 900, hit);
	struct store *s = rot_open(b->dir, ROT_FAST);
	for (uint32_t version = 4; version < 200 && rot_usage(s).rebuilds == 0; version++)
		rot_put_all(s, STORE_OBJECTS, version, 1);
	assert_true(rot_usage(s).rebuilds > 0);
	store_close(s);
}

/* ---- what is in memory --------------------------------------------------------------------- */

/* All records are read, and are in memory; then rot comes to the files, which nobody has met yet. Next
 * to no blocks are cached, so that who reads a file reads the disk. */
static struct store *rot_below_memory(struct rot_bench *b, uint64_t bytes_per_s)
{
	char hit[ROT_NAMES_MAX][192];
	rot_make_layers(b->dir, STORE_OBJECTS);
	struct store *s = rot_open_with(b->dir, bytes_per_s, MIB(8), 1);
	assert_int_equal(rot_read_all(s, STORE_OBJECTS, b->readable), ROT_RECORDS);
	for (int i = 0; i < 4; i++) rot_bits(b, b->dir, true, 100, 900, hit);
	assert_int_equal(rot_read_all(s, STORE_OBJECTS, b->readable), ROT_RECORDS);
	assert_true(rot_usage(s).records.hits >= ROT_RECORDS);
	return s;
}

static void what_the_disk_lost_is_not_read_from_memory_once_a_scan_was_told(void **state)
{
	struct rot_bench *b = *state;
	uint32_t good;
	struct store *s = rot_below_memory(b, ROT_STANDS);
	assert_true(scan_damage(s, STORE_OBJECTS, &good) > 0);
	assert_true(rot_read_all(s, STORE_OBJECTS, b->readable) < ROT_RECORDS);
	assert_int_equal(rot_usage(s).records.records, 0);
	store_close(s);
}

static void what_the_disk_lost_is_not_read_from_memory_once_a_read_was_told(void **state)
{
	struct rot_bench *b = *state;
	bool told = false;
	struct store *s = rot_below_memory(b, ROT_STANDS);
	/* Of what is not there the files are asked; one time in a hundred their filters do not know. */
	for (uint32_t i = 0; i < 100000 && !told; i++) {
		uint8_t key[20];
		struct bytes found;
		void *handle;
		rot_key(i % ROT_RECORDS, key);
		put_u32be(key + 12, i + 1);
		told =
			store_read(s, STORE_OBJECTS, bytes_of(key, 20), false, &found, &handle) == ERR_CORRUPT;
		store_release(handle);
	}
	assert_true(told);
	assert_int_equal(rot_usage(s).records.records, 0);
	assert_true(rot_read_all(s, STORE_OBJECTS, b->readable) < ROT_RECORDS);
	store_close(s);
}

/* Else it would be believed to be stored, and be gone at the next start. */
static void what_is_read_behind_a_rebuild_is_read_behind_a_restart_too(void **state)
{
	struct rot_bench *b = *state;
	uint32_t good, lost = 0;
	struct store *s = rot_below_memory(b, ROT_FAST);
	assert_true(scan_damage(s, STORE_OBJECTS, &good) > 0);
	rot_wait_rebuilt(s, 1);
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < ROT_RECORDS; i++)
			b->readable[i] = rot_get(s, STORE_OBJECTS, i, rot_version(i)) == ERR_OK;
	assert_true(rot_usage(s).records.records > 0); /* it is on again */
	store_close(s);
	s = rot_open(b->dir, ROT_FAST);
	for (uint32_t i = 0; i < ROT_RECORDS; i++) {
		bool there = rot_get(s, STORE_OBJECTS, i, rot_version(i)) == ERR_OK;
		assert_int_equal(b->readable[i], there);
		lost += !there;
	}
	assert_true(lost > 0);
	store_close(s);
}

/* ---- what was lost ------------------------------------------------------------------------- */

static void what_was_lost_is_damage_until_a_reader_was_told_also_over_a_restart(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192];
	uint32_t lost = 0, good;
	rot_make_layers(b->dir, STORE_OBJECTS);
	rot_bits(b, b->dir, true, 100, 900, hit);
	uint32_t before = rot_read_copy(b->dir, STORE_OBJECTS, b->readable);
	while (lost < ROT_RECORDS && b->readable[lost]) lost++;
	assert_true(lost < ROT_RECORDS);
	struct store *s = rot_open(b->dir, ROT_FAST);
	assert_int_equal(rot_get(s, STORE_OBJECTS, lost, 2), ERR_CORRUPT);
	rot_wait_rebuilt(s, 1);
	usleep(3000 * STORE_LOST_TOLD_MS); /* nobody asks, nothing is forgotten */
	store_close(s);
	s = rot_open(b->dir, ROT_FAST);
	assert_int_equal(rot_usage(s).rebuilding, 0);
	/* The first that is told; STORE_LOST_TOLD_MS later it may be forgotten, however slow we are. */
	assert_int_equal(rot_get(s, STORE_OBJECTS, lost, 2), ERR_CORRUPT);
	scan_damage(s, STORE_OBJECTS, &good);
	assert_true(good <= before);
	wait_no_damage(s, STORE_OBJECTS, good);
	assert_int_equal(rot_get(s, STORE_OBJECTS, lost, 2), ERR_NOT_FOUND);
	store_close(s);
	s = rot_open(b->dir, ROT_FAST);
	assert_int_equal(scan_damage(s, STORE_OBJECTS, &good), 0);
	store_close(s);
}

static void what_a_node_knows_of_itself_is_never_forgotten(void **state)
{
	struct rot_bench *b = *state;
	char hit[ROT_NAMES_MAX][192];
	uint32_t lost = 0, good;
	rot_make_layers(b->dir, STORE_META);
	rot_bits(b, b->dir, true, 100, 900, hit);
	rot_read_copy(b->dir, STORE_META, b->readable);
	while (lost < ROT_RECORDS && b->readable[lost]) lost++;
	struct store *s = rot_open(b->dir, ROT_FAST);
	assert_int_equal(rot_get(s, STORE_META, lost, 2), ERR_CORRUPT);
	rot_wait_rebuilt(s, 1);
	for (int round = 0; round < 2; round++) {
		assert_true(scan_damage(s, STORE_META, &good) > 0);
		usleep(2000 * STORE_LOST_TOLD_MS);
		assert_int_equal(rot_get(s, STORE_META, lost, 2), ERR_CORRUPT);
		store_close(s);
		s = rot_open(b->dir, ROT_FAST);
	}
	store_close(s);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, rot_setup, rot_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_could_be_read_is_read_throughout_a_rebuild),
		TEST(rot_in_all_files_while_they_are_in_use_costs_only_what_was_hit),
		TEST(what_was_rebuilt_can_be_rebuilt_again),
		TEST(damage_in_the_new_generation_never_shows_what_the_old_one_has),
		TEST(a_value_that_is_held_outlives_its_generation),
		TEST(damage_that_only_a_compaction_meets_is_mended),
		TEST(what_the_disk_lost_is_not_read_from_memory_once_a_scan_was_told),
		TEST(what_the_disk_lost_is_not_read_from_memory_once_a_read_was_told),
		TEST(what_is_read_behind_a_rebuild_is_read_behind_a_restart_too),
		TEST(what_was_lost_is_damage_until_a_reader_was_told_also_over_a_restart),
		TEST(what_a_node_knows_of_itself_is_never_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
