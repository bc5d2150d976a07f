/* rdb_open.c - every option of the engine that is not its default, each with its reason; and which
 * generations of the families there are. */
#include "store/rdb.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* For rocksdb_filterpolicy_create_bloom_full: one false positive in a hundred, 10 bits a key. */
#define BLOOM_BITS 10.0
#define TABLE_BYTES MIB(32)

static const char *const family_names[STORE_FAMILY_COUNT] = {"objects", "ages", "hints", "meta"};
static_assert(STORE_OBJECTS == 0 && STORE_AGES == 1 && STORE_HINTS == 2 && STORE_META == 3,
              "family_names is in the order of the enum");
/* The engine's own family, and two generations of each of ours. */
#define COLUMNS_MAX (1 + 2 * STORE_FAMILY_COUNT)

/* What is durable, when, and what happens to damage. */
static void set_safety(rocksdb_options_t *o)
{
	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_create_missing_column_families(o, 1);
	/* Off, against the default: with it one damaged block that a compaction meets stops all writes
	 * for good, and one damaged table file stops the start. Damage is to cost a range, not the node
	 * (S4). What it would have guarded is guarded here: logs by wal_mend, records by their own
	 * check, a failed write by `broken`. Blocks are verified either way. */
	rocksdb_options_set_paranoid_checks(o, 0);
	/* What wal_mend lets pass is intact to the last byte. */
	rocksdb_options_set_wal_recovery_mode(o, rocksdb_absolute_consistency_recovery);
	/* wal_mend knows neither form; recycling would also put old groups behind the end. */
	rocksdb_options_set_recycle_log_file_num(o, 0);
	rocksdb_options_set_wal_compression(o, rocksdb_no_compression);
	/* Readers see a write after its fdatasync, not before (S3): both would break the order. */
	rocksdb_options_set_enable_pipelined_write(o, 0);
	rocksdb_options_set_unordered_write(o, 0);
	rocksdb_options_set_manual_wal_flush(o, 0);
	/* fdatasync is enough: it writes the length too. */
	rocksdb_options_set_use_fsync(o, 0);
}

/* What it may take. */
static void set_budget(rocksdb_options_t *o, const struct store_rocksdb_config *config)
{
	size_t buffers = config->buffer_bytes != 0 ? config->buffer_bytes : STORE_BUFFER_BYTES;
	uint32_t files = config->open_files != 0 ? config->open_files : STORE_OPEN_FILES_MAX;
	rocksdb_options_set_db_write_buffer_size(o, buffers); /* over all families */
	rocksdb_options_set_write_buffer_size(o, buffers / 2);
	rocksdb_options_set_max_write_buffer_number(o, 4);
	rocksdb_options_set_arena_block_size(o, KIB(256)); /* an idle family costs one */
	/* A family that is seldom written must not keep the logs of the others alive. */
	rocksdb_options_set_max_total_wal_size(o, STORE_LOG_BYTES_MAX);
	rocksdb_options_set_max_open_files(o, (int)files);
	rocksdb_options_set_max_background_jobs(o, 2); /* one flush, one compaction */
	/* The engine's own log of events. */
	rocksdb_options_set_info_log_level(o, 2); /* warnings */
	rocksdb_options_set_max_log_file_size(o, MIB(4));
	rocksdb_options_set_keep_log_file_num(o, 2);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
}

/* How files are laid out. */
static void set_layout(rocksdb_options_t *o)
{
	rocksdb_options_set_compression(o, rocksdb_lz4_compression); /* cheaper than what it saves */
	rocksdb_options_set_target_file_size_base(o, TABLE_BYTES);   /* what one damaged file costs */
	rocksdb_options_set_max_bytes_for_level_base(o, 4 * TABLE_BYTES);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1); /* a tenth of dead space */
	/* Small, steady write-back, so that a fdatasync of the log does not wait behind a table. */
	rocksdb_options_set_bytes_per_sync(o, MIB(1));
	/* Compactions that lag behind slow writes down, but do not stop them; and see rdb_relax. */
	rocksdb_options_set_level0_slowdown_writes_trigger(o, 24);
	rocksdb_options_set_level0_stop_writes_trigger(o, 1 << 20);
	rocksdb_options_set_soft_pending_compaction_bytes_limit(o, MIB(65536));
	rocksdb_options_set_hard_pending_compaction_bytes_limit(o, 0);
}

/* Only objects are looked up one by one, and often in vain: a first write reads first. */
static void set_table(rocksdb_options_t *o, rocksdb_cache_t *cache, bool filter)
{
	rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(t, cache);
	rocksdb_block_based_options_set_block_size(t, RDB_BLOCK_BYTES);
	rocksdb_block_based_options_set_format_version(t, 5);
	/* Indexes and filters count as cache, so that memory is bounded however many keys there are. */
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
	if (filter)
		rocksdb_block_based_options_set_filter_policy(
			t, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_options_set_block_based_table_factory(o, t);
	rocksdb_block_based_options_destroy(t);
}

static void set(struct rdb *r, const struct rdb_generation *g, int count, const char *const *names,
                const char *const *values)
{
	char *text = NULL;
	rocksdb_set_options_cf(r->db, g->handle, count, names, values, &text);
	free(text); /* then it stays slow */
}

void rdb_relax(struct rdb *r, struct rdb_generation *g)
{
	static const char *const names[] = {"level0_slowdown_writes_trigger",
	                                    "soft_pending_compaction_bytes_limit"};
	static const char *const values[] = {"1048576", "0"};
	if (!g->relaxed) set(r, g, 2, names, values);
	g->relaxed = true;
}

void rdb_still(struct rdb *r, struct rdb_generation *g)
{
	static const char *const name = "disable_auto_compactions", *const value = "true";
	if (!g->stilled) set(r, g, 1, &name, &value);
	g->stilled = true;
}

static rocksdb_options_t *options_new(const struct store_rocksdb_config *config,
                                      rocksdb_cache_t *cache, bool filter)
{
	rocksdb_options_t *o = rocksdb_options_create();
	set_safety(o);
	set_budget(o, config);
	set_layout(o);
	set_table(o, cache, filter);
	return o;
}

static void make_options(struct rdb *r, const struct store_rocksdb_config *config)
{
	size_t cache_bytes = config->cache_bytes != 0 ? config->cache_bytes : STORE_CACHE_BYTES;
	rocksdb_cache_t *cache = rocksdb_cache_create_lru(cache_bytes);
	r->plain = options_new(config, cache, false);
	r->filtered = options_new(config, cache, true);
	rocksdb_cache_destroy(cache); /* the options have a hold on it, and the engine */
}

rocksdb_options_t *rdb_family_options(struct rdb *r, enum store_family family)
{
	return family == STORE_OBJECTS ? r->filtered : r->plain;
}

/* ---- which generations there are ----------------------------------------------------------- */

const char *rdb_family_name(enum store_family family)
{
	assert((unsigned)family < STORE_FAMILY_COUNT);
	return family_names[family];
}

/* What is to be opened. */
struct columns {
	char names[COLUMNS_MAX][RDB_NAME_BYTES];
	const char *name_list[COLUMNS_MAX];
	const rocksdb_options_t *options[COLUMNS_MAX];
	enum store_family family[COLUMNS_MAX];
	uint64_t number[COLUMNS_MAX];
	rocksdb_column_family_handle_t *handles[COLUMNS_MAX];
	int count;
};

static void add_column(struct columns *c, struct rdb *r, enum store_family family, uint64_t number)
{
	assert(c->count < COLUMNS_MAX);
	int i = c->count++;
	rdb_generation_name(family, number, c->names[i]);
	c->name_list[i] = c->names[i];
	c->options[i] = rdb_family_options(r, family);
	c->family[i] = family;
	c->number[i] = number;
}

/* Is that the name of one of the family's generations? */
static bool parse_name(const char *name, enum store_family family, uint64_t *number)
{
	size_t len = strlen(family_names[family]);
	char again[RDB_NAME_BYTES];
	if (strncmp(name, family_names[family], len) != 0) return false;
	*number = name[len] == '.' ? strtoull(name + len + 1, NULL, 10) : 0;
	rdb_generation_name(family, *number, again);
	return strcmp(name, again) == 0;
}

/* The first and the last generation of the family among the names; how many there are. */
static unsigned find_generations(char *const *names, size_t count, enum store_family family,
                                 uint64_t *first, uint64_t *last)
{
	unsigned found = 0;
	*first = *last = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t number;
		if (!parse_name(names[i], family, &number)) continue;
		if (found == 0 || number < *first) *first = number;
		if (found == 0 || number > *last) *last = number;
		found++;
	}
	return found;
}

/* A name that is none of ours is not in the list then, and the engine says so. */
static char *list_columns(struct rdb *r, struct columns *c)
{
	char *text = NULL;
	size_t count = 0;
	char **names = rocksdb_list_column_families(r->plain, r->path, &count, &text);
	/* None in a new directory. In any other the engine will not open either, and says why. */
	if (text != NULL) count = 0;
	free(text);
	text = NULL;
	c->count = 1;
	c->name_list[0] = "default";
	c->options[0] = r->plain;
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) {
		uint64_t first, last;
		unsigned found = find_generations(names, count, (enum store_family)f, &first, &last);
		add_column(c, r, (enum store_family)f, first);
		if (found > 1) add_column(c, r, (enum store_family)f, last);
		if (found > 2 && text == NULL) text = strdup("a family has three generations");
	}
	if (names != NULL) rocksdb_list_column_families_destroy(names, count);
	return text;
}

/* In ascending order: the second of a family is the one that the first is rebuilt into. */
static void take_columns(struct rdb *r, const struct columns *c)
{
	r->control = c->handles[0];
	for (int i = 1; i < c->count; i++) {
		struct rdb_family *f = &r->families[c->family[i]];
		assert(f->old == NULL && implies(f->now != NULL, f->now->number < c->number[i]));
		f->old = f->now;
		f->now = rdb_generation_new(c->family[i], c->number[i], c->handles[i]);
	}
}

char *rdb_open(struct rdb *r, const struct store_rocksdb_config *config)
{
	struct columns c = {0};
	make_options(r, config);
	char *text = list_columns(r, &c);
	if (text == NULL)
		r->db = rocksdb_open_column_families(r->plain, r->path, c.count, c.name_list, c.options,
		                                     c.handles, &text);
	assert((text == NULL) == (r->db != NULL));
	if (text == NULL) {
		take_columns(r, &c);
		return NULL;
	}
	rocksdb_options_destroy(r->plain);
	rocksdb_options_destroy(r->filtered);
	return text;
}
