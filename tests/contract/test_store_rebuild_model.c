/* test_store_rebuild_model.c - S1, S2 and S4 on the real engine: writes, deletes, scans, restarts and
 * kills while a damaged family is rebuilt, against a naive truth. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "store_rot.h"

#define GONE 0U
#define UNKNOWN UINT32_MAX

/* The version that each record has; of what was damaged, and was not written since, nothing is
 * known. */
struct model {
	struct rot_bench *b;
	uint32_t version[ROT_RECORDS];
	uint32_t next, running; /* where a scan is; steps with a rebuild running */
};

static void model_write(struct model *m, struct store *s, struct prng *p, uint32_t version)
{
	uint8_t keys[8][20], values[8][200];
	struct store_op ops[8];
	struct store_batch batch = {ops, 1 + (uint32_t)prng_below(p, 8)};
	for (uint32_t n = 0; n < batch.count; n++) {
		uint32_t i = (uint32_t)prng_below(p, ROT_RECORDS);
		bool deletes = prng_one_in(p, 2);
		m->version[i] = deletes ? GONE : version;
		ops[n] = (struct store_op){STORE_OBJECTS, rot_key(i, keys[n]),
		                           deletes ? BYTES_EMPTY : rot_value(i, version, values[n])};
	}
	assert_int_equal(store_write(s, &batch, 1), ERR_OK);
}

static void model_read(const struct model *m, struct store *s, uint32_t i)
{
	enum err e = rot_get(s, STORE_OBJECTS, i, m->version[i]);
	bool missing = e == ERR_NOT_FOUND || e == ERR_CORRUPT;
	if (m->version[i] == GONE || m->version[i] == UNKNOWN ? !missing : e != ERR_OK)
		fail_msg("record %u of version %u: %s", i, m->version[i], err_name(e));
}

/* Nothing is passed over that is there, and nothing is there that is not. */
static bool model_next(void *context, const struct store_record *r)
{
	struct model *m = context;
	uint8_t value[200];
	if (r->damaged) return true; /* where the records are that are passed over below */
	uint32_t i = get_u32be(r->key.data + 16);
	assert_true(i < ROT_RECORDS && i >= m->next && m->version[i] != GONE);
	assert_true(m->version[i] != UNKNOWN);
	assert_true(bytes_equal(r->value, rot_value(i, m->version[i], value)));
	m->next = i + 1;
	return true;
}

static void model_scan(struct model *m, struct store *s)
{
	bool done;
	m->next = 0;
	assert_int_equal(store_scan(s, STORE_OBJECTS, BYTES_EMPTY, BYTES_EMPTY, model_next, m, &done),
	                 ERR_OK);
	assert_true(done);
}

static void model_check(const struct model *m, struct store *s)
{
	for (uint32_t i = 0; i < ROT_RECORDS; i++) model_read(m, s, i);
}

static void model_start(struct model *m, struct rot_bench *b, uint64_t seed)
{
	char dir[96], hit[ROT_NAMES_MAX][192];
	*m = (struct model){.b = b};
	snprintf(dir, sizeof(dir), "%s/%u", b->root, (unsigned)seed);
	bench_shell("cp -r '%s' '%s'", b->dir, dir);
	prng_seed(&b->p, seed);
	rot_bits(b, dir, false, 0, 950, hit);
	rot_read_copy(dir, STORE_OBJECTS, b->readable);
	for (uint32_t i = 0; i < ROT_RECORDS; i++)
		m->version[i] = b->readable[i] ? rot_version(i) : UNKNOWN;
}

/* With records cached, few of them cached, or none. */
static struct store *model_open(const char *dir, uint64_t seed)
{
	static const size_t records[] = {0, KIB(64), STORE_RECORD_CACHE_OFF};
	return rot_open_with(dir, ROT_SLOW, records[seed % 3], 0);
}

static uint32_t model_run(struct rot_bench *b, uint64_t seed)
{
	static struct model m;
	char dir[96];
	struct prng p;
	model_start(&m, b, seed);
	prng_seed(&p, seed);
	snprintf(dir, sizeof(dir), "%s/%u", b->root, (unsigned)seed);
	struct store *s = model_open(dir, seed);
	model_check(&m, s);
	for (uint32_t step = 0; step < 3000; step++) {
		uint64_t what = prng_below(&p, 100);
		struct store_usage u = rot_usage(s);
		if (u.rebuilding > 0) m.running++;
		if (u.rebuilds > 0 && u.rebuilding == 0) break;
		if (what < 60)
			model_write(&m, s, &p, 10 + step);
		else if (what < 97)
			model_read(&m, s, (uint32_t)prng_below(&p, ROT_RECORDS));
		else
			model_scan(&m, s);
		if (prng_one_in(&p, 1000)) {
			store_close(s);
			s = model_open(dir, seed);
		}
	}
	model_check(&m, s);
	/* One that ended while the store was closed is not counted any more. */
	if (rot_usage(s).rebuilding > 0) rot_wait_rebuilt(s, 1);
	model_check(&m, s);
	model_scan(&m, s);
	store_close(s);
	s = rot_open(dir, ROT_FAST);
	model_check(&m, s);
	store_close(s);
	bench_remove(dir);
	return m.running;
}

static void writes_and_deletes_during_a_rebuild_agree_with_a_naive_truth(void **state)
{
	struct rot_bench *b = *state;
	uint32_t running = 0;
	rot_make_layers(b->dir, STORE_OBJECTS);
	for (uint64_t seed = 1; seed <= 5; seed++) running += model_run(b, seed);
	print_message("steps with a rebuild running: %u\n", running);
	assert_true(running > 1000);
}

/* ---- kill -9 ------------------------------------------------------------------------------- */

/* The child: rewrites and deletes records in turn, for ever, and says which were committed. */
static int write_for_ever(const char *dir, uint32_t first)
{
	struct store *s = rot_open(dir, ROT_SLOW);
	bool readable[ROT_RECORDS];
	if (first == 1) rot_read_all(s, STORE_OBJECTS, readable); /* meets the damage */
	for (uint32_t n = first;; n++) {
		uint8_t key[20], value[200];
		uint32_t i = n * 7919 % ROT_RECORDS;
		struct bytes to = n % 3 == 0 ? BYTES_EMPTY : rot_value(i, 1000 + n, value);
		if (bench_put(s, STORE_OBJECTS, rot_key(i, key), to) != ERR_OK) return 1;
		if (write(STDOUT_FILENO, &n, sizeof(n)) != sizeof(n)) return 1;
	}
}

static pid_t start_writer(const char *dir, uint32_t first, int *from)
{
	int ends[2];
	char number[16];
	snprintf(number, sizeof(number), "%u", first);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl("/proc/self/exe", "test_store_rebuild_model", "write", dir, number, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	*from = ends[0];
	return child;
}

static void note_commit(struct model *m, uint32_t n)
{
	m->version[n * 7919 % ROT_RECORDS] = n % 3 == 0 ? GONE : 1000 + n;
}

/* Lets it write, kills it; gives the last number that was committed. */
static uint32_t write_and_kill(struct model *m, const char *dir, uint32_t first, uint64_t groups)
{
	int from, status;
	uint32_t n, last = first - 1;
	pid_t child = start_writer(dir, first, &from);
	for (; groups > 0; groups--, last = n) {
		assert_int_equal(read(from, &n, sizeof(n)), sizeof(n));
		note_commit(m, n);
	}
	kill(child, SIGKILL);
	for (; read(from, &n, sizeof(n)) == sizeof(n); last = n) note_commit(m, n);
	close(from);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	return last;
}

/* The write that was under way may have been done or not: do it again. */
static void settle(struct model *m, struct store *s, uint32_t n)
{
	uint8_t key[20], value[200];
	uint32_t i = n * 7919 % ROT_RECORDS;
	struct bytes to = n % 3 == 0 ? BYTES_EMPTY : rot_value(i, 1000 + n, value);
	assert_int_equal(bench_put(s, STORE_OBJECTS, rot_key(i, key), to), ERR_OK);
	note_commit(m, n);
}

static void a_kill_during_a_rebuild_loses_nothing_that_was_acknowledged(void **state)
{
	static struct model m;
	struct rot_bench *b = *state;
	char dir[96];
	uint32_t last = 0, running = 0;
	rot_make_layers(b->dir, STORE_OBJECTS);
	snprintf(dir, sizeof(dir), "%s/5", b->root);
	model_start(&m, b, 5);
	for (int round = 0; round < 6; round++) {
		last = write_and_kill(&m, dir, last + 1, 1 + prng_below(&b->p, 300));
		struct store *s = rot_open(dir, ROT_SLOW);
		running += rot_usage(s).rebuilding;
		settle(&m, s, ++last);
		model_check(&m, s);
		model_scan(&m, s);
		store_close(s);
	}
	assert_true(running > 0); /* else nothing was tested */
	struct store *s = rot_open(dir, ROT_FAST);
	if (rot_usage(s).rebuilding > 0) rot_wait_rebuilt(s, 1);
	model_check(&m, s);
	model_scan(&m, s);
	store_close(s);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, rot_setup, rot_teardown)

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		return write_for_ever(argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	const struct CMUnitTest tests[] = {
		TEST(writes_and_deletes_during_a_rebuild_agree_with_a_naive_truth),
		TEST(a_kill_during_a_rebuild_loses_nothing_that_was_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
