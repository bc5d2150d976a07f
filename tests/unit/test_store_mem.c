/* test_store_mem.c - the disk that fails on request, and the checksum around every record. What the
 * memory store shares with the real one is in tests/contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "store/record.h"
#include "store/store_mem.h"

#include <cmocka.h>

static int setup(void **state)
{
	*state = store_mem_new();
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	return 0;
}

/* Batch n writes n into two families. */
static enum err append(struct store *s, uint8_t n)
{
	struct store_op ops[] = {{STORE_OBJECTS, {&n, 1}, {&n, 1}}, {STORE_META, {&n, 1}, {&n, 1}}};
	struct store_batch batch = {ops, 2};
	return store_mem_append(s, &batch, 1);
}

static bool has(struct store *s, enum store_family family, uint8_t n)
{
	struct bytes value;
	void *handle;
	enum err e = store_read(s, family, (struct bytes){&n, 1}, false, &value, &handle);
	assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
	if (e == ERR_OK) assert_true(value.len == 1 && value.data[0] == n);
	store_release(handle);
	return e == ERR_OK;
}

/* Batches 1..n are there, whole, and no other; gives n. */
static uint8_t prefix(struct store *s)
{
	uint8_t n = 0;
	while (has(s, STORE_OBJECTS, (uint8_t)(n + 1))) n++;
	for (uint8_t i = 1; i < 20; i++) {
		assert_int_equal(has(s, STORE_OBJECTS, i), i <= n);
		assert_int_equal(has(s, STORE_META, i), i <= n);
	}
	return n;
}

static void what_is_not_synced_is_not_seen(void **state)
{
	struct store *s = *state;
	assert_int_equal(append(s, 1), ERR_OK);
	assert_int_equal(prefix(s), 0);
	assert_int_equal(store_mem_unsynced_batches(s), 1);
	assert_int_equal(store_mem_sync(s), ERR_OK);
	assert_int_equal(prefix(s), 1);
	assert_int_equal(store_mem_unsynced_bytes(s), 0);
}

static void a_crash_keeps_whole_batches_of_the_kept_bytes(void **state)
{
	struct store *s = *state;
	assert_int_equal(append(s, 1), ERR_OK);
	assert_int_equal(store_mem_sync(s), ERR_OK);
	struct store *old = store_mem_clone(s);
	uint64_t each = 0;
	for (uint64_t keep = 0; each == 0 || keep <= 3 * each; keep++) {
		for (uint8_t n = 2; n <= 4; n++) assert_int_equal(append(s, n), ERR_OK);
		each = store_mem_unsynced_bytes(s) / 3;
		store_mem_crash(s, keep);
		assert_int_equal(prefix(s), 1 + keep / each);
		assert_int_equal(store_mem_unsynced_batches(s), 0);
		store_mem_restore(s, old);
		assert_int_equal(prefix(s), 1);
	}
	store_close(old);
}

static void a_failed_sync_lasts_until_a_crash(void **state)
{
	struct store *s = *state;
	assert_int_equal(append(s, 1), ERR_OK);
	store_mem_fail_sync(s);
	assert_int_equal(store_mem_sync(s), ERR_STORE);
	assert_int_equal(append(s, 2), ERR_STORE);
	assert_int_equal(store_mem_sync(s), ERR_STORE);
	assert_int_equal(prefix(s), 0);
	store_mem_crash(s, UINT64_MAX);
	assert_int_equal(prefix(s), 1); /* it may have reached the disk all the same */
	assert_int_equal(append(s, 2), ERR_OK);
	assert_int_equal(store_mem_sync(s), ERR_OK);
	assert_int_equal(prefix(s), 2);
}

static void rot_hits_one_record_and_not_its_copies(void **state)
{
	struct store *s = *state;
	struct bytes key, value;
	void *handle;
	assert_false(store_mem_rot(s, STORE_OBJECTS, 7, NULL));
	for (uint8_t n = 1; n <= 5; n++) assert_int_equal(append(s, n), ERR_OK);
	assert_int_equal(store_mem_sync(s), ERR_OK);
	struct store *copy = store_mem_clone(s);
	assert_true(store_mem_rot(s, STORE_OBJECTS, 5 * 3 + 2, &key));
	assert_true(key.len == 1 && key.data[0] == 3);
	assert_int_equal(store_read(s, STORE_OBJECTS, key, false, &value, &handle), ERR_CORRUPT);
	assert_int_equal(store_read(copy, STORE_OBJECTS, key, false, &value, &handle), ERR_OK);
	store_release(handle);
	assert_true(has(s, STORE_META, 3));
	store_mem_crash(s, 0); /* damage stays */
	assert_int_equal(store_read(s, STORE_OBJECTS, key, false, &value, &handle), ERR_CORRUPT);
	store_close(copy);
}

static void a_full_disk_takes_nothing_and_failing_reads_are_counted(void **state)
{
	struct store *s = *state;
	struct bytes value;
	void *handle;
	store_mem_set_full(s, true);
	assert_int_equal(append(s, 1), ERR_FULL);
	assert_int_equal(store_mem_unsynced_bytes(s), 0);
	store_mem_fail_reads(s, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_read(s, STORE_META, BYTES("x"), false, &value, &handle), ERR_STORE);
	assert_int_equal(store_read(s, STORE_META, BYTES("x"), false, &value, &handle), ERR_NOT_FOUND);
}

static void a_wiped_store_is_empty(void **state)
{
	struct store *s = *state;
	struct store_usage usage;
	assert_int_equal(append(s, 1), ERR_OK);
	assert_int_equal(store_mem_sync(s), ERR_OK);
	assert_int_equal(append(s, 2), ERR_OK);
	store_mem_wipe(s);
	assert_int_equal(store_mem_sync(s), ERR_OK);
	assert_int_equal(prefix(s), 0);
	store_usage(s, &usage);
	assert_int_equal(usage.bytes, 0);
}

/* Family, key and every bit of payload and check count. */
static void a_check_covers_family_key_and_payload(void **state)
{
	uint8_t stored[40 + RECORD_CHECK_BYTES];
	struct bytes payload, all = {stored, sizeof(stored)};
	(void)state;
	memset(stored, 7, sizeof(stored));
	record_check(STORE_OBJECTS, BYTES("key"), bytes_of(stored, 40), stored + 40);
	assert_true(record_open(STORE_OBJECTS, BYTES("key"), all, &payload));
	assert_int_equal(payload.len, 40);
	assert_false(record_open(STORE_AGES, BYTES("key"), all, &payload));
	assert_false(record_open(STORE_OBJECTS, BYTES("kez"), all, &payload));
	assert_false(record_open(STORE_OBJECTS, BYTES("key0"), all, &payload));
	for (size_t bit = 0; bit < sizeof(stored) * 8; bit++) {
		stored[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(record_open(STORE_OBJECTS, BYTES("key"), all, &payload));
		assert_null(payload.data);
		stored[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t len = 0; len < sizeof(stored); len++)
		assert_false(record_open(STORE_OBJECTS, BYTES("key"), bytes_of(stored, len), &payload));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_synced_is_not_seen),
		TEST(a_crash_keeps_whole_batches_of_the_kept_bytes),
		TEST(a_failed_sync_lasts_until_a_crash),
		TEST(rot_hits_one_record_and_not_its_copies),
		TEST(a_full_disk_takes_nothing_and_failing_reads_are_counted),
		TEST(a_wiped_store_is_empty),
		cmocka_unit_test(a_check_covers_family_key_and_payload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
