/* test_store_contract.c - what store.h promises, asked of both implementations. What only a real
 * disk can do wrong is in test_store_crash.c and test_store_damage.c. */
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>

#include "store_bench.h"

/* How to make a store, and how to bring about what the contract speaks of. */
struct kind {
	const char *name;
	struct store *(*open)(const char *dir);
	/* Close it (or kill it) and open it again. */
	struct store *(*reopen)(struct store *s, const char *dir);
	struct store *(*full)(struct store *s, const char *dir, bool full);
	/* Flip one bit of the stored value. */
	struct store *(*rot)(struct store *s, const char *dir, struct bytes key, uint64_t bit);
	struct store *(*copy)(struct store *s, const char *dir);
	size_t record_bytes; /* of the engine's cache of records; 0: as it comes */
};

struct bench {
	const struct kind *kind;
	struct store *s;
	char root[64], dir[96];
};

/* Of the kind under test. */
static size_t record_bytes;

/* ---- the memory store ---------------------------------------------------------------------- */

static struct store *mem_open(const char *dir)
{
	(void)dir;
	return store_mem_new();
}

static struct store *mem_reopen(struct store *s, const char *dir)
{
	(void)dir;
	store_mem_crash(s, 0);
	return s;
}

static struct store *mem_full(struct store *s, const char *dir, bool full)
{
	(void)dir;
	store_mem_set_full(s, full);
	return s;
}

static struct store *mem_rot(struct store *s, const char *dir, struct bytes key, uint64_t bit)
{
	(void)dir;
	assert_true(store_mem_rot_key(s, STORE_OBJECTS, key, bit));
	return s;
}

static struct store *mem_copy(struct store *s, const char *dir)
{
	assert_int_equal(store_checkpoint(s, dir), ERR_STORE);
	return store_mem_clone(s);
}

static const struct kind memory = {"memory", mem_open, mem_reopen, mem_full, mem_rot, mem_copy, 0};

/* ---- the engine ---------------------------------------------------------------------------- */

static struct store *rocks_open(const char *dir)
{
	return bench_open_with(dir, record_bytes);
}

static struct store *rocks_reopen(struct store *s, const char *dir)
{
	store_close(s);
	return rocks_open(dir);
}

static struct store *rocks_full(struct store *s, const char *dir, bool full)
{
	char why[512];
	struct store_rocksdb_config config = {.reserve_bytes = full ? UINT64_MAX / 2 : 1,
	                                      .record_bytes = record_bytes};
	store_close(s);
	assert_int_equal(store_rocksdb_open(dir, &config, &s, why, sizeof(why)), ERR_OK);
	return s;
}

/* Behind the store's back, with the engine's own checksums right: only ours can find it. */
static void rocks_rewrite(const char *dir, struct bytes from, struct bytes to, uint64_t bit,
                          bool flip)
{
	const char *names[] = {"default", "objects", "ages", "hints", "meta"};
	char path[128], *text = NULL;
	snprintf(path, sizeof(path), "%s/rocksdb", dir);
	rocksdb_options_t *o = rocksdb_options_create();
	const rocksdb_options_t *of[] = {o, o, o, o, o};
	rocksdb_column_family_handle_t *handles[5];
	rocksdb_t *db = rocksdb_open_column_families(o, path, 5, names, of, handles, &text);
	assert_null(text);
	rocksdb_readoptions_t *ro = rocksdb_readoptions_create();
	rocksdb_writeoptions_t *wo = rocksdb_writeoptions_create();
	size_t len;
	char *value =
		rocksdb_get_cf(db, ro, handles[1], (const char *)from.data, from.len, &len, &text);
	assert_non_null(value);
	if (flip) value[bit / 8 % len] = (char)(value[bit / 8 % len] ^ (1 << bit % 8));
	rocksdb_put_cf(db, wo, handles[1], (const char *)to.data, to.len, value, len, &text);
	assert_null(text);
	free(value);
	rocksdb_readoptions_destroy(ro);
	rocksdb_writeoptions_destroy(wo);
	for (int i = 0; i < 5; i++) rocksdb_column_family_handle_destroy(handles[i]);
	rocksdb_close(db);
	rocksdb_options_destroy(o);
}

static struct store *rocks_rot(struct store *s, const char *dir, struct bytes key, uint64_t bit)
{
	store_close(s);
	rocks_rewrite(dir, key, key, bit, true);
	return rocks_open(dir);
}

static struct store *rocks_copy(struct store *s, const char *dir)
{
	char path[128];
	snprintf(path, sizeof(path), "%s-copy", dir);
	assert_int_equal(store_checkpoint(s, path), ERR_OK);
	assert_int_equal(store_checkpoint(s, path), ERR_STORE); /* it exists now */
	return rocks_open(path);
}

#define ROCKSDB(name, records)                                                                     \
	{                                                                                              \
		name, rocks_open, rocks_reopen, rocks_full, rocks_rot, rocks_copy, records                 \
	}
static const struct kind rocksdb = ROCKSDB("rocksdb", 0),
						 uncached = ROCKSDB("rocksdb, no cache of records", STORE_RECORD_CACHE_OFF),
						 tiny = ROCKSDB("rocksdb, a tiny cache of records", KIB(16));

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	b->kind = *state;
	record_bytes = b->kind->record_bytes;
	bench_directory(b->root);
	snprintf(b->dir, sizeof(b->dir), "%s/d", b->root);
	b->s = b->kind->open(b->dir);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	store_close(b->s);
	bench_remove(b->root);
	free(b);
	return 0;
}

static void reopen(struct bench *b)
{
	b->s = b->kind->reopen(b->s, b->dir);
}

/* ---- S3: reading what was written ---------------------------------------------------------- */

static void what_was_written_is_read_back(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("k"), BYTES("v")), ERR_OK);
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("k"), BYTES("v")));
	assert_false(bench_holds(b->s, STORE_OBJECTS, BYTES("kk"), BYTES("v")));
	assert_false(bench_holds(b->s, STORE_HINTS, BYTES("k"), BYTES("v")));
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("k"), BYTES("w")), ERR_OK);
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("k"), BYTES("w")));
	reopen(b);
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("k"), BYTES("w")));
}

static void an_empty_value_is_a_value_and_a_null_one_deletes(void **state)
{
	struct bench *b = *state;
	struct bytes value;
	void *handle;
	assert_int_equal(bench_put(b->s, STORE_AGES, BYTES("k"), BYTES("")), ERR_OK);
	assert_int_equal(store_read(b->s, STORE_AGES, BYTES("k"), false, &value, &handle), ERR_OK);
	assert_int_equal(value.len, 0);
	store_release(handle);
	assert_int_equal(bench_delete(b->s, STORE_AGES, BYTES("k")), ERR_OK);
	assert_int_equal(bench_delete(b->s, STORE_AGES, BYTES("never")), ERR_OK);
	assert_int_equal(store_read(b->s, STORE_AGES, BYTES("k"), false, &value, &handle),
	                 ERR_NOT_FOUND);
	assert_null(handle);
	reopen(b);
	assert_int_equal(store_read(b->s, STORE_AGES, BYTES("k"), false, &value, &handle),
	                 ERR_NOT_FOUND);
}

static void a_value_that_is_held_outlives_its_record(void **state)
{
	struct bench *b = *state;
	struct bytes value;
	void *handle;
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("k"), BYTES("first")), ERR_OK);
	assert_int_equal(store_read(b->s, STORE_OBJECTS, BYTES("k"), false, &value, &handle), ERR_OK);
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("k"), BYTES("second")), ERR_OK);
	assert_int_equal(bench_delete(b->s, STORE_OBJECTS, BYTES("k")), ERR_OK);
	assert_true(bytes_equal(value, BYTES("first")));
	store_release(handle);
}

static void a_cached_read_answers_or_says_busy(void **state)
{
	struct bench *b = *state;
	struct bytes value;
	void *handle;
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("k"), BYTES("v")), ERR_OK);
	assert_int_equal(store_read(b->s, STORE_OBJECTS, BYTES("k"), true, &value, &handle), ERR_OK);
	assert_true(bytes_equal(value, BYTES("v")));
	store_release(handle);
	if (b->kind == &memory)
		store_mem_set_cold(b->s, true);
	else
		reopen(b);
	assert_int_equal(store_read(b->s, STORE_OBJECTS, BYTES("k"), true, &value, &handle), ERR_BUSY);
	assert_null(handle);
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("k"), BYTES("v")));
}

static void the_largest_object_is_stored(void **state)
{
	struct bench *b = *state;
	size_t len = OBJECT_BYTES_MAX;
	uint8_t *data = malloc(len);
	assert_non_null(data);
	for (size_t i = 0; i < len; i++) data[i] = (uint8_t)(i * 31 + (i >> 13));
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("big"), bytes_of(data, len)), ERR_OK);
	reopen(b);
	struct bytes value;
	void *handle;
	assert_int_equal(store_read(b->s, STORE_OBJECTS, BYTES("big"), false, &value, &handle), ERR_OK);
	assert_true(bytes_equal(value, bytes_of(data, len)));
	store_release(handle);
	free(data);
}

/* ---- S1, S2: batches and groups ------------------------------------------------------------ */

static void a_batch_covers_all_families_and_a_group_is_in_order(void **state)
{
	struct bench *b = *state;
	struct store_op first[] = {{STORE_OBJECTS, BYTES("k"), BYTES("1")},
	                           {STORE_AGES, BYTES("k"), BYTES("1")},
	                           {STORE_HINTS, BYTES("k"), BYTES("1")},
	                           {STORE_META, BYTES("k"), BYTES("1")}};
	struct store_op second[] = {{STORE_OBJECTS, BYTES("k"), BYTES("2")},
	                            {STORE_AGES, BYTES("k"), BYTES_EMPTY},
	                            {STORE_HINTS, BYTES("k"), BYTES_EMPTY},
	                            {STORE_HINTS, BYTES("k"), BYTES("2")}};
	struct store_batch group[] = {{first, 4}, {second, 4}};
	assert_int_equal(store_write(b->s, group, 2), ERR_OK);
	for (int round = 0; round < 2; round++) {
		assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("k"), BYTES("2")));
		assert_false(bench_holds(b->s, STORE_AGES, BYTES("k"), BYTES("1")));
		assert_true(bench_holds(b->s, STORE_HINTS, BYTES("k"), BYTES("2")));
		assert_true(bench_holds(b->s, STORE_META, BYTES("k"), BYTES("1")));
		reopen(b);
	}
}

/* ---- scans --------------------------------------------------------------------------------- */

struct collected {
	char text[256];
	int room; /* stop after this many */
};

static bool collect(void *context, const struct store_record *r)
{
	struct collected *c = context;
	size_t at = strlen(c->text);
	snprintf(c->text + at, sizeof(c->text) - at, "%.*s=%.*s%s ", (int)r->key.len, r->key.data,
	         (int)r->value.len, r->value.len > 0 ? (const char *)r->value.data : "",
	         r->damaged ? "!" : "");
	return --c->room > 0;
}

static const char *scan(struct bench *b, struct bytes after, struct bytes until, int room,
                        bool *done)
{
	static struct collected c;
	c = (struct collected){.room = room};
	assert_int_equal(store_scan(b->s, STORE_OBJECTS, after, until, collect, &c, done), ERR_OK);
	return c.text;
}

static void put_letters(struct bench *b, const char *letters)
{
	for (; *letters != 0; letters++)
		assert_int_equal(bench_put(b->s, STORE_OBJECTS, bytes_of(letters, 1), bytes_of(letters, 1)),
		                 ERR_OK);
}

static void a_scan_is_in_order_between_exclusive_bounds(void **state)
{
	struct bench *b = *state;
	bool done;
	assert_string_equal(scan(b, BYTES_EMPTY, BYTES_EMPTY, 9, &done), "");
	assert_true(done);
	put_letters(b, "dbeca");
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("bb"), BYTES("x")), ERR_OK);
	assert_int_equal(bench_delete(b->s, STORE_OBJECTS, BYTES("c")), ERR_OK);
	for (int round = 0; round < 2; round++) {
		assert_string_equal(scan(b, BYTES_EMPTY, BYTES_EMPTY, 9, &done), "a=a b=b bb=x d=d e=e ");
		assert_true(done);
		assert_string_equal(scan(b, BYTES("a"), BYTES("e"), 9, &done), "b=b bb=x d=d ");
		assert_true(done);
		assert_string_equal(scan(b, BYTES("b"), BYTES("d"), 9, &done), "bb=x ");
		assert_string_equal(scan(b, BYTES("e"), BYTES_EMPTY, 9, &done), "");
		assert_true(done);
		reopen(b);
	}
}

static void a_scan_stops_when_told_and_goes_on_from_there(void **state)
{
	struct bench *b = *state;
	bool done;
	put_letters(b, "abcd");
	assert_string_equal(scan(b, BYTES_EMPTY, BYTES_EMPTY, 2, &done), "a=a b=b ");
	assert_false(done);
	assert_string_equal(scan(b, BYTES("b"), BYTES_EMPTY, 9, &done), "c=c d=d ");
	assert_true(done);
}

/* A writer puts the same number into all of a hundred records at once; a scan never sees two. */
struct numbered {
	struct store *s;
	_Atomic bool stop;
	uint32_t seen, count;
	bool mixed;
};

static void *write_numbers(void *context)
{
	struct numbered *n = context;
	for (uint32_t round = 1; !atomic_load(&n->stop); round++) {
		uint8_t keys[100][2];
		struct store_op ops[100];
		for (uint8_t i = 0; i < 100; i++) {
			keys[i][0] = 'k', keys[i][1] = i;
			ops[i] = (struct store_op){STORE_OBJECTS, {keys[i], 2}, bytes_of(&round, 4)};
		}
		struct store_batch batch = {ops, 100};
		if (store_write(n->s, &batch, 1) != ERR_OK) return n;
	}
	return NULL;
}

static bool same_number(void *context, const struct store_record *r)
{
	struct numbered *n = context;
	uint32_t number;
	memcpy(&number, r->value.data, 4);
	if (n->count++ == 0) n->seen = number;
	if (number != n->seen) n->mixed = true;
	return true;
}

static void a_scan_sees_one_state_while_others_write(void **state)
{
	struct bench *b = *state;
	struct numbered n = {.s = b->s};
	pthread_t writer;
	assert_int_equal(pthread_create(&writer, NULL, write_numbers, &n), 0);
	bool whole = true;
	for (int i = 0; i < 300 || (n.seen < 20 && i < 100000); i++) {
		bool done;
		n.count = 0;
		enum err e =
			store_scan(b->s, STORE_OBJECTS, BYTES_EMPTY, BYTES_EMPTY, same_number, &n, &done);
		whole = whole && e == ERR_OK && done && (n.count == 0 || n.count == 100);
		usleep(100);
	}
	atomic_store(&n.stop, true);
	void *failed;
	pthread_join(writer, &failed);
	assert_null(failed);
	assert_true(whole && !n.mixed);
	assert_true(n.seen >= 20);
}

/* ---- S4: damage ---------------------------------------------------------------------------- */

static void a_flipped_bit_is_corrupt_and_never_wrong_bytes(void **state)
{
	struct bench *b = *state;
	uint8_t found[16];
	size_t len;
	bool done;
	for (uint64_t bit = 0; bit < 72; bit += 7) {
		put_letters(b, "abc");
		b->s = b->kind->rot(b->s, b->dir, BYTES("b"), bit);
		assert_int_equal(bench_get(b->s, STORE_OBJECTS, BYTES("b"), found, sizeof(found), &len),
		                 ERR_CORRUPT);
		assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("a"), BYTES("a")));
		assert_string_equal(scan(b, BYTES_EMPTY, BYTES_EMPTY, 9, &done), "a=a b=! c=c ");
		assert_true(done);
	}
	put_letters(b, "b"); /* writes go on, and mend */
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("b"), BYTES("b")));
}

/* ---- S5: full ------------------------------------------------------------------------------ */

static void a_full_store_refuses_writes_whole_and_goes_on_reading(void **state)
{
	struct bench *b = *state;
	struct store_usage usage;
	put_letters(b, "a");
	b->s = b->kind->full(b->s, b->dir, true);
	struct store_op ops[] = {{STORE_OBJECTS, BYTES("b"), BYTES("b")},
	                         {STORE_META, BYTES("b"), BYTES("b")}};
	struct store_batch batch = {ops, 2};
	assert_int_equal(store_write(b->s, &batch, 1), ERR_FULL);
	store_usage(b->s, &usage);
	assert_true(usage.read_only);
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("a"), BYTES("a")));
	b->s = b->kind->full(b->s, b->dir, false);
	store_usage(b->s, &usage);
	assert_false(usage.read_only);
	assert_false(bench_holds(b->s, STORE_OBJECTS, BYTES("b"), BYTES("b")));
	assert_int_equal(store_write(b->s, &batch, 1), ERR_OK);
	assert_true(bench_holds(b->s, STORE_META, BYTES("b"), BYTES("b")));
}

/* ---- copies, usage ------------------------------------------------------------------------- */

static void a_copy_is_whole_and_stands_alone(void **state)
{
	struct bench *b = *state;
	put_letters(b, "ab");
	struct store *copy = b->kind->copy(b->s, b->dir);
	put_letters(b, "c");
	assert_int_equal(bench_delete(b->s, STORE_OBJECTS, BYTES("a")), ERR_OK);
	assert_true(bench_holds(copy, STORE_OBJECTS, BYTES("a"), BYTES("a")));
	assert_false(bench_holds(copy, STORE_OBJECTS, BYTES("c"), BYTES("c")));
	assert_int_equal(bench_put(copy, STORE_OBJECTS, BYTES("d"), BYTES("d")), ERR_OK);
	assert_false(bench_holds(b->s, STORE_OBJECTS, BYTES("d"), BYTES("d")));
	store_close(copy);
}

static void usage_grows_with_what_is_stored(void **state)
{
	struct bench *b = *state;
	struct store_usage before, after;
	static uint8_t noise[100000];
	struct prng p;
	prng_seed(&p, 1);
	for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (uint8_t)prng_next(&p);
	store_usage(b->s, &before);
	assert_int_equal(bench_put(b->s, STORE_OBJECTS, BYTES("k"), bytes_of(noise, sizeof(noise))),
	                 ERR_OK);
	store_usage(b->s, &after);
	assert_true(after.bytes >= before.bytes + sizeof(noise) - 4096);
	assert_true(after.free_bytes > 0);
}

/* ---- against a naive truth ----------------------------------------------------------------- */

#define MODEL_KEYS 64

struct model {
	uint32_t value[STORE_FAMILY_COUNT][MODEL_KEYS]; /* 0: none */
	uint64_t digest;                                /* of everything that was ever read */
	uint32_t next;                                  /* in a scan: the index looked for next */
	enum store_family family;
};

static struct bytes model_key(uint32_t index, uint8_t key[8])
{
	put_u64be(key, (uint64_t)index << 40); /* many share a prefix */
	return bytes_of(key, 4 + index % 3);
}

static void model_note(struct model *m, uint32_t what)
{
	m->digest = (m->digest ^ what) * 0x100000001b3U;
}

static void model_write(struct model *m, struct store *s, struct prng *p)
{
	uint8_t keys[24][8];
	uint32_t values[24];
	struct store_op ops[24];
	struct store_batch group[4];
	uint32_t batches = 1 + (uint32_t)prng_below(p, 4), used = 0;
	for (uint32_t b = 0; b < batches; b++) {
		group[b] = (struct store_batch){ops + used, 1 + (uint32_t)prng_below(p, 6)};
		for (uint32_t i = 0; i < group[b].count; i++, used++) {
			uint32_t index = (uint32_t)prng_below(p, MODEL_KEYS);
			enum store_family family = (enum store_family)prng_below(p, STORE_FAMILY_COUNT);
			values[used] = prng_one_in(p, 3) ? 0 : (uint32_t)prng_next(p) | 1;
			m->value[family][index] = values[used];
			ops[used] =
				(struct store_op){family, model_key(index, keys[used]),
			                      values[used] == 0 ? BYTES_EMPTY : bytes_of(&values[used], 4)};
		}
	}
	assert_int_equal(store_write(s, group, batches), ERR_OK);
}

static void model_read(struct model *m, struct store *s, struct prng *p)
{
	uint8_t key[8];
	uint32_t index = (uint32_t)prng_below(p, MODEL_KEYS), found = 0;
	enum store_family family = (enum store_family)prng_below(p, STORE_FAMILY_COUNT);
	size_t len;
	enum err e = bench_get(s, family, model_key(index, key), (uint8_t *)&found, 4, &len);
	assert_int_equal(e, m->value[family][index] == 0 ? ERR_NOT_FOUND : ERR_OK);
	assert_int_equal(found, m->value[family][index]);
	model_note(m, found);
}

static bool model_next(void *context, const struct store_record *r)
{
	struct model *m = context;
	uint8_t key[8];
	while (m->next < MODEL_KEYS && m->value[m->family][m->next] == 0) m->next++;
	assert_true(m->next < MODEL_KEYS);
	assert_true(bytes_equal(r->key, model_key(m->next, key)));
	assert_true(bytes_equal(r->value, bytes_of(&m->value[m->family][m->next], 4)));
	model_note(m, m->next++);
	return true;
}

static void model_scan(struct model *m, struct store *s, struct prng *p)
{
	uint8_t from[8], to[8];
	uint32_t first = (uint32_t)prng_below(p, MODEL_KEYS);
	uint32_t last = first + (uint32_t)prng_below(p, MODEL_KEYS - first);
	bool done;
	m->family = (enum store_family)prng_below(p, STORE_FAMILY_COUNT);
	m->next = first + 1;
	struct bytes until = last == first ? BYTES_EMPTY : model_key(last, to);
	assert_int_equal(store_scan(s, m->family, model_key(first, from), until, model_next, m, &done),
	                 ERR_OK);
	assert_true(done);
	for (uint32_t end = last == first ? MODEL_KEYS : last; m->next < end; m->next++)
		assert_int_equal(m->value[m->family][m->next], 0);
}

static uint64_t model_run(const struct kind *kind, uint64_t seed)
{
	void *state = (void *)(uintptr_t)kind;
	assert_int_equal(setup(&state), 0);
	struct bench *b = state;
	struct model *m = calloc(1, sizeof(*m));
	assert_non_null(m);
	struct prng p;
	prng_seed(&p, seed);
	for (int step = 0; step < 1500; step++) {
		uint64_t what = prng_below(&p, 10);
		if (what < 3)
			model_write(m, b->s, &p);
		else if (what < 8)
			model_read(m, b->s, &p);
		else
			model_scan(m, b->s, &p);
		if (prng_one_in(&p, 300)) reopen(b);
	}
	uint64_t digest = m->digest;
	free(m);
	teardown(&state);
	return digest;
}

static void both_stores_agree_with_a_naive_truth(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		uint64_t digest = model_run(&memory, seed);
		assert_int_equal(digest, model_run(&rocksdb, seed));
		assert_int_equal(digest, model_run(&uncached, seed));
		assert_int_equal(digest, model_run(&tiny, seed));
	}
}

static void a_record_under_a_foreign_key_is_corrupt(void **state)
{
	struct bench *b = *state;
	uint8_t found[16];
	size_t len;
	put_letters(b, "a");
	store_close(b->s);
	rocks_rewrite(b->dir, BYTES("a"), BYTES("b"), 0, false);
	b->s = bench_open(b->dir);
	assert_int_equal(bench_get(b->s, STORE_OBJECTS, BYTES("b"), found, sizeof(found), &len),
	                 ERR_CORRUPT);
	assert_true(bench_holds(b->s, STORE_OBJECTS, BYTES("a"), BYTES("a")));
}

#define ON(kind, test)                                                                             \
	cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, (void *)(uintptr_t) & (kind))
#define ON_ALL(kind)                                                                               \
	ON(kind, what_was_written_is_read_back),                                                       \
		ON(kind, an_empty_value_is_a_value_and_a_null_one_deletes),                                \
		ON(kind, a_value_that_is_held_outlives_its_record),                                        \
		ON(kind, a_cached_read_answers_or_says_busy), ON(kind, the_largest_object_is_stored),      \
		ON(kind, a_batch_covers_all_families_and_a_group_is_in_order),                             \
		ON(kind, a_scan_is_in_order_between_exclusive_bounds),                                     \
		ON(kind, a_scan_stops_when_told_and_goes_on_from_there),                                   \
		ON(kind, a_scan_sees_one_state_while_others_write),                                        \
		ON(kind, a_flipped_bit_is_corrupt_and_never_wrong_bytes),                                  \
		ON(kind, a_full_store_refuses_writes_whole_and_goes_on_reading),                           \
		ON(kind, a_copy_is_whole_and_stands_alone), ON(kind, usage_grows_with_what_is_stored)

int main(void)
{
	const struct CMUnitTest on_memory[] = {ON_ALL(memory)};
	const struct CMUnitTest on_rocksdb[] = {ON_ALL(rocksdb),
	                                        ON(rocksdb, a_record_under_a_foreign_key_is_corrupt)};
	const struct CMUnitTest on_uncached[] = {ON_ALL(uncached)}, on_tiny[] = {ON_ALL(tiny)};
	const struct CMUnitTest on_both[] = {cmocka_unit_test(both_stores_agree_with_a_naive_truth)};
	int failed = cmocka_run_group_tests_name("contract: memory", on_memory, NULL, NULL);
	failed += cmocka_run_group_tests_name("contract: rocksdb", on_rocksdb, NULL, NULL);
	failed += cmocka_run_group_tests_name("contract: rocksdb, no records", on_uncached, NULL, NULL);
	failed += cmocka_run_group_tests_name("contract: rocksdb, few records", on_tiny, NULL, NULL);
	failed += cmocka_run_group_tests_name("contract: both", on_both, NULL, NULL);
	return failed != 0;
}
