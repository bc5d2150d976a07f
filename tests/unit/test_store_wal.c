/* test_store_wal.c - what is done to a log with damage in it, byte by byte. The logs are built here,
 * from the format's description, so that the reader is not held against itself; that the engine's
 * own logs are read alike is tested in tests/contract. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "store/wal.h"

#include <cmocka.h>

#define BLOCK 32768U

struct made {
	char dir[64];
	uint8_t *data;
	size_t len, room;
	uint64_t sequence;
	size_t ends[64]; /* of each group */
	uint32_t groups;
};

/* ---- making logs --------------------------------------------------------------------------- */

/* CRC-32C bit by bit. */
static uint32_t crc32c(const uint8_t *data, size_t len)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
	}
	return ~crc;
}

static void put_le(uint8_t *to, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(v >> 8 * i);
}

static void add_fragment(struct made *m, uint8_t type, const uint8_t *data, size_t len)
{
	uint8_t *at = m->data + m->len;
	at[6] = type;
	if (len > 0) memcpy(at + 7, data, len);
	uint32_t crc = crc32c(at + 6, 1 + len);
	put_le(at, (crc >> 15 | crc << 17) + 0xa282ead8U, 4);
	put_le(at + 4, len, 2);
	m->len += 7 + len;
	assert_true(m->len <= m->room);
}

/* One group of `len` bytes, at least 12. */
static void add_group(struct made *m, size_t len)
{
	uint8_t *group = malloc(len);
	assert_non_null(group);
	memset(group, 'x', len);
	put_le(group, m->sequence, 8);
	put_le(group + 8, 3, 4);
	m->sequence += 3;
	for (size_t at = 0, first = 1; first || at < len; first = 0) {
		size_t left = BLOCK - m->len % BLOCK;
		if (left < 7) {
			memset(m->data + m->len, 0, left);
			m->len += left;
			left = BLOCK;
		}
		size_t part = len - at < left - 7 ? len - at : left - 7;
		bool last = at + part == len;
		add_fragment(m, (uint8_t)(first ? (last ? 1 : 2) : (last ? 4 : 3)), group + at, part);
		at += part;
	}
	m->ends[m->groups++] = m->len;
	free(group);
}

static void log_path(const struct made *m, int number, char path[96])
{
	snprintf(path, 96, "%s/%06d.log", m->dir, number);
}

static void store_log(const struct made *m, int number, const uint8_t *data, size_t len)
{
	char path[96];
	log_path(m, number, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static size_t stored_len(const struct made *m, int number)
{
	char path[96];
	struct stat st;
	log_path(m, number, path);
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static int setup(void **state)
{
	struct made *m = calloc(1, sizeof(*m));
	assert_non_null(m);
	strcpy(m->dir, "/tmp/dunlin-wal-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	m->room = 8 * BLOCK;
	m->data = calloc(1, m->room);
	m->sequence = 1000;
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct made *m = *state;
	char path[96];
	for (int number = 0; number < 10; number++) {
		log_path(m, number, path);
		unlink(path);
	}
	assert_int_equal(rmdir(m->dir), 0);
	free(m->data);
	free(m);
	return 0;
}

/* Groups of every kind of place: small, across a block's end, larger than a block, and one whose
 * first fragment has no room for a byte. */
static void add_all_kinds(struct made *m)
{
	add_group(m, 12);
	add_group(m, 100);
	add_group(m, BLOCK);
	add_group(m, 2 * BLOCK + 5);
	add_group(m, BLOCK - m->len % BLOCK - 14); /* leaves 7 bytes: a header and nothing */
	add_group(m, 50);
	add_group(m, BLOCK - m->len % BLOCK - 7 - 3); /* leaves 3: a trailer */
	add_group(m, 40);
	add_group(m, 30);
}

/* Within `near` bytes of the end of a group or of a block? Those are visited one by one. */
static bool near_a_seam(const struct made *m, size_t at, size_t near)
{
	for (uint32_t i = 0; i < m->groups; i++)
		if (at < m->ends[i] + near && m->ends[i] < at + near) return true;
	return at % BLOCK < near || at % BLOCK > BLOCK - near;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void an_intact_log_is_left_alone(void **state)
{
	struct made *m = *state;
	char why[256];
	assert_true(wal_mend("/nowhere", why, sizeof(why)));
	assert_true(wal_mend(m->dir, why, sizeof(why)));
	add_all_kinds(m);
	store_log(m, 4, m->data, m->len);
	store_log(m, 5, m->data, 0);
	assert_true(wal_mend(m->dir, why, sizeof(why)));
	assert_string_equal(why, "");
	assert_int_equal(stored_len(m, 4), m->len);
}

/* The group that the first `len` bytes end in the middle of, or behind. */
static size_t whole_groups(const struct made *m, size_t len)
{
	size_t end = 0;
	for (uint32_t i = 0; i < m->groups && m->ends[i] <= len; i++) end = m->ends[i];
	return end;
}

static void a_log_cut_anywhere_keeps_its_whole_groups(void **state)
{
	struct made *m = *state;
	char why[256];
	add_all_kinds(m);
	for (size_t len = 0; len <= m->len; len += near_a_seam(m, len, 20) ? 1 : 997) {
		store_log(m, 4, m->data, len);
		assert_true(wal_mend(m->dir, why, sizeof(why)));
		size_t kept = stored_len(m, 4), whole = whole_groups(m, len);
		/* Zeroes at a block's end may stay. */
		assert_true(kept == whole || (kept == len && len - whole < 7));
	}
}

/* Flip one bit of each byte in turn: in the last group that is a torn tail, before it a refusal. */
static void damage_before_an_intact_group_is_refused_and_in_the_last_is_cut(void **state)
{
	struct made *m = *state;
	char why[256];
	add_all_kinds(m);
	size_t last = m->ends[m->groups - 2];
	uint32_t refused = 0, cut = 0;
	for (size_t at = 0; at < m->len; at += near_a_seam(m, at, 60) ? 1 : 89) {
		bool trailer = BLOCK - at % BLOCK < 4 && m->ends[6] + 3 > at && at >= m->ends[6];
		m->data[at] ^= (uint8_t)(1U << at % 8);
		store_log(m, 4, m->data, m->len);
		m->data[at] ^= (uint8_t)(1U << at % 8);
		bool ok = wal_mend(m->dir, why, sizeof(why));
		if (trailer)
			assert_int_equal(stored_len(m, 4), m->len);
		else if (at >= last)
			assert_true(ok && stored_len(m, 4) == last);
		else
			assert_false(ok);
		if (!ok) assert_non_null(strstr(why, "damaged at byte"));
		refused += !ok;
		cut += ok && !trailer;
	}
	assert_true(refused > 500 && cut > 30);
}

static void zeroes_in_the_middle_are_not_skipped(void **state)
{
	struct made *m = *state;
	char why[256];
	for (int i = 0; i < 30; i++) add_group(m, 5000);
	memset(m->data + BLOCK, 0, BLOCK); /* a whole block that never reached the disk */
	store_log(m, 4, m->data, m->len);
	assert_false(wal_mend(m->dir, why, sizeof(why)));
	memset(m->data + BLOCK, 0, m->len - BLOCK); /* all of the rest: that is a tail */
	store_log(m, 4, m->data, m->len);
	assert_true(wal_mend(m->dir, why, sizeof(why)));
	assert_int_equal(stored_len(m, 4), whole_groups(m, BLOCK));
	assert_non_null(strstr(why, "dropped"));
}

static void damage_at_the_end_of_an_older_log_is_judged_by_the_next(void **state)
{
	struct made *m = *state;
	char why[256];
	for (int i = 0; i < 4; i++) add_group(m, 100);
	size_t half = m->ends[1];
	/* Groups 0 and 1 in one log, 2 and 3 in the next. Group 1 damaged: 2 is proof that it was. */
	m->data[half - 10] ^= 1;
	store_log(m, 4, m->data, half);
	store_log(m, 5, m->data + half, m->len - half);
	assert_false(wal_mend(m->dir, why, sizeof(why)));
	m->data[half - 10] ^= 1;
	/* A torn group 2 behind them, and then group 2 as it was written again: nothing is missing. */
	store_log(m, 4, m->data, half + 50);
	store_log(m, 5, m->data + half, m->len - half);
	assert_true(wal_mend(m->dir, why, sizeof(why)));
	assert_int_equal(stored_len(m, 4), half);
	assert_int_equal(stored_len(m, 5), m->len - half);
}

static void a_clients_value_that_looks_like_a_log_is_no_proof(void **state)
{
	struct made *m = *state, inner = {0};
	char why[256];
	inner.room = BLOCK;
	inner.data = calloc(1, BLOCK);
	inner.sequence = 5; /* not a number that could follow */
	add_group(&inner, 60);
	for (int i = 0; i < 3; i++) add_group(m, 300);
	memcpy(m->data + m->ends[1] + 60, inner.data, inner.len); /* and the check no longer holds */
	store_log(m, 4, m->data, m->len);
	free(inner.data);
	assert_true(wal_mend(m->dir, why, sizeof(why)));
	assert_int_equal(stored_len(m, 4), m->ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_intact_log_is_left_alone),
		TEST(a_log_cut_anywhere_keeps_its_whole_groups),
		TEST(damage_before_an_intact_group_is_refused_and_in_the_last_is_cut),
		TEST(zeroes_in_the_middle_are_not_skipped),
		TEST(damage_at_the_end_of_an_older_log_is_judged_by_the_next),
		TEST(a_clients_value_that_looks_like_a_log_is_no_proof),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
