/* test_store_crash.c - S1, S2, S3 and S6 on the real engine: processes that are killed, and power
 * that fails between a write and its fdatasync.
 *
 * This program has its own fdatasync, which the engine's library finds before the C library's. So a
 * test knows which bytes of each log were synced, and can cut the rest off, or put rubble in its
 * place; can let a sync fail; and can look at the store in the middle of one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "store_bench.h"

/* ---- our fdatasync ------------------------------------------------------------------------- */

#define LOGS_KNOWN_MAX 256

/* How much of which log is known to be on the disk. */
struct synced {
	char name[32];
	off_t len;
};

struct synced_list {
	struct synced logs[LOGS_KNOWN_MAX];
	uint32_t count;
};

/* The power fails at a sync: the store's directory is copied as it is just before. */
struct snapshot {
	char from[96], to[96];
	bool wanted, taken;
	struct synced_list synced;
};

static struct {
	pthread_mutex_t lock;
	uint32_t log_syncs;
	bool fail;
	bool hold; /* stop in the next sync of a log until `go` */
	sem_t held, go;
	struct synced_list synced;
	struct snapshot snapshot;
} power = {.lock = PTHREAD_MUTEX_INITIALIZER};

int fdatasync(int fd);

static bool is_log(int fd, char name[32])
{
	char link[64], path[512] = {0};
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0) return false;
	const char *base = strrchr(path, '/');
	size_t len = base == NULL ? 0 : strlen(base + 1);
	if (len < 5 || len > 31 || strcmp(base + 1 + len - 4, ".log") != 0) return false;
	strcpy(name, base + 1);
	return true;
}

static off_t *synced_of(struct synced_list *list, const char *name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (strcmp(list->logs[i].name, name) == 0) return &list->logs[i].len;
	if (list->count == LOGS_KNOWN_MAX) abort();
	struct synced *added = &list->logs[list->count++];
	strcpy(added->name, name);
	added->len = 0;
	return &added->len;
}

/* In the engine's thread: a failure must not leave by a failed assertion. */
static void take_snapshot(struct snapshot *s)
{
	char command[256];
	snprintf(command, sizeof(command), "cp -r '%s' '%s'", s->from, s->to);
	s->wanted = false;
	s->synced = power.synced;
	s->taken = system(command) == 0;
}

int fdatasync(int fd)
{
	char name[32];
	if (!is_log(fd, name)) return (int)syscall(SYS_fdatasync, fd);
	pthread_mutex_lock(&power.lock);
	power.log_syncs++;
	bool hold = power.hold, fail = power.fail;
	power.hold = false;
	if (power.snapshot.wanted) take_snapshot(&power.snapshot);
	pthread_mutex_unlock(&power.lock);
	if (hold) {
		sem_post(&power.held);
		while (sem_wait(&power.go) != 0) {
		}
	}
	if (fail) {
		errno = EIO;
		return -1;
	}
	int result = (int)syscall(SYS_fdatasync, fd);
	struct stat st;
	pthread_mutex_lock(&power.lock);
	if (result == 0 && fstat(fd, &st) == 0) *synced_of(&power.synced, name) = st.st_size;
	pthread_mutex_unlock(&power.lock);
	return result;
}

/* ---- numbered groups ----------------------------------------------------------------------- */

/* Group n: three batches that write n into three families, one of them large now and then. */
static enum err write_group(struct store *s, uint32_t n)
{
	static uint8_t large[60000];
	uint8_t key[4];
	put_u32be(key, n);
	memset(large, (int)n, sizeof(large));
	struct bytes k = bytes_of(key, 4), v = bytes_of(large, n % 7 == 3 ? sizeof(large) : 40);
	struct store_op first[] = {{STORE_OBJECTS, k, v}, {STORE_AGES, k, BYTES("")}};
	struct store_op second[] = {{STORE_HINTS, k, v}, {STORE_META, BYTES("last"), k}};
	struct store_batch group[] = {{first, 2}, {second, 2}};
	return store_write(s, group, 2);
}

static bool has_group(struct store *s, uint32_t n, enum store_family family)
{
	uint8_t key[4];
	static uint8_t found[60000];
	size_t len = 0;
	put_u32be(key, n);
	enum err e = bench_get(s, family, bytes_of(key, 4), found, sizeof(found), &len);
	assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
	if (e == ERR_OK && len > 0) assert_int_equal(found[len - 1], (uint8_t)n);
	return e == ERR_OK;
}

/* Groups 1..n are there whole and none behind them; gives n. */
static uint32_t check_prefix(struct store *s)
{
	uint8_t key[4] = {0};
	size_t len;
	enum err e = bench_get(s, STORE_META, BYTES("last"), key, 4, &len);
	uint32_t last = e == ERR_OK ? get_u32be(key) : 0;
	for (uint32_t n = 1; n <= last; n++)
		for (unsigned f = STORE_OBJECTS; f <= STORE_HINTS; f++)
			assert_true(has_group(s, n, (enum store_family)f));
	for (uint32_t n = last + 1; n < last + 20; n++)
		for (unsigned f = STORE_OBJECTS; f <= STORE_HINTS; f++)
			assert_false(has_group(s, n, (enum store_family)f));
	return last;
}

/* Small buffers, so that logs are closed and tables written all the time. */
static struct store *open_small(const char *dir)
{
	char why[512];
	struct store *s;
	struct store_rocksdb_config config = {.reserve_bytes = 1, .buffer_bytes = KIB(512)};
	if (store_rocksdb_open(dir, &config, &s, why, sizeof(why)) != ERR_OK) fail_msg("%s", why);
	return s;
}

/* ---- kill -9 ------------------------------------------------------------------------------- */

/* The child: writes groups from `first` on for ever, and says so when one is committed. */
static int write_for_ever(const char *dir, uint32_t first)
{
	struct store *s = open_small(dir);
	for (uint32_t n = first;; n++) {
		if (write_group(s, n) != ERR_OK) return 1;
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
		execl("/proc/self/exe", "test_store_crash", "write", dir, number, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	*from = ends[0];
	return child;
}

static void a_killed_process_loses_nothing_that_was_acknowledged(void **state)
{
	char root[64], dir[96];
	struct prng p;
	uint32_t last = 0;
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	prng_seed(&p, 11);
	for (int round = 0; round < 8; round++) {
		int from;
		uint32_t acked = last, n;
		pid_t child = start_writer(dir, last + 1, &from);
		for (uint64_t wait = 1 + prng_below(&p, 60); wait > 0; wait--) {
			assert_int_equal(read(from, &n, sizeof(n)), sizeof(n));
			acked = n;
		}
		usleep((useconds_t)prng_below(&p, 3000));
		kill(child, SIGKILL);
		while (read(from, &n, sizeof(n)) == sizeof(n)) acked = n;
		close(from);
		int status;
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		struct store *s = open_small(dir);
		last = check_prefix(s);
		assert_true(last >= acked && last <= acked + 1);
		store_close(s);
	}
	assert_true(last > 50);
	bench_remove(root);
}

/* ---- power --------------------------------------------------------------------------------- */

enum rubble { NOTHING, ZEROES, NOISE, PART, RUBBLES };

/* In the copy, each log keeps what was synced; behind it comes what a disk may leave there. */
static void lose_unsynced(const char *dir, enum rubble rubble, struct prng *p)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/rocksdb", dir);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t len = strlen(e->d_name);
		struct stat st;
		uint8_t tail[5000] = {0};
		if (len < 5 || strcmp(e->d_name + len - 4, ".log") != 0) continue;
		int fd = openat(dirfd(d), e->d_name, O_RDWR);
		assert_true(fd >= 0 && fstat(fd, &st) == 0);
		off_t synced = *synced_of(&power.snapshot.synced, e->d_name),
			  unsynced = st.st_size - synced;
		assert_true(unsynced >= 0);
		off_t part = rubble == PART ? (off_t)prng_below(p, (uint64_t)unsynced + 1) : 0;
		assert_int_equal(ftruncate(fd, synced + part), 0);
		for (size_t i = 0; rubble == NOISE && i < sizeof(tail); i++)
			tail[i] = (uint8_t)prng_next(p);
		if ((rubble == ZEROES || rubble == NOISE) && unsynced > 0)
			assert_int_equal(pwrite(fd, tail, sizeof(tail), synced), sizeof(tail));
		close(fd);
	}
	closedir(d);
}

/* The power fails during the sync of group n, which was written but not acknowledged. */
static void power_fails_at(struct store *s, const char *root, uint32_t n, enum rubble rubble,
                           struct prng *p)
{
	power.snapshot.wanted = true;
	power.snapshot.taken = false;
	snprintf(power.snapshot.from, sizeof(power.snapshot.from), "%s/d", root);
	snprintf(power.snapshot.to, sizeof(power.snapshot.to), "%s/lost", root);
	assert_int_equal(write_group(s, n), ERR_OK);
	assert_true(power.snapshot.taken); /* our fdatasync was called for it */
	lose_unsynced(power.snapshot.to, rubble, p);
}

/* With the default buffers nothing goes on in the background: a directory can be copied whole while
 * it is in use. */
static void acknowledged_writes_survive_the_loss_of_all_that_was_not_synced(void **state)
{
	char root[64], dir[96], lost[96];
	struct prng p;
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	snprintf(lost, sizeof(lost), "%s/lost", root);
	prng_seed(&p, 5);
	power.synced.count = 0;
	struct store *s = bench_open(dir);
	for (uint32_t n = 1; n <= 60; n++) {
		if (n % 3 != 0) {
			uint32_t syncs = power.log_syncs;
			assert_int_equal(write_group(s, n), ERR_OK);
			assert_true(power.log_syncs > syncs); /* no acknowledgement without a sync */
			continue;
		}
		if (n % 21 == 0) { /* new tables, and a new log */
			store_close(s);
			s = bench_open(dir);
		}
		power_fails_at(s, root, n, (enum rubble)(n / 3 % RUBBLES), &p);
		struct store *survivor = bench_open(lost);
		uint32_t last = check_prefix(survivor);
		assert_true(last == n - 1 || (last == n && n / 3 % RUBBLES == PART));
		store_close(survivor);
		bench_remove(lost);
	}
	assert_int_equal(check_prefix(s), 60);
	store_close(s);
	bench_remove(root);
}

/* ---- failing and slow syncs ---------------------------------------------------------------- */

static void after_a_failed_sync_nothing_is_acknowledged(void **state)
{
	char root[64], dir[96];
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	struct store *s = open_small(dir);
	for (uint32_t n = 1; n <= 5; n++) assert_int_equal(write_group(s, n), ERR_OK);
	power.fail = true;
	assert_int_equal(write_group(s, 6), ERR_STORE);
	power.fail = false;
	for (uint32_t n = 7; n <= 9; n++) assert_int_equal(write_group(s, n), ERR_STORE);
	assert_int_equal(check_prefix(s), 5); /* reads go on, and see what is durable */
	struct store_usage usage;
	store_usage(s, &usage);
	assert_true(usage.read_only);
	store_close(s);
	s = open_small(dir);
	uint32_t last = check_prefix(s);
	assert_true(last == 5 || last == 6); /* group 6 is unknown; those after it never happened */
	assert_int_equal(write_group(s, last + 1), ERR_OK);
	store_close(s);
	bench_remove(root);
}

static void *write_one(void *context)
{
	return write_group(context, 1) == ERR_OK ? NULL : context;
}

static void nobody_sees_a_write_before_its_sync(void **state)
{
	char root[64], dir[96];
	pthread_t writer;
	void *failed;
	(void)state;
	bench_directory(root);
	snprintf(dir, sizeof(dir), "%s/d", root);
	struct store *s = open_small(dir);
	power.hold = true;
	assert_int_equal(pthread_create(&writer, NULL, write_one, s), 0);
	while (sem_wait(&power.held) != 0) {
	}
	uint32_t during = check_prefix(s);
	sem_post(&power.go);
	pthread_join(writer, &failed);
	assert_null(failed);
	assert_int_equal(during, 0);
	assert_int_equal(check_prefix(s), 1);
	store_close(s);
	bench_remove(root);
}

int main(int argc, char **argv)
{
	sem_init(&power.held, 0, 0);
	sem_init(&power.go, 0, 0);
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		return write_for_ever(argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_process_loses_nothing_that_was_acknowledged),
		cmocka_unit_test(acknowledged_writes_survive_the_loss_of_all_that_was_not_synced),
		cmocka_unit_test(after_a_failed_sync_nothing_is_acknowledged),
		cmocka_unit_test(nobody_sees_a_write_before_its_sync),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
