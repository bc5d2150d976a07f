/* test_store_damage.c - S4 and S5 on the real engine's files: rotten blocks, lost files, damaged
 * logs, foreign directories, a disk that is really full. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "store_rot.h"

/* In one block of a table file. */
#define BLOCK_RECORDS_MAX 40

static struct store *try_open(const char *dir, uint64_t reserve, char why[512])
{
	struct store *s;
	/* A rebuild stands still: here it is seen what damage is without one (test_store_rebuild.c), and
	 * what the disk has, not memory. */
	struct store_rocksdb_config config = {.reserve_bytes = reserve,
	                                      .buffer_bytes = KIB(512),
	                                      .rebuild_bytes_per_s = 1,
	                                      .record_bytes = STORE_RECORD_CACHE_OFF};
	enum err e = store_rocksdb_open(dir, &config, &s, why, 512);
	assert_true((e == ERR_OK) == (s != NULL));
	assert_true(e == ERR_OK || strlen(why) > 0);
	return s;
}

static struct store *must_open(const char *dir)
{
	char why[512];
	struct store *s = try_open(dir, 1, why);
	if (s == NULL) fail_msg("%s", why);
	return s;
}

static void write_record(struct store *s, uint32_t i, uint32_t version)
{
	uint8_t key[20], value[200];
	assert_int_equal(bench_put(s, STORE_OBJECTS, rot_key(i, key), rot_value(i, version, value)),
	                 ERR_OK);
}

static void write_all(struct store *s, uint32_t version)
{
	for (uint32_t i = 0; i < ROT_RECORDS; i += 50) {
		uint8_t keys[50][20], values[50][200];
		struct store_op ops[50];
		for (uint32_t j = 0; j < 50; j++)
			ops[j] = (struct store_op){STORE_OBJECTS, rot_key(i + j, keys[j]),
			                           rot_value(i + j, version, values[j])};
		struct store_batch batch = {ops, 50};
		assert_int_equal(store_write(s, &batch, 1), ERR_OK);
	}
}

/* A store whose records are all in table files; closed. */
static void make_tables(const char *dir)
{
	struct store *s = must_open(dir);
	for (uint32_t version = 0; version < 3; version++) write_all(s, version);
	store_close(s);
	store_close(must_open(dir)); /* replaying the log writes a table */
}

/* ---- reading past damage ------------------------------------------------------------------- */

struct survey {
	uint8_t found[ROT_RECORDS];
	uint8_t damaged[65536]; /* by the first two bytes of the key */
	uint8_t last[64];
	size_t last_len;
	uint32_t good, bad, version;
	uint32_t room;
};

static bool survey_one(void *context, const struct store_record *r)
{
	struct survey *v = context;
	uint8_t value[200];
	assert_true(bytes_compare(r->key, bytes_of(v->last, v->last_len)) > 0);
	assert_true(r->key.len <= sizeof(v->last));
	memcpy(v->last, r->key.data, r->key.len);
	v->last_len = r->key.len;
	if (r->damaged) {
		assert_int_equal(r->value.len, 0);
		v->damaged[get_u16be(r->key.data)] = 1;
		v->bad++;
		return --v->room > 0;
	}
	uint32_t i = get_u32be(r->key.data + 16);
	assert_true(i < ROT_RECORDS);
	assert_true(bytes_equal(r->value, rot_value(i, v->version, value)));
	v->found[i] = 1;
	v->good++;
	return --v->room > 0;
}

/* Scan it all, in pages of `page` records: what is not found lies where damage was reported, and
 * reading it says so too. */
static void survey(struct store *s, struct survey *v, uint32_t page, uint32_t version)
{
	uint8_t key[20], found[200], value[200];
	bool done = false;
	size_t len;
	*v = (struct survey){.version = version};
	while (!done) {
		uint8_t after[64];
		size_t after_len = v->last_len;
		memcpy(after, v->last, after_len);
		v->room = page;
		assert_int_equal(store_scan(s, STORE_OBJECTS, bytes_of(after, after_len), BYTES_EMPTY,
		                            survey_one, v, &done),
		                 ERR_OK);
	}
	for (uint32_t i = 0; i < ROT_RECORDS; i++) {
		enum err e = bench_get(s, STORE_OBJECTS, rot_key(i, key), found, sizeof(found), &len);
		if (v->found[i]) continue;
		/* A read may find what a scan cannot: it goes past a bad file that lies above. */
		if (e == ERR_OK)
			assert_true(bytes_equal(bytes_of(found, len), rot_value(i, version, value)));
		else if (e != ERR_CORRUPT)
			fail_msg("record %u: %s", i, err_name(e));
		assert_true(v->damaged[get_u16be(key)]);
	}
}

/* Flip bits in one of the files; how many records that may cost. A single bit among the data, behind
 * the first block, costs its block; the engine's index or a file's first block cost a file. How the
 * records lie in files is up to when the engine compacted, so a round cannot be chosen by place. */
static uint32_t rot_somewhere(const char *dir, struct prng *p, bool one_block)
{
	char names[ROT_NAMES_MAX][192];
	uint32_t count = rot_large_files(dir, names);
	assert_true(count > 0);
	const char *name = names[prng_below(p, count)];
	uint64_t len = (uint64_t)rot_length(name);
	for (uint64_t flips = one_block ? 1 : prng_below(p, 4) + 1; flips > 0; flips--) {
		uint64_t at = one_block ? len / 4 + prng_below(p, len / 2) : prng_below(p, len);
		rot_flip(name, (off_t)at, (uint8_t)(1U << prng_below(p, 8)));
	}
	return one_block ? BLOCK_RECORDS_MAX : ROT_RECORDS;
}

static void rotten_tables_never_give_wrong_bytes_and_cost_only_their_range(void **state)
{
	char root[64], dir[96];
	struct survey v;
	struct prng p;
	uint64_t lost = 0;
	(void)state;
	prng_seed(&p, 21);
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	make_tables(dir);
	struct store *s = must_open(dir);
	survey(s, &v, ROT_RECORDS + 1, 2);
	assert_int_equal(v.good, ROT_RECORDS);
	store_close(s);
	for (int round = 0; round < 25; round++) {
		char rotten[96];
		snprintf(rotten, sizeof(rotten), "%s/r", root);
		bench_shell("cp -r '%s' '%s'", dir, rotten);
		uint32_t most = rot_somewhere(rotten, &p, round % 3 == 0);
		s = must_open(rotten);
		survey(s, &v, round % 2 == 0 ? ROT_RECORDS * 100 : 300, 2);
		lost += ROT_RECORDS - v.good;
		assert_true(v.good + most >= ROT_RECORDS);
		assert_true((v.good == ROT_RECORDS) == (v.bad == 0));
		write_record(s, 17, 9); /* writes go on */
		store_close(s);
		bench_remove(rotten);
	}
	print_message("records lost to rot: %lu of %u\n", (unsigned long)lost, 25 * ROT_RECORDS);
	assert_true(lost > 0); /* else nothing was tested */
	bench_remove(root);
}

static void a_lost_table_is_damage_to_its_range(void **state)
{
	char root[64], dir[96], names[32][192];
	struct survey v;
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	make_tables(dir);
	uint32_t count = rot_files(dir, ".sst", names, 32);
	for (uint32_t i = 0; i < count; i++) unlink(names[i]);
	struct store *s = must_open(dir);
	survey(s, &v, ROT_RECORDS * 100, 2);
	assert_int_equal(v.good, 0);
	assert_true(v.bad > 0);
	write_record(s, 5, 9);
	store_close(s);
	bench_remove(root);
}

/* Compactions meet the damage again and again; writes and the reads of what is new go on. */
static void writes_go_on_when_a_compaction_meets_damage(void **state)
{
	char root[64], dir[96], names[32][192];
	uint8_t key[20], value[200];
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	make_tables(dir);
	uint32_t count = rot_files(dir, ".sst", names, 32);
	for (uint32_t i = 0; i < count; i++)
		for (off_t at = 100; at < rot_length(names[i]); at += rot_length(names[i]) / 9)
			rot_flip(names[i], at, 0x10);
	struct store *s = must_open(dir);
	for (uint32_t version = 3; version < 13; version++) write_all(s, version);
	sleep(2); /* let the compactions fail */
	for (uint32_t version = 13; version < 15; version++) write_all(s, version);
	uint32_t readable = 0;
	for (uint32_t i = 0; i < ROT_RECORDS; i++)
		readable += bench_holds(s, STORE_OBJECTS, rot_key(i, key), rot_value(i, 14, value));
	assert_int_equal(readable, ROT_RECORDS); /* the new versions lie above the damage */
	store_close(s);
	bench_remove(root);
}

/* ---- damaged logs -------------------------------------------------------------------------- */

static void a_damaged_log_loses_at_most_its_last_group_or_is_refused(void **state)
{
	char root[64], dir[96], damaged[96], names[8][192], why[512];
	uint8_t key[20], value[200];
	uint32_t refused = 0, cut = 0;
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	snprintf(damaged, sizeof(damaged), "%s/x", root);
	struct store *s = must_open(dir);
	for (uint32_t i = 0; i < 12; i++) write_record(s, i, 1);
	store_close(s);
	assert_int_equal(rot_files(dir, ".log", names, 8), 1);
	off_t len = rot_length(names[0]);
	assert_true(len > 12 * 220);
	for (off_t at = 3; at < len; at += 73) {
		bench_shell("cp -r '%s' '%s'", dir, damaged);
		assert_int_equal(rot_files(damaged, ".log", names, 8), 1);
		rot_flip(names[0], at, 0x04);
		s = try_open(damaged, 1, why);
		refused += s == NULL;
		cut += s != NULL;
		for (uint32_t i = 0; s != NULL && i < 11; i++)
			assert_true(bench_holds(s, STORE_OBJECTS, rot_key(i, key), rot_value(i, 1, value)));
		store_close(s);
		bench_remove(damaged);
	}
	assert_true(refused > 20 && cut > 1);
	bench_remove(root);
}

/* ---- whose directory ----------------------------------------------------------------------- */

static void overwrite(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_directory_of_others_is_refused_with_a_reason(void **state)
{
	char root[64], dir[96], format[128], why[512];
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	snprintf(format, sizeof(format), "%s/FORMAT", dir);
	struct store *s = must_open(dir);
	assert_null(try_open(dir, 1, why));
	assert_non_null(strstr(why, "another process"));
	store_close(s);
	overwrite(format, "dunlin 2\n");
	assert_null(try_open(dir, 1, why));
	assert_non_null(strstr(why, "format 2"));
	const char *bad[] = {"", "dunlin", "dunlin x\n", "dunlin 1", "dunlin -1\n", "riak 1\n"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		overwrite(format, bad[i]);
		assert_null(try_open(dir, 1, why));
		assert_non_null(strstr(why, "not a data directory"));
	}
	unlink(format);
	assert_null(try_open(dir, 1, why));
	assert_non_null(strstr(why, "not a data directory"));
	overwrite(format, "dunlin 1\n");
	store_close(must_open(dir));
	assert_null(try_open("/proc/nothing/here", 1, why));
	bench_remove(root);
}

/* ---- a full disk --------------------------------------------------------------------------- */

static enum err fill(struct store *s, uint32_t *count)
{
	static uint8_t large[100000];
	struct prng p;
	prng_seed(&p, *count);
	for (;; ++*count) {
		uint8_t key[4];
		put_u32be(key, *count);
		for (size_t i = 0; i < sizeof(large); i += 8) put_u64be(large + i, prng_next(&p));
		enum err e = bench_put(s, STORE_HINTS, bytes_of(key, 4), bytes_of(large, sizeof(large)));
		if (e != ERR_OK) return e;
	}
}

static void check_filled(struct store *s, uint32_t count)
{
	static uint8_t found[100000];
	size_t len;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t key[4];
		put_u32be(key, i);
		assert_int_equal(bench_get(s, STORE_HINTS, bytes_of(key, 4), found, sizeof(found), &len),
		                 ERR_OK);
	}
}

static void take_the_rest(const char *path)
{
	static const uint8_t zeroes[4096];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	while (write(fd, zeroes, sizeof(zeroes)) > 0) {
	}
	close(fd);
}

/* In a mount namespace of its own, with a small tmpfs at `root`. */
static void use_a_full_disk(const char *root)
{
	char dir[96], ballast[96], why[512];
	uint32_t count = 0;
	snprintf(dir, sizeof(dir), "%s/d", root);
	snprintf(ballast, sizeof(ballast), "%s/ballast", root);
	struct store *s = try_open(dir, MIB(12), why);
	assert_non_null(s);
	assert_int_equal(fill(s, &count), ERR_FULL); /* the watermark */
	check_filled(s, count);
	uint32_t at_watermark = count;
	store_close(s);
	/* Somebody else takes the rest, to the last byte, while the store is open. */
	s = try_open(dir, 1, why);
	if (s == NULL) fail_msg("%s", why);
	assert_int_equal(fill(s, &count), ERR_FULL);
	assert_true(count > at_watermark);
	take_the_rest(ballast);
	assert_int_equal(bench_put(s, STORE_META, BYTES("k"), BYTES("v")), ERR_FULL);
	check_filled(s, count);
	assert_int_equal(unlink(ballast), 0);
	bench_shell("mount -o remount,size=96m '%s'%s", root, "");
	assert_int_equal(bench_put(s, STORE_META, BYTES("k"), BYTES("v")), ERR_OK); /* at once */
	store_close(s);
	s = must_open(dir);
	check_filled(s, count);
	store_close(s);
}

static void a_full_disk_stops_writes_and_loses_nothing(void **state)
{
	char root[64];
	int status;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: mounting a small disk needs root\n");
		skip();
	}
	bench_directory(root);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		execl("/proc/self/exe", "test_store_damage", "full", root, (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	assert_int_equal(rmdir(root), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no mount namespace or tmpfs to be had here\n");
		skip();
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void in_the_namespace(void **state)
{
	use_a_full_disk(*state);
}

static int run_full(char *root)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", root, "tmpfs", 0, "size=40m") != 0)
		return 77;
	const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(in_the_namespace, root)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "full") == 0) return run_full(argv[2]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotten_tables_never_give_wrong_bytes_and_cost_only_their_range),
		cmocka_unit_test(a_lost_table_is_damage_to_its_range),
		cmocka_unit_test(writes_go_on_when_a_compaction_meets_damage),
		cmocka_unit_test(a_damaged_log_loses_at_most_its_last_group_or_is_refused),
		cmocka_unit_test(a_directory_of_others_is_refused_with_a_reason),
		cmocka_unit_test(a_full_disk_stops_writes_and_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
