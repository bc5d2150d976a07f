/* rdb_salvage.c - the keys of a stretch that cannot be scanned.
 *
 * One bad block in a small upper level hides, from a scan, everything that the levels below it have in
 * its range: a thousand times as much. Single reads get past it, as filters say that the bad file does
 * not have the key; but who reads one by one must know the keys. So the engine is opened a second
 * time, on links to its files, with a blank in the place of each file that is known to be damaged
 * there; that can be scanned, and gives the keys of all others:
 *
 *   level 0   | a    ####    x |         blank         | ..    ..    .. |
 *   level 1   | b  c  d  e  f  |         as it is      | b  c  d  e  f  |      c, d and e are found
 *
 * Where several are damaged, each of them in turn is left as it is while the others are blank, for
 * what can be read of it. What is found this way may be old or deleted: only keys leave here, and
 * reading them decides.
 *
 * A blank is a table of one key, as long as the file that it stands for: the engine knows each file's
 * length, and looks for the footer at the end. All places in a footer are counted from the file's
 * beginning, so that a footer can be moved. */
#include "store/rdb.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

/* RocksDB's table format, versions 2 to 5. */
#define FOOTER_BYTES 53
/* Of the one key in a blank. */
#define BLANK_BYTES_MAX KIB(64)
/* Of a file, in the engine's list of them: "/000012.sst". */
#define FILE_NAME_BYTES 32

/* A table file of the generation. */
struct file {
	uint64_t number, size;
	uint8_t *least; /* its first key; ours */
	size_t least_len;
	char name[FILE_NAME_BYTES];
	bool aside; /* a blank is in its place */
};

struct rdb_salvage {
	struct rdb *r;
	const struct rdb_generation *g;
	rocksdb_options_t *options;
	struct file *files;
	uint32_t count, room;
	rdb_position step; /* see step_of */
	char dir[DATADIR_PATH_BYTES_MAX];
};

/* Keys after `after`, up to and with `to`. */
struct stretch {
	struct bytes after, to;
	rdb_salvage_each *each;
	void *context;
};

/* A path below `base`; false: too long. */
static bool join(const char *base, const char *name, const char *end,
                 char path[DATADIR_PATH_BYTES_MAX])
{
	int len = snprintf(path, DATADIR_PATH_BYTES_MAX, "%s%s%s", base, name, end);
	return len > 0 && len < DATADIR_PATH_BYTES_MAX;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

void rdb_salvage_clear(struct rdb *r)
{
	char path[DATADIR_PATH_BYTES_MAX];
	if (join(r->path, ".salvage", "", path)) nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	if (join(r->path, ".salvage", ".tmp", path)) nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the links ----------------------------------------------------------------------------- */

static struct file *find_file(const struct rdb_salvage *v, uint64_t number)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (v->files[i].number == number) return &v->files[i];
	return NULL;
}

static void add_file(struct rdb_salvage *v, const rocksdb_livefiles_t *files, int i)
{
	struct file f = {.size = rocksdb_livefiles_size(files, i)};
	const char *name = rocksdb_livefiles_name(files, i);
	const char *least = rocksdb_livefiles_smallestkey(files, i, &f.least_len);
	int len = snprintf(f.name, sizeof(f.name), "%s", name);
	assert(name[0] == '/' && len > 0 && (size_t)len < sizeof(f.name));
	f.number = strtoull(name + 1, NULL, 10);
	if (find_file(v, f.number) != NULL) return;
	f.least = store_alloc(f.least_len);
	memcpy(f.least, least, f.least_len);
	if (v->count == v->room) {
		v->room = v->room == 0 ? 64 : 2 * v->room;
		v->files = realloc(v->files, v->room * sizeof(v->files[0]));
		if (v->files == NULL) dunlin_panic(__FILE__, __LINE__, "out of memory");
	}
	v->files[v->count++] = f;
}

static void add_files(struct rdb_salvage *v)
{
	const rocksdb_livefiles_t *files = rocksdb_livefiles(v->r->db);
	int total = rocksdb_livefiles_count(files);
	for (int i = 0; i < total; i++)
		if (strcmp(rocksdb_livefiles_column_family_name(files, i), v->g->name) == 0)
			add_file(v, files, i);
	rocksdb_livefiles_destroy(files);
}

/* A file that is gone cannot be linked. In its place an empty one: as damaged as none. */
static void replace_lost(const struct rdb_salvage *v)
{
	for (uint32_t i = 0; i < v->count; i++) {
		char path[DATADIR_PATH_BYTES_MAX];
		if (!join(v->r->path, v->files[i].name, "", path) || access(path, F_OK) == 0) continue;
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd >= 0) close(fd);
	}
}

/* What belongs to others would keep its space for as long as the link is there. */
static void unlink_others(const struct rdb_salvage *v)
{
	const rocksdb_livefiles_t *files = rocksdb_livefiles(v->r->db);
	int total = rocksdb_livefiles_count(files);
	for (int i = 0; i < total; i++) {
		const char *name = rocksdb_livefiles_name(files, i);
		char path[DATADIR_PATH_BYTES_MAX];
		if (find_file(v, strtoull(name + 1, NULL, 10)) == NULL && join(v->dir, name, "", path))
			unlink(path);
	}
	rocksdb_livefiles_destroy(files);
}

static bool link_files(struct rdb_salvage *v)
{
	char *text = NULL;
	bool ok = true;
	add_files(v);
	replace_lost(v);
	rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(v->r->db, &text);
	if (c != NULL) {
		rocksdb_checkpoint_create(c, v->dir, 0, &text);
		rocksdb_checkpoint_object_destroy(c);
	}
	ok = text == NULL;
	free(text);
	add_files(v); /* what was made meanwhile */
	if (ok) unlink_others(v);
	return ok;
}

/* ---- blanks -------------------------------------------------------------------------------- */

/* One key in a table at `path`. */
static bool write_table(const struct rdb_salvage *v, const char *path, struct bytes key)
{
	char *text = NULL;
	rocksdb_envoptions_t *env = rocksdb_envoptions_create();
	rocksdb_sstfilewriter_t *w = rocksdb_sstfilewriter_create(env, v->options);
	rocksdb_sstfilewriter_open(w, path, &text);
	if (text == NULL) rocksdb_sstfilewriter_put(w, (const char *)key.data, key.len, "", 0, &text);
	if (text == NULL) rocksdb_sstfilewriter_finish(w, &text);
	rocksdb_sstfilewriter_destroy(w);
	rocksdb_envoptions_destroy(env);
	bool ok = text == NULL;
	free(text);
	return ok;
}

/* Make the table longer: its footer goes to the new end. */
static bool stretch_table(const char *path, uint64_t size)
{
	uint8_t footer[FOOTER_BYTES];
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) return false;
	bool ok = fstat(fd, &st) == 0 && st.st_size > FOOTER_BYTES && (uint64_t)st.st_size <= size &&
	          pread(fd, footer, FOOTER_BYTES, st.st_size - FOOTER_BYTES) == FOOTER_BYTES &&
	          ftruncate(fd, (off_t)size) == 0 &&
	          pwrite(fd, footer, FOOTER_BYTES, (off_t)size - FOOTER_BYTES) == FOOTER_BYTES;
	close(fd);
	return ok;
}

/* A file too small to be replaced stays: what it hides is not found. */
static void put_blank(const struct rdb_salvage *v, struct file *f)
{
	char path[DATADIR_PATH_BYTES_MAX], aside[DATADIR_PATH_BYTES_MAX];
	if (f->least_len > BLANK_BYTES_MAX || !join(v->dir, f->name, "", path) ||
	    !join(v->dir, f->name, ".aside", aside) || rename(path, aside) != 0)
		return;
	f->aside = true;
	if (write_table(v, path, bytes_of(f->least, f->least_len)) && stretch_table(path, f->size))
		return;
	rename(aside, path);
	f->aside = false;
}

static void put_back(const struct rdb_salvage *v)
{
	for (uint32_t i = 0; i < v->count; i++) {
		char path[DATADIR_PATH_BYTES_MAX], aside[DATADIR_PATH_BYTES_MAX];
		struct file *f = &v->files[i];
		if (!f->aside || !join(v->dir, f->name, "", path) ||
		    !join(v->dir, f->name, ".aside", aside))
			continue;
		rename(aside, path);
		f->aside = false;
	}
}

/* ---- the keys ------------------------------------------------------------------------------ */

void rdb_culprits_add(struct rdb_culprits *c, uint64_t number)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->numbers[i] == number) return;
	if (c->count < RDB_CULPRITS_MAX) c->numbers[c->count++] = number;
}

static bool each_key(const struct rdb_salvage *v, const struct stretch *s, rocksdb_t *db,
                     rocksdb_column_family_handle_t *handle, struct rdb_culprits *met)
{
	struct rdb_stream st;
	struct rdb_stream_options o = {.db = db, .handle = handle, .after = s->after, .step = v->step};
	uint64_t bytes = 0;
	bool more = true;
	rdb_stream_open(&st, &o);
	while (more) {
		enum rdb_item item = rdb_stream_next(&st);
		if (item == RDB_FAILED) more = false;
		if (item == RDB_END || item == RDB_FAILED || bytes_compare(st.key, s->to) > 0) break;
		if (item == RDB_RECORD) more = s->each(s->context, st.key);
		bytes += st.key.len + st.stored.len;
		if (bytes < v->r->mender.batch_bytes) continue;
		more = more && rdb_mender_pace(v->r, bytes);
		bytes = 0;
	}
	for (uint32_t i = 0; i < st.culprits.count; i++) rdb_culprits_add(met, st.culprits.numbers[i]);
	rdb_stream_close(&st);
	return more;
}

/* What can be scanned with those files blank, but for `but` (0: for none). Adds the files that were
 * in the way. False: no more wanted, or it could not be done. */
static bool run(struct rdb_salvage *v, const struct stretch *s, const struct rdb_culprits *blank,
                uint64_t but, struct rdb_culprits *met)
{
	const char *names[2] = {"default", v->g->name};
	const rocksdb_options_t *of[2] = {v->options, v->options};
	rocksdb_column_family_handle_t *handles[2];
	char *text = NULL;
	for (uint32_t i = 0; i < blank->count; i++) {
		struct file *f = find_file(v, blank->numbers[i]);
		if (f != NULL && f->number != but) put_blank(v, f);
	}
	rocksdb_t *db = rocksdb_open_for_read_only_column_families(v->options, v->dir, 2, names, of,
	                                                           handles, 0, &text);
	bool more = db != NULL;
	free(text);
	if (db != NULL) {
		more = each_key(v, s, db, handles[1], met);
		for (unsigned i = 0; i < 2; i++) rocksdb_column_family_handle_destroy(handles[i]);
		rocksdb_close(db);
	}
	put_back(v);
	return more;
}

bool rdb_salvage_keys(struct rdb_salvage *v, struct bytes after, struct bytes to,
                      const struct rdb_culprits *culprits, rdb_salvage_each *each, void *context)
{
	struct stretch s = {after, to, each, context};
	struct rdb_culprits known = *culprits, met = {0};
	bool more = true;
	for (uint32_t before = UINT32_MAX; more && known.count != before;) {
		before = known.count;
		more = run(v, &s, &known, 0, &known);
	}
	for (uint32_t i = 0; more && i < known.count; i++)
		more = run(v, &s, &known, known.numbers[i], &met);
	return more;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Options of an engine that only reads what is said to be damaged. */
static rocksdb_options_t *options_new(void)
{
	rocksdb_options_t *base = rocksdb_options_create(), *o = rocksdb_options_create();
	char *text = NULL;
	/* A blank is not the table that the engine made under that number. */
	rocksdb_get_options_from_string(base, "verify_sst_unique_id_in_manifest=false", o, &text);
	assert(text == NULL);
	rocksdb_options_destroy(base);
	rocksdb_options_set_paranoid_checks(o, 0);
	rocksdb_options_set_max_open_files(o, 64);
	rocksdb_options_set_compression(o, rocksdb_no_compression);
	rocksdb_options_set_info_log_level(o, 4); /* fatal errors: all of it is thrown away */
	return o;
}

/* A sixteenth of what a block spans, if all blocks lay side by side: keys are hashes. So looking for the
 * end of damage takes sixteen tries for each block there is, at most. */
static rdb_position step_of(const struct rdb_salvage *v)
{
	uint64_t blocks = 1;
	for (uint32_t i = 0; i < v->count; i++) blocks += v->files[i].size / RDB_BLOCK_BYTES + 1;
	return ~(rdb_position)0 / blocks / 16 + 1;
}

struct rdb_salvage *rdb_salvage_new(struct rdb *r, const struct rdb_generation *g)
{
	struct rdb_salvage *v = store_alloc(sizeof(*v));
	*v = (struct rdb_salvage){.r = r, .g = g, .options = options_new()};
	rdb_salvage_clear(r);
	if (join(r->path, ".salvage", "", v->dir) && link_files(v)) {
		v->step = step_of(v);
		return v;
	}
	rdb_salvage_free(v);
	return NULL;
}

void rdb_salvage_free(struct rdb_salvage *v)
{
	if (v == NULL) return;
	for (uint32_t i = 0; i < v->count; i++) free(v->files[i].least);
	rdb_salvage_clear(v->r);
	rocksdb_options_destroy(v->options);
	free(v->files);
	free(v);
}
